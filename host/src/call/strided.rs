//! The chunks of a slice with a step.

use std::ops::Range;

use wasi_mmap_core::{Chunks, Storage, Strided};
use wasi_mmap_native::OsStorage;

use super::CHUNK;

/// Returns the number of bytes of a slice with this step that one step of a call works on: they lie on no more pages
/// than a [`CHUNK`] has.
pub(super) fn chunk_len(step: i64) -> u64 {
    CHUNK / step.unsigned_abs().clamp(16, OsStorage::page_size())
}

/// Returns the chunks of a slice: the range that each has of the slice's bytes, and the chunk itself.
pub(super) fn chunks(slice: Strided) -> impl Iterator<Item = (Range<u64>, Strided)> {
    Chunks::forward(0..slice.count, 1, chunk_len(slice.step)).map(move |range| {
        let chunk = Strided { first: slice.position(range.start), count: range.end - range.start, ..slice };
        (range, chunk)
    })
}
