//! The cases, by subject.

mod bulk;
mod coherence;
mod constructor;
mod cursor;
mod file;
mod memory;
mod positional;
mod resize;
mod slices;
mod truncation;
mod windows;

use wasi_mmap_core::{Access, MapOptions};

use crate::case::Case;

/// The sizes that cases depend on, in bytes; a backend says what its own are.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// What the start of a flushed or advised range must be a multiple of.
    pub page: u64,
    /// What the offset of a mapping must be a multiple of; itself a multiple of `page`.
    pub granularity: u64,
}

/// All cases, with names that are unique.
pub fn all(sizes: Sizes) -> Vec<Case> {
    let mut cases = constructor::cases(sizes);
    cases.extend(cursor::cases());
    cases.extend(positional::cases());
    cases.extend(slices::cases());
    cases.extend(bulk::cases());
    cases.extend(file::cases(sizes));
    cases.extend(resize::cases(sizes));
    cases.extend(coherence::cases(sizes));
    cases.extend(truncation::cases(sizes));
    cases.extend(memory::cases(sizes));
    cases.extend(windows::cases(sizes));
    cases
}

/// Why the fallback takes no other advice.
const FOR_PAGES: &str = "it speaks of pages that a plugin does not have";

/// Options for a mapping that reads.
fn read() -> MapOptions {
    MapOptions::new().access(Access::Read)
}

/// Options for a mapping that writes to its file.
fn write() -> MapOptions {
    MapOptions::new().access(Access::Write)
}

/// Options for a mapping that keeps its writes.
fn copy() -> MapOptions {
    MapOptions::new().access(Access::Copy)
}

/// `len` bytes that no shift of themselves repeats soon, so that a byte in the wrong place shows.
fn pattern(len: u64) -> Vec<u8> {
    (0..len).map(|i| (i.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect()
}
