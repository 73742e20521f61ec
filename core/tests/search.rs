//! The number of bytes that the provided search reads.

use std::cell::Cell;
use std::ops::Range;

use memchr::memmem;
use wasi_mmap_core::{Advice, FlushFlags, Result, Storage};

/// Bytes, and the number of bytes read.
struct Counted {
    bytes: Vec<u8>,
    read: Cell<u64>,
}

impl Storage for Counted {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn offset(&self) -> u64 {
        0
    }

    fn file_len(&self) -> Result<u64> {
        Ok(self.len())
    }

    fn page_size() -> u64 {
        4096
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.read.set(self.read.get() + buffer.len() as u64);
        let start = usize::try_from(offset).expect("within the bytes");
        buffer.copy_from_slice(&self.bytes[start..start + buffer.len()]);
        Ok(())
    }

    fn write_at(&mut self, _: u64, _: &[u8]) -> Result<()> {
        unreachable!("a search writes nothing")
    }

    fn flush(&mut self, _: Range<u64>, _: FlushFlags) -> Result<()> {
        Ok(())
    }

    fn advise(&mut self, _: Advice, _: Range<u64>) -> Result<()> {
        Ok(())
    }

    fn resize(&mut self, _: u64) -> Result<()> {
        Ok(())
    }

    fn refresh(&mut self) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_search_reads_each_byte_at_most_twice() {
    let len = if cfg!(miri) { 300_000 } else { 8 << 20 };
    let bytes: Vec<u8> = (0..len).map(|at: usize| at.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect();
    let storage = Counted { bytes, read: Cell::new(0) };
    let bytes = &storage.bytes[..];
    // Shorter and longer than a chunk, and absent.
    for needle_len in [1, 1000, 64 << 10, 100_000, len / 3, len - 10, len] {
        for start in [0, len / 7, len - needle_len] {
            let start = start.min(len - needle_len);
            let there = bytes[start..start + needle_len].to_vec();
            let nowhere = [&there[1..], &[there[0].wrapping_add(1)]].concat();
            for needle in [there, nowhere] {
                storage.read.set(0);
                let found = storage.find(&needle, 0..len as u64).expect("it reads");
                assert_eq!(found, memmem::find(bytes, &needle).map(|at| at as u64), "{needle_len} at {start}");
                let forward = storage.read.replace(0);
                let found = storage.rfind(&needle, 0..len as u64).expect("it reads");
                assert_eq!(found, memmem::rfind(bytes, &needle).map(|at| at as u64), "{needle_len} at {start}");
                let backward = storage.read.get();
                assert!(forward.max(backward) <= 2 * len as u64, "{forward} and {backward} of {len} bytes were read");
            }
        }
    }
}
