//! The functions that carry bytes to the plugin and from it. Where they are many, or lie on many pages, the functions work in pieces
//! as [`long`](crate::long) ones do: bytes to be copied by the engine are read in first, so that its copy finds them in memory.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use wasi_mmap_core::{Chunks, Internals, Result, Slice, Storage, Strided};
use wasi_mmap_native::{Mapping, OsStorage};
use wasmtime::StoreContextMut;
use wasmtime::component::{LinkerInstance, WasmList};

use crate::bindings::types as wit;
use crate::ctx::{Interrupt, MmapView};
use crate::limits::{Limit, Limits};
use crate::linker::{Handle, answer, get};
use crate::long::{Begun, Calls, add_one};
use crate::mapping::HostMapping;
use crate::memory::Reading;
use crate::work::{Job, PIECE};

/// What is known of a call when it begins: its mapping, and what the store allows.
struct Call {
    mapping: Arc<HostMapping>,
    limits: Limits,
    interrupt: Interrupt,
}

impl Call {
    fn new<T: MmapView>(store: &mut StoreContextMut<'_, T>, handle: &Handle) -> wasmtime::Result<Self> {
        let mapping = get(store, handle)?;
        let ctx = store.data_mut().mmap().ctx;
        Ok(Self { mapping, limits: ctx.limits, interrupt: ctx.interrupt.clone() })
    }
}

/// Adds the functions.
pub(crate) fn add<T: MmapView + 'static>(calls: Calls, instance: &mut LinkerInstance<'_, T>) -> wasmtime::Result<()> {
    type Cx<'a, 'b, T> = &'a mut StoreContextMut<'b, T>;
    /// What a function that reads answers.
    fn read(outcome: Result<Reading>) -> wasmtime::Result<(Reading,)> {
        Ok((outcome.unwrap_or_else(Reading::from),))
    }

    add_one(
        calls,
        instance,
        "[method]mapping.read",
        read,
        |store: Cx<'_, '_, T>, arguments: (Handle, Option<u64>)| {
            let (handle, count) = arguments;
            Ok(begin_read(Call::new(store, &handle)?, true, |mapping| mapping.next_range(count)).into())
        },
    )?;
    add_one(calls, instance, "[method]mapping.read-line", read, |store: Cx<'_, '_, T>, (handle,): (Handle,)| {
        Ok(read_line(Call::new(store, &handle)?).into())
    })?;
    add_one(
        calls,
        instance,
        "[method]mapping.read-at",
        read,
        |store: Cx<'_, '_, T>, (handle, offset, length): (Handle, u64, u64)| {
            Ok(begin_read(Call::new(store, &handle)?, false, |mapping| mapping.range(offset, length)).into())
        },
    )?;
    add_one(
        calls,
        instance,
        "[method]mapping.read-ranges",
        read,
        |store: Cx<'_, '_, T>, (handle, ranges): (Handle, Vec<wit::Range>)| {
            Ok(read_ranges(Call::new(store, &handle)?, &ranges).into())
        },
    )?;
    add_one(
        calls,
        instance,
        "[method]mapping.read-slice",
        read,
        |store: Cx<'_, '_, T>, (handle, slice): (Handle, wit::Slice)| {
            Ok(read_slice(Call::new(store, &handle)?, slice.into()).into())
        },
    )?;
    add_one(
        calls,
        instance,
        "[method]mapping.write",
        answer,
        |store: Cx<'_, '_, T>, (handle, bytes): (Handle, WasmList<u8>)| {
            Ok(write(Call::new(store, &handle)?, bytes.as_le_slice(&*store)).with(bytes))
        },
    )?;
    add_one(
        calls,
        instance,
        "[method]mapping.write-at",
        answer,
        |store: Cx<'_, '_, T>, (handle, offset, bytes): (Handle, u64, WasmList<u8>)| {
            Ok(write_at(Call::new(store, &handle)?, offset, bytes.as_le_slice(&*store)).with(bytes))
        },
    )?;
    add_one(
        calls,
        instance,
        "[method]mapping.write-slice",
        answer,
        |store: Cx<'_, '_, T>, (handle, slice, bytes): (Handle, wit::Slice, WasmList<u8>)| {
            Ok(write_slice(Call::new(store, &handle)?, slice.into(), bytes.as_le_slice(&*store)).with(bytes))
        },
    )?;
    add_one(
        calls,
        instance,
        "[method]mapping.compare",
        answer,
        |store: Cx<'_, '_, T>, (handle, offset, bytes): (Handle, u64, WasmList<u8>)| {
            Ok(compare(Call::new(store, &handle)?, offset, bytes.as_le_slice(&*store)).with(bytes))
        },
    )
}

/// Reads a range that `plan` works out, straight into the plugin's memory, and moves the cursor past it if it `advances`.
fn begin_read(call: Call, advances: bool, plan: impl FnOnce(&Mapping) -> Result<Range<u64>>) -> Result<Begun<Reading>> {
    let Call { mapping, limits, interrupt } = call;
    let mut guard = mapping.lock();
    let range = plan(&guard)?;
    limits.check(Limit::BytesPerCall, range.end - range.start)?;
    if range.end - range.start <= PIECE {
        return lend(&mapping, &mut guard, range, advances).map(|bytes| Begun::Answer(Ok(bytes)));
    }
    if !guard.storage()?.is_contiguous() {
        // A part of the pages lies in a window: the bytes are gathered.
        drop(guard);
        let ranges = vec![range.clone()];
        let done = move |mapping: &mut Mapping| {
            if advances {
                mapping.advance(&range)
            }
        };
        return gather("a read", mapping, ranges, interrupt, done).map(Begun::Job);
    }
    drop(guard);
    let mut pieces = Chunks::forward(range.clone(), 1, PIECE);
    Ok(Begun::Job(Job::new("a read", interrupt, move |_| {
        let mut guard = mapping.lock();
        match pieces.next() {
            Some(piece) => guard.storage().and_then(|storage| touch(storage, &piece)).err().map(Err),
            None => Some(lend(&mapping, &mut guard, range.clone(), advances)),
        }
    })))
}

/// The bytes of a range, for the engine to copy. The cursor, if it moves, goes back when some of them are lost meanwhile.
fn lend(shared: &Arc<HostMapping>, mapping: &mut Mapping, range: Range<u64>, advances: bool) -> Result<Reading> {
    let bytes = Reading::new(mapping.storage()?, range.clone())?;
    if !advances {
        return Ok(bytes);
    }
    let bytes = bytes.moved_from(shared, mapping.tell()?);
    mapping.advance(&range);
    Ok(bytes)
}

/// Reads a byte of each page, so that all of them are in memory.
fn touch(storage: &OsStorage, range: &Range<u64>) -> Result<()> {
    let page = OsStorage::page_size();
    let count = (range.end - range.start).div_ceil(page);
    let pages = Strided { first: range.start, step: page.cast_signed(), count };
    storage.read_strided(pages, &mut wasi_mmap_core::zeroed(count)?)
}

fn read_line(call: Call) -> Result<Begun<Reading>> {
    let Call { mapping, limits, interrupt } = call;
    let mut guard = mapping.lock();
    // One more than is allowed: a longer line is noticed by it.
    let most = limits.get(Limit::BytesPerCall);
    let first = guard.next_line_within(most.min(PIECE))?;
    let len = first.end - first.start;
    if len <= PIECE {
        limits.check(Limit::BytesPerCall, len)?;
        return lend(&mapping, &mut guard, first, true).map(|bytes| Begun::Answer(Ok(bytes)));
    }
    let rest = guard.next_range(Some(most.saturating_add(1)))?;
    drop(guard);
    let mut pieces = Chunks::forward(first.end - 1..rest.end, 1, PIECE);
    Ok(Begun::Job(Job::new("reading a line", interrupt, move |_| {
        let mut guard = mapping.lock();
        let end = match pieces.next() {
            None => rest.end,
            Some(piece) => match guard.storage().and_then(|storage| storage.find(b"\n", piece)) {
                Ok(None) => return None,
                Ok(Some(at)) => at + 1,
                Err(error) => return Some(Err(error)),
            },
        };
        let line = limits.check(Limit::BytesPerCall, end - rest.start);
        Some(line.and_then(|()| lend(&mapping, &mut guard, rest.start..end, true)))
    })))
}

fn read_ranges(call: Call, ranges: &[wit::Range]) -> Result<Begun<Reading>> {
    let Call { mapping, limits, interrupt } = call;
    let guard = mapping.lock();
    let inside: Result<Vec<_>> = ranges.iter().map(|range| guard.range(range.offset, range.length)).collect();
    let ranges = inside?;
    guard.storage()?;
    limits.check(Limit::BytesPerCall, total(&ranges))?;
    let work = ranges.iter().fold(0u64, |sum, range| sum.saturating_add(work_of(range)));
    if work <= PIECE {
        return guard.read_ranges(&ranges).map(|bytes| Begun::Answer(Ok(bytes.into())));
    }
    drop(guard);
    gather("reading ranges", mapping, ranges, interrupt, |_| ()).map(Begun::Job)
}

fn total(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().fold(0u64, |sum, range| sum.saturating_add(range.end - range.start))
}

/// What it costs to read a range, in bytes: a page, however short it is.
fn work_of(range: &Range<u64>) -> u64 {
    (range.end - range.start).saturating_add(OsStorage::page_size())
}

/// Copies ranges, one after the other, and does something with the mapping in the end.
fn gather(
    what: &'static str,
    mapping: Arc<HostMapping>,
    ranges: Vec<Range<u64>>,
    interrupt: Interrupt,
    done: impl FnOnce(&mut Mapping) + Send + 'static,
) -> Result<Job<Reading>> {
    // Room for all; it is written piece by piece, which is when it costs memory and time.
    let mut bytes = room(total(&ranges))?;
    let (mut ranges, mut rest, mut done) = (ranges.into_iter(), 0..0, Some(done));
    Ok(Job::new(what, interrupt, move |_| {
        let mut guard = mapping.lock();
        let mut work = 0;
        while work < PIECE {
            if rest.is_empty() {
                let Some(next) = ranges.next() else {
                    done.take().into_iter().for_each(|done| done(&mut guard));
                    return Some(Ok(std::mem::take(&mut bytes).into()));
                };
                rest = next;
            }
            let part = rest.start..rest.end.min(rest.start + (PIECE - work));
            work += work_of(&part);
            rest.start = part.end;
            let old = bytes.len();
            bytes.resize(old + usize::try_from(part.end - part.start).expect("there is room"), 0);
            if let Err(error) = guard.storage().and_then(|storage| storage.read_at(part.start, &mut bytes[old..])) {
                return Some(Err(error));
            }
        }
        None
    }))
}

/// An empty vector with room for so many bytes.
fn room(len: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let len = usize::try_from(len).map_err(|_| wasi_mmap_core::Error::OutOfMemory)?;
    bytes.try_reserve_exact(len).map_err(|_| wasi_mmap_core::Error::OutOfMemory)?;
    Ok(bytes)
}

/// How many bytes of a slice are worked on at a time: they lie on no more pages than a piece has.
fn bytes_at_a_time(step: i64) -> u64 {
    PIECE / step.unsigned_abs().clamp(16, OsStorage::page_size())
}

/// The parts of a slice that are worked on at a time: which of its bytes each is.
fn parts(slice: Strided) -> impl Iterator<Item = (Range<u64>, Strided)> {
    let parts = Chunks::forward(0..slice.count, 1, bytes_at_a_time(slice.step));
    parts.map(move |part| {
        let strided = Strided { first: slice.position(part.start), count: part.end - part.start, ..slice };
        (part, strided)
    })
}

fn read_slice(call: Call, slice: Slice) -> Result<Begun<Reading>> {
    let Call { mapping, limits, interrupt } = call;
    let guard = mapping.lock();
    let strided = slice.resolve(guard.len()?)?;
    limits.check(Limit::BytesPerCall, strided.count)?;
    if let Some(range) = strided.contiguous() {
        drop(guard);
        return begin_read(Call { mapping, limits, interrupt }, false, |_| Ok(range));
    }
    limits.check(Limit::WorkPerCall, strided.span())?;
    if strided.count <= bytes_at_a_time(strided.step) {
        return guard.read_slice(slice).map(|bytes| Begun::Answer(Ok(bytes.into())));
    }
    drop(guard);
    let mut bytes = room(strided.count)?;
    let mut parts = parts(strided);
    Ok(Begun::Job(Job::new("reading a slice", interrupt, move |_| {
        let Some((_, part)) = parts.next() else { return Some(Ok(std::mem::take(&mut bytes).into())) };
        let old = bytes.len();
        bytes.resize(old + usize::try_from(part.count).expect("there is room"), 0);
        let guard = mapping.lock();
        guard.storage().and_then(|storage| storage.read_strided(part, &mut bytes[old..])).err().map(Err)
    })))
}

/// The part of the plugin's bytes that belongs to a piece of a call.
fn part_of<'a>(bytes: &'a [u8], part: &Range<u64>) -> &'a [u8] {
    let index = |at: u64| usize::try_from(at).expect("within the plugin's memory");
    &bytes[index(part.start)..index(part.end)]
}

/// Begins a write of the plugin's bytes at an offset, all of which is within a mapping for writing.
fn write_pieces<R>(
    call: Call,
    offset: u64,
    count: u64,
    mut done: impl FnMut(&mut Mapping) -> Result<R> + Send + 'static,
) -> Begun<R> {
    let Call { mapping, interrupt, .. } = call;
    let mut pieces = Chunks::forward(0..count, 1, PIECE);
    Begun::Job(Job::new("a write", interrupt, move |bytes| {
        let mut mapping = mapping.lock();
        match pieces.next() {
            Some(part) => mapping.write_all_at(part_of(bytes, &part), offset + part.start).err().map(Err),
            None => Some(done(&mut mapping)),
        }
    }))
}

/// Whether so many bytes can be written at an offset: what the mapping itself refuses is no work.
fn is_work(mapping: &Mapping, offset: u64, count: u64) -> bool {
    count > PIECE && mapping.access().is_writable() && mapping.range(offset, count).is_ok()
}

fn write(call: Call, bytes: &[u8]) -> Begun<u64> {
    let count = bytes.len() as u64;
    let mut mapping = call.mapping.lock();
    match mapping.tell() {
        Ok(cursor) if is_work(&mapping, cursor, count) => {
            drop(mapping);
            write_pieces(call, cursor, count, move |mapping| {
                mapping.advance(&(cursor..cursor + count));
                Ok(count)
            })
        }
        _ => Begun::Answer(mapping.write(bytes).map(|count| count as u64)),
    }
}

fn write_at(call: Call, offset: u64, bytes: &[u8]) -> Begun<()> {
    let count = bytes.len() as u64;
    let mut mapping = call.mapping.lock();
    if is_work(&mapping, offset, count) {
        drop(mapping);
        return write_pieces(call, offset, count, |_| Ok(()));
    }
    Begun::Answer(mapping.write_all_at(bytes, offset))
}

fn write_slice(call: Call, slice: Slice, bytes: &[u8]) -> Begun<()> {
    let mut guard = call.mapping.lock();
    // What the mapping itself refuses is no work.
    let strided = guard.len().and_then(|len| slice.resolve(len));
    let strided = match strided {
        Ok(strided) if guard.access().is_writable() && strided.count == bytes.len() as u64 => strided,
        _ => return Begun::Answer(guard.write_slice(slice, bytes)),
    };
    if let Err(error) = call.limits.check(Limit::WorkPerCall, strided.span()) {
        return Begun::Answer(Err(error));
    }
    if let Some(range) = strided.contiguous() {
        if is_work(&guard, range.start, strided.count) {
            drop(guard);
            return write_pieces(call, range.start, strided.count, |_| Ok(()));
        }
    } else if strided.count > bytes_at_a_time(strided.step) {
        drop(guard);
        let (mapping, mut parts) = (call.mapping, parts(strided));
        return Begun::Job(Job::new("writing a slice", call.interrupt, move |bytes| {
            let Some((part, strided)) = parts.next() else { return Some(Ok(())) };
            let mut guard = mapping.lock();
            let written = guard.storage_mut().and_then(|storage| storage.write_strided(strided, part_of(bytes, &part)));
            written.err().map(Err)
        }));
    }
    Begun::Answer(guard.write_slice(slice, bytes))
}

fn compare(call: Call, offset: u64, bytes: &[u8]) -> Begun<wit::Ordering> {
    let count = bytes.len() as u64;
    let guard = call.mapping.lock();
    if count <= PIECE || guard.range(offset, count).is_err() {
        return Begun::Answer(guard.compare(bytes, offset).map(wit::Ordering::from));
    }
    drop(guard);
    let Call { mapping, interrupt, .. } = call;
    let mut pieces = Chunks::forward(0..count, 1, PIECE);
    Begun::Job(Job::new("a comparison", interrupt, move |bytes| {
        let Some(part) = pieces.next() else { return Some(Ok(Ordering::Equal.into())) };
        match mapping.lock().compare(part_of(bytes, &part), offset + part.start) {
            Ok(Ordering::Equal) => None,
            outcome => Some(outcome.map(wit::Ordering::from)),
        }
    }))
}
