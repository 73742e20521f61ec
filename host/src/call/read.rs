//! Reads, whose bytes the engine copies to the plugin.
//!
//! Many bytes are first read into memory in steps, so that the engine's copy, which nothing interrupts, finds them
//! there.

use std::ops::Range;
use std::sync::Arc;

use wasi_mmap_core::{Chunks, Internals, Result, Slice, Storage, Strided, zeroed};
use wasi_mmap_native::{Mapping, OsStorage};

use super::{CHUNK, Call, Started, Steps, strided, with_room};
use crate::ctx::Interrupt;
use crate::limits::Limit;
use crate::mapping::HostMapping;
use crate::memory::ReadResult;

/// `read`: at the cursor.
pub(crate) fn next(call: Call, count: Option<u64>) -> Started<ReadResult> {
    start_read(call, true, |mapping| mapping.next_range(count)).into()
}

/// `read-at`.
pub(crate) fn at(call: Call, offset: u64, length: u64) -> Started<ReadResult> {
    start_read(call, false, |mapping| mapping.range(offset, length)).into()
}

/// `read-line`.
pub(crate) fn line(call: Call) -> Started<ReadResult> {
    start_line(call).into()
}

/// `read-ranges`, of offsets and lengths.
pub(crate) fn ranges(call: Call, ranges: impl Iterator<Item = (u64, u64)>) -> Started<ReadResult> {
    start_ranges(call, ranges).into()
}

/// `read-slice`.
pub(crate) fn slice(call: Call, slice: Slice) -> Started<ReadResult> {
    start_slice(call, slice).into()
}

/// Reads the range that `check` returns, and moves the cursor past it if the read `advances`.
fn start_read(
    call: Call,
    advances: bool,
    check: impl FnOnce(&Mapping) -> Result<Range<u64>>,
) -> Result<Started<ReadResult>> {
    let Call { mapping, limits, interrupt } = call;
    let mut guard = mapping.lock();
    let range = check(&guard)?;
    limits.check(Limit::BytesPerCall, range.end - range.start)?;
    if range.end - range.start <= CHUNK {
        return lend(&mapping, &mut guard, range, advances).map(|bytes| Started::Done(Ok(bytes)));
    }
    if !guard.storage()?.is_contiguous() {
        // Some of the pages are in a window, so that the bytes cannot be lent in one piece.
        drop(guard);
        let finish = {
            let range = range.clone();
            move |mapping: &mut Mapping| {
                if advances {
                    mapping.advance(&range);
                }
            }
        };
        return gather("a read", mapping, vec![range], interrupt, finish).map(Started::Steps);
    }
    drop(guard);
    let mut chunks = Chunks::forward(range.clone(), 1, CHUNK);
    Ok(Started::Steps(Steps::new("a read", interrupt, move |_| {
        let mut guard = mapping.lock();
        match chunks.next() {
            Some(chunk) => guard.storage().and_then(|storage| touch(storage, &chunk)).err().map(Err),
            None => Some(lend(&mapping, &mut guard, range.clone(), advances)),
        }
    })))
}

/// Returns the bytes of a range, for the engine to copy. If the cursor moves, it goes back when some of them are lost
/// meanwhile.
fn lend(shared: &Arc<HostMapping>, mapping: &mut Mapping, range: Range<u64>, advances: bool) -> Result<ReadResult> {
    let bytes = ReadResult::lend(mapping.storage()?, range.clone())?;
    if !advances {
        return Ok(bytes);
    }
    let bytes = bytes.or_restore_cursor(shared, mapping.tell()?);
    mapping.advance(&range);
    Ok(bytes)
}

/// Reads a byte of each page, so that all of them are in memory.
fn touch(storage: &OsStorage, range: &Range<u64>) -> Result<()> {
    let page = OsStorage::page_size();
    let count = (range.end - range.start).div_ceil(page);
    let pages = Strided { first: range.start, step: page.cast_signed(), count };
    storage.read_strided(pages, &mut zeroed(count)?)
}

fn start_line(call: Call) -> Result<Started<ReadResult>> {
    let Call { mapping, limits, interrupt } = call;
    let mut guard = mapping.lock();
    // One more byte than is allowed, so that a longer line is noticed.
    let most = limits.get(Limit::BytesPerCall);
    let first = guard.next_line_within(most.min(CHUNK))?;
    let len = first.end - first.start;
    if len <= CHUNK {
        limits.check(Limit::BytesPerCall, len)?;
        return lend(&mapping, &mut guard, first, true).map(|bytes| Started::Done(Ok(bytes)));
    }
    let rest = guard.next_range(Some(most.saturating_add(1)))?;
    drop(guard);
    let mut chunks = Chunks::forward(first.end - 1..rest.end, 1, CHUNK);
    Ok(Started::Steps(Steps::new("reading a line", interrupt, move |_| {
        let mut guard = mapping.lock();
        let end = match chunks.next() {
            None => rest.end,
            Some(chunk) => match guard.storage().and_then(|storage| storage.find(b"\n", chunk)) {
                Ok(None) => return None,
                Ok(Some(offset)) => offset + 1,
                Err(error) => return Some(Err(error)),
            },
        };
        let checked = limits.check(Limit::BytesPerCall, end - rest.start);
        Some(checked.and_then(|()| lend(&mapping, &mut guard, rest.start..end, true)))
    })))
}

fn start_ranges(call: Call, ranges: impl Iterator<Item = (u64, u64)>) -> Result<Started<ReadResult>> {
    let Call { mapping, limits, interrupt } = call;
    let guard = mapping.lock();
    let ranges = ranges.map(|(offset, length)| guard.range(offset, length)).collect::<Result<Vec<_>>>()?;
    guard.storage()?;
    limits.check(Limit::BytesPerCall, total(&ranges))?;
    let work = ranges.iter().fold(0u64, |sum, range| sum.saturating_add(work_of(range)));
    if work <= CHUNK {
        return guard.read_ranges(&ranges).map(|bytes| Started::Done(Ok(bytes.into())));
    }
    drop(guard);
    gather("reading ranges", mapping, ranges, interrupt, |_| ()).map(Started::Steps)
}

fn total(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().fold(0u64, |sum, range| sum.saturating_add(range.end - range.start))
}

/// Returns the cost of reading a range, in bytes: however short it is, at least a page.
fn work_of(range: &Range<u64>) -> u64 {
    (range.end - range.start).saturating_add(OsStorage::page_size())
}

/// Copies ranges into one vector, and calls `finish` after the last.
fn gather(
    operation: &'static str,
    mapping: Arc<HostMapping>,
    ranges: Vec<Range<u64>>,
    interrupt: Interrupt,
    finish: impl FnOnce(&mut Mapping) + Send + 'static,
) -> Result<Steps<ReadResult>> {
    // Room for all. It costs memory and time only when it is written, step by step.
    let mut bytes = with_room(total(&ranges))?;
    let (mut ranges, mut rest, mut finish) = (ranges.into_iter(), 0..0, Some(finish));
    Ok(Steps::new(operation, interrupt, move |_| {
        let mut guard = mapping.lock();
        let mut work = 0;
        while work < CHUNK {
            if rest.is_empty() {
                let Some(next) = ranges.next() else {
                    if let Some(finish) = finish.take() {
                        finish(&mut guard);
                    }
                    return Some(Ok(std::mem::take(&mut bytes).into()));
                };
                rest = next;
            }
            let chunk = rest.start..rest.end.min(rest.start + (CHUNK - work));
            work += work_of(&chunk);
            rest.start = chunk.end;
            let old = bytes.len();
            bytes.resize(old + usize::try_from(chunk.end - chunk.start).expect("there is room"), 0);
            if let Err(error) = guard.storage().and_then(|storage| storage.read_at(chunk.start, &mut bytes[old..])) {
                return Some(Err(error));
            }
        }
        None
    }))
}

fn start_slice(call: Call, slice: Slice) -> Result<Started<ReadResult>> {
    let Call { mapping, limits, interrupt } = call;
    let guard = mapping.lock();
    let strided = slice.resolve(guard.len()?)?;
    limits.check(Limit::BytesPerCall, strided.count)?;
    if let Some(range) = strided.contiguous() {
        drop(guard);
        return start_read(Call { mapping, limits, interrupt }, false, |_| Ok(range));
    }
    limits.check(Limit::WorkPerCall, strided.span())?;
    if strided.count <= strided::chunk_len(strided.step) {
        return guard.read_slice(slice).map(|bytes| Started::Done(Ok(bytes.into())));
    }
    drop(guard);
    let mut bytes = with_room(strided.count)?;
    let mut chunks = strided::chunks(strided);
    Ok(Started::Steps(Steps::new("reading a slice", interrupt, move |_| {
        let Some((_, chunk)) = chunks.next() else { return Some(Ok(std::mem::take(&mut bytes).into())) };
        let old = bytes.len();
        bytes.resize(old + usize::try_from(chunk.count).expect("there is room"), 0);
        let guard = mapping.lock();
        guard.storage().and_then(|storage| storage.read_strided(chunk, &mut bytes[old..])).err().map(Err)
    })))
}
