//! Many mappings, and large ones.

use std::fs::{self, File};
use std::io::ErrorKind;

use memmap2::{Mmap, MmapMut, MmapOptions};

use super::{Context, kind, open};

pub(crate) fn in_a_row(context: &Context) {
    let path = context.file("file", vec![b'.'; 10_000]);
    for round in 0..5000_usize {
        // SAFETY: here and below, nobody else changes the file.
        let mut mapping = unsafe { MmapMut::map_mut(&open(&path)) }.expect("a mapping");
        assert_eq!(mapping.iter().filter(|byte| **byte != b'.').count(), round.min(1));
        mapping[round.saturating_sub(1)] = b'.';
        mapping[round] = b'!';
    }
    let contents = fs::read(&path).expect("the file");
    assert_eq!(contents.iter().position(|byte| *byte == b'!'), Some(4999));
}

/// A store has 1,024 mappings at once by default. The others are copies.
pub(crate) fn at_once(context: &Context) {
    const COUNT: usize = 1100;
    let path = context.file("file", vec![b'.'; COUNT * 4096]);
    let file = open(&path);
    let map = |index: usize| {
        // SAFETY: as above; the ranges are different pages.
        unsafe { MmapOptions::new().offset(index as u64 * 4096).len(4096).map_mut(&file) }
    };
    let mut mappings: Vec<MmapMut> = (0..COUNT).map(|index| map(index).expect("a mapping")).collect();
    for (index, mapping) in mappings.iter_mut().enumerate() {
        mapping[index] = b'!';
    }
    for mapping in &mappings {
        mapping.flush_async().expect("a flush");
    }
    let contents = fs::read(&path).expect("the file");
    for index in 0..COUNT {
        assert_eq!(contents[index * 4096 + index], b'!', "mapping {index}");
    }
    drop(mappings);
    // SAFETY: as above.
    let mapping = unsafe { Mmap::map(&file) }.expect("a mapping");
    assert!(mapping[..] == contents);
}

pub(crate) fn large(context: &Context) {
    const MIB: usize = 1 << 20;
    let path = context.folder.join("large");
    let file = File::options().read(true).write(true).create_new(true).open(&path).expect("a file");
    file.set_len(5 << 30).expect("a sparse file");
    // SAFETY: as above.
    unsafe {
        let error = Mmap::map(&file).expect_err("too large");
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().contains("views of wasi_mmap"), "{error}");
        assert_eq!(kind(MmapOptions::new().len(usize::MAX / 2).map(&file)), ErrorKind::OutOfMemory);
        // Copies would take a while.
        let len = if context.is_pages { 1500 * MIB } else { 20 * MIB };
        let mut mapping = MmapOptions::new().offset(3 << 30).len(len).map_mut(&file).expect("a mapping");
        mapping[len - 1] = b'!';
        mapping.flush().expect("a flush");
        let end = MmapOptions::new().offset((3 << 30) + len as u64 - 1).len(1).map(&file).expect("a mapping");
        assert_eq!(end[0], b'!');
    }
    assert_eq!(file.metadata().expect("its length").len(), 5 << 30);
    assert_eq!(kind(MmapMut::map_anon(usize::MAX / 2)), ErrorKind::OutOfMemory);
    let overflow = MmapMut::map_anon(usize::MAX / 2 + 1).expect_err("too large");
    assert_eq!(overflow.to_string(), "memory map length overflows isize");
    fs::remove_file(&path).expect("it can be deleted");
}
