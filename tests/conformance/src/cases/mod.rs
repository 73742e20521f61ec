//! The cases, by subject.

mod beyond_end;
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

/// The sizes of a backend that cases depend on, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// The page size: the start of a flushed or advised range is a multiple of it.
    pub page: u64,
    /// The granularity: the offset of a mapping is a multiple of it. Itself a multiple of `page`.
    pub granularity: u64,
}

/// Returns all cases. Their names are unique.
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
    cases.extend(beyond_end::cases(sizes));
    cases.extend(memory::cases(sizes));
    cases.extend(windows::cases(sizes));
    cases
}

/// The reason for which the fallback accepts no other advice.
const FOR_PAGES: &str = "it speaks of pages that a plugin does not have";

/// Returns the options of a mapping for reading.
fn read() -> MapOptions {
    MapOptions::new().access(Access::Read)
}

/// Returns the options of a mapping that writes to its file.
fn write() -> MapOptions {
    MapOptions::new().access(Access::Write)
}

/// Returns the options of a mapping that keeps its writes.
fn copy() -> MapOptions {
    MapOptions::new().access(Access::Copy)
}

/// Returns `len` bytes with a long period, so that a byte in the wrong place is noticed.
fn pattern(len: u64) -> Vec<u8> {
    (0..len).map(|i| (i.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect()
}
