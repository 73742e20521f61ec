//! Records that are flushed one after the other, for a process that is killed meanwhile.

use std::io::Write;
use std::path::Path;

use wasi_mmap_core::{Access, Backend, Mapping};

/// The number of records in the file. Each crosses the border of two pages.
pub const SLOTS: usize = 16;
/// The length of a record in bytes.
const RECORD: usize = 512;
const PAGE: usize = 4096;
/// The length of the file in bytes.
pub const LEN: usize = (SLOTS + 1) * PAGE;

fn place(number: u64) -> usize {
    (number as usize % SLOTS + 1) * PAGE - RECORD / 2
}

/// Writes records from `from` on, and after each flush a line to `said`. Returns when the line cannot be written.
///
/// # Panics
///
/// If the mapping fails.
pub fn record<S: Backend>(path: &Path, from: u64, mut said: impl Write) {
    let mut mapping = Mapping::<S>::options().access(Access::Write).open(path).expect("a mapping");
    for number in from.. {
        let bytes = number.to_le_bytes().repeat(RECORD / 8);
        mapping.write_all_at(&bytes, place(number) as u64).expect("it writes");
        mapping.flush().expect("it flushes");
        if writeln!(said, "{number}").and_then(|()| said.flush()).is_err() {
            return;
        }
    }
}

/// Compares the bytes of the file with the last record that was reported as flushed.
///
/// # Errors
///
/// The record that was lost.
pub fn check(bytes: &[u8], last: u64) -> Result<(), String> {
    // The next record may have been written in part.
    for number in (last + 1).saturating_sub(SLOTS as u64)..=last {
        if number == 0 || (last + 1) % SLOTS as u64 == number % SLOTS as u64 {
            continue;
        }
        let found = &bytes[place(number)..][..RECORD];
        if found != number.to_le_bytes().repeat(RECORD / 8) {
            return Err(format!("the record {number} was flushed, and is lost; the last one was {last}"));
        }
    }
    Ok(())
}
