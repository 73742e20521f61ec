//! Records that are flushed one after the other, for a process that is killed in the middle.

use std::io::Write;
use std::path::Path;

use wasi_mmap_core::{Access, Backend, Mapping};

/// How many records the file holds. Each lies across the border of two pages.
pub const SLOTS: usize = 16;
/// How long a record is, in bytes.
const RECORD: usize = 512;
const PAGE: usize = 4096;
/// How long the file is, in bytes.
pub const LEN: usize = (SLOTS + 1) * PAGE;

fn place(number: u64) -> usize {
    (number as usize % SLOTS + 1) * PAGE - RECORD / 2
}

/// Writes records from `from` on, and for each, once it is flushed, a line to `said`. Ends only when it cannot say it.
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

/// Compares the file's bytes with what was said last.
///
/// # Errors
///
/// What was lost.
pub fn check(bytes: &[u8], last: u64) -> Result<(), String> {
    // The one after the last may have been under way, and may be there in part.
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
