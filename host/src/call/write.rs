//! Writes of the plugin's bytes.

use std::ops::Range;

use wasi_mmap_core::{Chunks, Internals, Result, Slice, Storage};
use wasi_mmap_native::Mapping;

use super::{CHUNK, Call, Started, Steps, chunk_of, strided};
use crate::limits::Limit;

/// `write`: at the cursor.
pub(crate) fn next(call: Call, bytes: &[u8]) -> Started<u64> {
    start_next(call, bytes).into()
}

/// `write-at`.
pub(crate) fn at(call: Call, offset: u64, bytes: &[u8]) -> Started<()> {
    start_at(call, offset, bytes).into()
}

/// `write-slice`.
pub(crate) fn slice(call: Call, slice: Slice, bytes: &[u8]) -> Started<()> {
    start_slice(call, slice, bytes).into()
}

fn start_next(call: Call, bytes: &[u8]) -> Result<Started<u64>> {
    let count = bytes.len() as u64;
    let mut mapping = call.mapping.lock();
    if count <= CHUNK {
        return Ok(Started::Done(mapping.write(bytes).map(|_| count)));
    }
    let range = mapping.next_write_range(count)?;
    drop(mapping);
    Ok(in_chunks(call, range.clone(), move |mapping| {
        mapping.advance(&range);
        Ok(count)
    }))
}

fn start_at(call: Call, offset: u64, bytes: &[u8]) -> Result<Started<()>> {
    let count = bytes.len() as u64;
    let mut mapping = call.mapping.lock();
    if count <= CHUNK {
        return Ok(Started::Done(mapping.write_all_at(bytes, offset)));
    }
    let range = mapping.write_range(offset, count)?;
    drop(mapping);
    Ok(in_chunks(call, range, |_| Ok(())))
}

fn start_slice(call: Call, slice: Slice, bytes: &[u8]) -> Result<Started<()>> {
    let mut guard = call.mapping.lock();
    let strided = guard.resolve_for_write(slice, bytes.len() as u64)?;
    call.limits.check(Limit::WorkPerCall, strided.span())?;
    let most = if strided.contiguous().is_some() { CHUNK } else { strided::chunk_len(strided.step) };
    if strided.count <= most {
        return Ok(Started::Done(guard.write_slice(slice, bytes)));
    }
    drop(guard);
    if let Some(range) = strided.contiguous() {
        return Ok(in_chunks(call, range, |_| Ok(())));
    }
    let mut chunks = strided::chunks(strided);
    let Call { mapping, interrupt, .. } = call;
    Ok(Started::Steps(Steps::new("writing a slice", interrupt, move |bytes| {
        let Some((range, chunk)) = chunks.next() else { return Some(Ok(())) };
        let mut guard = mapping.lock();
        let written = guard.storage_mut().and_then(|storage| storage.write_strided(chunk, chunk_of(bytes, &range)));
        written.err().map(Err)
    })))
}

/// Writes the plugin's bytes to a range that was checked, in chunks, and finishes with `finish`.
fn in_chunks<R>(
    call: Call,
    range: Range<u64>,
    mut finish: impl FnMut(&mut Mapping) -> Result<R> + Send + 'static,
) -> Started<R> {
    let Call { mapping, interrupt, .. } = call;
    let mut chunks = Chunks::forward(0..range.end - range.start, 1, CHUNK);
    Started::Steps(Steps::new("a write", interrupt, move |bytes| {
        let mut mapping = mapping.lock();
        match chunks.next() {
            Some(chunk) => mapping.write_all_at(chunk_of(bytes, &chunk), range.start + chunk.start).err().map(Err),
            None => Some(finish(&mut mapping)),
        }
    }))
}
