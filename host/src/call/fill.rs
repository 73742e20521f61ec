//! Fills.

use wasi_mmap_core::{Chunks, Internals, Result};

use super::{CHUNK, Call, Started, Steps};
use crate::limits::Limit;

/// `fill`.
pub(crate) fn at(call: Call, offset: u64, length: u64, byte: u8) -> Started<()> {
    start(call, offset, length, byte).into()
}

fn start(call: Call, offset: u64, length: u64, byte: u8) -> Result<Started<()>> {
    let Call { mapping, limits, interrupt } = call;
    let mut guard = mapping.lock();
    let range = guard.fill_range(offset, length)?;
    limits.check(Limit::WorkPerCall, length)?;
    if length <= CHUNK {
        return Ok(Started::Done(guard.fill(range, byte)));
    }
    drop(guard);
    let mut chunks = Chunks::forward(range, 1, CHUNK);
    Ok(Started::Steps(Steps::new("a fill", interrupt, move |_| {
        let Some(chunk) = chunks.next() else { return Some(Ok(())) };
        mapping.lock().fill(chunk, byte).err().map(Err)
    })))
}
