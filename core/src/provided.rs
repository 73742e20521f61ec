//! The provided methods of [`Storage`] as functions: operations made of reads and writes of chunks.
//!
//! A storage that overrides a method, because it does better in most of its states, calls the function in the others.

use std::cmp::Ordering;
use std::ops::Range;

use memchr::memmem;

use crate::storage::{to_usize, zeroed};
use crate::{Chunks, Error, Result, Storage, Strided};

/// The number of bytes that are read or written at a time.
const CHUNK: usize = 64 * 1024;

/// The number of bytes that a search reads at a time after a part of the file was lost. No system has smaller pages.
const SMALLEST_PAGE: u64 = 4096;

/// The step from which on the bytes of a slice are read one by one, which is then cheaper than to read the bytes
/// between them, too.
const SPARSE_STEP: u64 = 64;

/// Returns the offset of the first occurrence of `needle` within `range`: [`Storage::find`] for any storage.
///
/// # Errors
///
/// Those of the storage.
pub fn find<S: Storage + ?Sized>(storage: &S, needle: &[u8], range: Range<u64>) -> Result<Option<u64>> {
    let finder = memmem::Finder::new(needle);
    let chunks = Chunks::forward(range, needle.len() as u64, step_of(needle));
    search(storage, chunks, |chunk| finder.find(chunk))
}

/// Returns the offset of the last occurrence of `needle` within `range`: [`Storage::rfind`] for any storage.
///
/// # Errors
///
/// Those of the storage.
pub fn rfind<S: Storage + ?Sized>(storage: &S, needle: &[u8], range: Range<u64>) -> Result<Option<u64>> {
    let finder = memmem::FinderRev::new(needle);
    let chunks = Chunks::backward(range, needle.len() as u64, step_of(needle));
    search(storage, chunks, |chunk| finder.rfind(chunk))
}

/// Appends the first line of `range`: [`Storage::read_line`] for any storage.
///
/// # Errors
///
/// Those of the storage; [`Error::OutOfMemory`].
pub fn read_line<S: Storage + ?Sized>(storage: &S, range: Range<u64>, line: &mut Vec<u8>) -> Result<()> {
    if range.is_empty() {
        return Ok(());
    }
    let end = storage.find(b"\n", range.clone())?.map_or(range.end, |at| at + 1);
    let (old, count) = (line.len(), to_usize(end - range.start)?);
    line.try_reserve(count).map_err(|_| Error::OutOfMemory)?;
    line.resize(old + count, 0);
    storage.read_at(range.start, &mut line[old..])
}

/// Compares the bytes at `offset` with `bytes`: [`Storage::compare`] for any storage.
///
/// # Errors
///
/// Those of the storage.
pub fn compare<S: Storage + ?Sized>(storage: &S, offset: u64, bytes: &[u8]) -> Result<Ordering> {
    let mut buffer = vec![0; bytes.len().min(CHUNK)];
    let mut at = offset;
    for part in bytes.chunks(CHUNK) {
        let mine = &mut buffer[..part.len()];
        storage.read_at(at, mine)?;
        match (*mine).cmp(part) {
            Ordering::Equal => at += part.len() as u64,
            unequal => return Ok(unequal),
        }
    }
    Ok(Ordering::Equal)
}

/// Sets the bytes of `range`: [`Storage::fill`] for any storage.
///
/// # Errors
///
/// Those of the storage.
pub fn fill<S: Storage + ?Sized>(storage: &mut S, range: Range<u64>, byte: u8) -> Result<()> {
    let bytes = vec![byte; chunk_len(range.end - range.start)];
    for chunk in chunks(range) {
        storage.write_at(chunk.start, &bytes[..to_usize(chunk.end - chunk.start)?])?;
    }
    Ok(())
}

/// Copies bytes within a storage: [`Storage::copy_within`] for any storage.
///
/// # Errors
///
/// Those of the storage.
pub fn copy_within<S: Storage + ?Sized>(storage: &mut S, source: Range<u64>, destination: u64) -> Result<()> {
    let mut buffer = vec![0; chunk_len(source.end - source.start)];
    let start = source.start;
    let copy = |chunk: Range<u64>| {
        let part = &mut buffer[..to_usize(chunk.end - chunk.start)?];
        storage.read_at(chunk.start, part)?;
        storage.write_at(destination + (chunk.start - start), part)
    };
    each_chunk(source, destination > start, copy)
}

/// Copies bytes from one storage to another: [`Storage::copy_from`] for any storage.
///
/// # Errors
///
/// Those of the storage.
pub fn copy_from<S: Storage>(storage: &mut S, destination: u64, source: &S, range: Range<u64>) -> Result<()> {
    let mut buffer = vec![0; chunk_len(range.end - range.start)];
    let start = range.start;
    // If both map the same file, the offsets in the file decide whether the copy would overwrite bytes that it still
    // has to read.
    let is_upwards = storage.offset() + destination > source.offset() + start;
    let copy = |chunk: Range<u64>| {
        let part = &mut buffer[..to_usize(chunk.end - chunk.start)?];
        source.read_at(chunk.start, part)?;
        storage.write_at(destination + (chunk.start - start), part)
    };
    each_chunk(range, is_upwards, copy)
}

/// Reads the bytes of a slice: [`Storage::read_strided`] for any storage.
///
/// # Errors
///
/// Those of the storage.
pub fn read_strided<S: Storage + ?Sized>(storage: &S, slice: Strided, buffer: &mut [u8]) -> Result<()> {
    let distance = slice.step.unsigned_abs();
    // The number of bytes of the slice that are read at a time, together with the bytes between them.
    let block = if distance >= SPARSE_STEP { 1 } else { CHUNK / to_usize(distance)? };
    let mut span = vec![0; if block == 1 { 1 } else { CHUNK }];
    let mut index = 0;
    for part in buffer.chunks_mut(block) {
        let (one, other) = (slice.position(index), slice.position(index + part.len() as u64 - 1));
        let (low, high) = (one.min(other), one.max(other));
        let bytes = &mut span[..to_usize(high - low)? + 1];
        storage.read_at(low, bytes)?;
        for byte in part {
            *byte = bytes[to_usize(slice.position(index) - low)?];
            index += 1;
        }
    }
    Ok(())
}

/// Writes the bytes of a slice: [`Storage::write_strided`] for any storage.
///
/// # Errors
///
/// Those of the storage.
pub fn write_strided<S: Storage + ?Sized>(storage: &mut S, slice: Strided, bytes: &[u8]) -> Result<()> {
    for (index, byte) in bytes.iter().enumerate() {
        storage.write_at(slice.position(index as u64), std::slice::from_ref(byte))?;
    }
    Ok(())
}

/// Returns the number of positions that a search looks at in one chunk. It is at least the length of the needle: chunks
/// overlap by the needle, and with shorter steps, most of the work would be to read the overlap again and again.
fn step_of(needle: &[u8]) -> u64 {
    needle.len().max(CHUNK) as u64
}

/// Searches the chunks in turn with `find`, which returns an index into a chunk.
fn search<S: Storage + ?Sized>(
    storage: &S,
    chunks: Chunks,
    find: impl Fn(&[u8]) -> Option<usize>,
) -> Result<Option<u64>> {
    let mut buffer = Vec::new();
    let forward = chunks.is_forward();
    for chunk in chunks {
        if buffer.is_empty() {
            // The first chunk is the longest.
            buffer = zeroed(chunk.end - chunk.start)?;
        }
        let bytes = &mut buffer[..to_usize(chunk.end - chunk.start)?];
        let found = match storage.read_at(chunk.start, bytes) {
            Ok(()) => find(bytes),
            // The needle may be in the bytes before the lost ones.
            Err(Error::Truncated) if forward => {
                let count = read_until_lost(storage, chunk.start, bytes);
                Some(find(&bytes[..count]).ok_or(Error::Truncated)?)
            }
            Err(error) => return Err(error),
        };
        if let Some(index) = found {
            return Ok(Some(chunk.start + index as u64));
        }
    }
    Ok(None)
}

/// Reads from `offset` up to the first page that cannot be read, and returns the number of bytes read.
fn read_until_lost<S: Storage + ?Sized>(storage: &S, offset: u64, buffer: &mut [u8]) -> usize {
    let mut done = 0;
    while done < buffer.len() {
        // To the end of a page.
        let rest = SMALLEST_PAGE - (offset + done as u64) % SMALLEST_PAGE;
        let end = buffer.len().min(done + usize::try_from(rest).unwrap_or(usize::MAX));
        if storage.read_at(offset + done as u64, &mut buffer[done..end]).is_err() {
            break;
        }
        done = end;
    }
    done
}

/// Returns the chunks of at most [`CHUNK`] bytes that make up `range`, from either end.
fn chunks(range: Range<u64>) -> impl DoubleEndedIterator<Item = Range<u64>> {
    let count = (range.end - range.start).div_ceil(CHUNK as u64);
    (0..count).map(move |index| {
        let start = range.start + index * CHUNK as u64;
        start..range.end.min(start + CHUNK as u64)
    })
}

/// Copies the chunks of a range as `memmove` does: first those that the copy would overwrite before they are read.
fn each_chunk(range: Range<u64>, is_upwards: bool, copy: impl FnMut(Range<u64>) -> Result<()>) -> Result<()> {
    if is_upwards { chunks(range).rev().try_for_each(copy) } else { chunks(range).try_for_each(copy) }
}

/// Returns the size of a buffer for the [`chunks`] of `len` bytes.
fn chunk_len(len: u64) -> usize {
    usize::try_from(len).unwrap_or(CHUNK).min(CHUNK)
}
