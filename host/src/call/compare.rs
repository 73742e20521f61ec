//! Comparisons of a mapping with the plugin's bytes.

use std::cmp::Ordering;

use wasi_mmap_core::{Chunks, Internals, Result};

use super::{CHUNK, Call, Started, Steps, chunk_of};

/// `compare`.
pub(crate) fn at(call: Call, offset: u64, bytes: &[u8]) -> Started<Ordering> {
    start(call, offset, bytes).into()
}

fn start(call: Call, offset: u64, bytes: &[u8]) -> Result<Started<Ordering>> {
    let Call { mapping, interrupt, .. } = call;
    let guard = mapping.lock();
    let range = guard.compare_range(offset, bytes.len() as u64)?;
    let count = range.end - range.start;
    if count <= CHUNK {
        return Ok(Started::Done(guard.compare(bytes, offset)));
    }
    drop(guard);
    let mut chunks = Chunks::forward(0..count, 1, CHUNK);
    Ok(Started::Steps(Steps::new("a comparison", interrupt, move |bytes| {
        let Some(chunk) = chunks.next() else { return Some(Ok(Ordering::Equal)) };
        match mapping.lock().compare(chunk_of(bytes, &chunk), offset + chunk.start) {
            Ok(Ordering::Equal) => None,
            result => Some(result),
        }
    })))
}
