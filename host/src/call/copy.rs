//! Copies within a mapping, and from one to another.

use std::sync::Arc;

use wasi_mmap_core::{Chunks, Internals, Result};

use super::{CHUNK, Call, Started, Steps};
use crate::limits::Limit;
use crate::mapping::HostMapping;

/// `copy-within`.
pub(crate) fn within(call: Call, destination: u64, offset: u64, count: u64) -> Started<()> {
    start_within(call, destination, offset, count).into()
}

/// `copy-from`, from a mapping that is not the call's own.
pub(crate) fn from(call: Call, destination: u64, source: Arc<HostMapping>, offset: u64, count: u64) -> Started<()> {
    start_from(call, destination, source, offset, count).into()
}

fn start_within(call: Call, destination: u64, offset: u64, count: u64) -> Result<Started<()>> {
    let Call { mapping, limits, interrupt } = call;
    let mut guard = mapping.lock();
    let range = guard.copy_within_range(destination, offset, count)?;
    limits.check(Limit::WorkPerCall, count)?;
    if count <= CHUNK {
        return Ok(Started::Done(guard.copy_within(range, destination)));
    }
    drop(guard);
    // From the end if the copy goes up: a chunk must be read before it is overwritten.
    let mut chunks =
        if destination > offset { Chunks::backward(range, 1, CHUNK) } else { Chunks::forward(range, 1, CHUNK) };
    Ok(Started::Steps(Steps::new("a copy", interrupt, move |_| {
        let Some(chunk) = chunks.next() else { return Some(Ok(())) };
        let to = destination + (chunk.start - offset);
        mapping.lock().copy_within(chunk, to).err().map(Err)
    })))
}

fn start_from(call: Call, destination: u64, source: Arc<HostMapping>, offset: u64, count: u64) -> Result<Started<()>> {
    let Call { mapping, limits, interrupt } = call;
    // The calls of one store come one after the other, so that nobody takes the two locks in the other order meanwhile.
    let (mut guard, source_guard) = (mapping.lock(), source.lock());
    let range = guard.copy_from_range(destination, &source_guard, offset, count)?;
    limits.check(Limit::WorkPerCall, count)?;
    if count <= CHUNK {
        return Ok(Started::Done(guard.copy_from(&source_guard, range, destination)));
    }
    drop((guard, source_guard));
    let mut chunks = Chunks::forward(range, 1, CHUNK);
    Ok(Started::Steps(Steps::new("a copy", interrupt, move |_| {
        let Some(chunk) = chunks.next() else { return Some(Ok(())) };
        let to = destination + (chunk.start - offset);
        mapping.lock().copy_from(&source.lock(), chunk, to).err().map(Err)
    })))
}
