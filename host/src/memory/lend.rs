//! Lending a mapping's pages to the engine, which copies them into the plugin's memory after the host function has returned.

use std::ops::Range;

use bytes::Bytes;
use wasi_mmap_core::{Result, Storage};
use wasi_mmap_native::Native;

/// From this length on, lending the pages is cheaper than copying them into a buffer first.
const LENT_FROM: u64 = 16 * 1024;

/// The bytes of a range, to be copied once more: the pages themselves where that pays.
///
/// # Errors
///
/// `truncated`, `no-space`, `out-of-memory`.
pub(crate) fn bytes(storage: &Native, range: Range<u64>) -> Result<Bytes> {
    if range.end - range.start < LENT_FROM {
        return Ok(storage.read_vec(range)?.into());
    }
    // A page that is missing is met here, where it can still be reported.
    storage.touch(range.clone())?;
    // SAFETY: the engine copies the bytes into the plugin's memory as soon as the host function has returned, before any
    // other code of the store runs, and drops them. The mapping stays mapped meanwhile, for the bytes own a share of it. What
    // `Lend` asks for beyond that, that no other process writes to the file, a host cannot promise: the copy is one
    // `memcpy`, which takes any byte for a value, so that the plugin sees other bytes and nothing else happens.
    let lent = unsafe { storage.share(range) }?;
    Ok(Bytes::from_owner(lent))
}
