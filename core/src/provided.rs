//! The operations of a [`Storage`] that are made of its reads and writes, in pieces.
//!
//! They are what [`Storage`] provides. A storage that does better for most of its states can call them for the others.

use std::cmp::Ordering;
use std::ops::Range;

use memchr::memmem;

use crate::storage::{to_usize, zeroed};
use crate::{Error, Pieces, Result, Storage, Strided};

/// How many bytes a general operation moves at a time.
const CHUNK: usize = 64 * 1024;

/// How many bytes a search reads at a time where the file has lost some.
const SMALL: u64 = 4096;

/// From this distance on, bytes of a slice are cheaper one by one than with what lies between them.
const FAR: u64 = 64;

/// [`Storage::find`] for any storage.
///
/// # Errors
///
/// What the storage answers.
pub fn find<S: Storage + ?Sized>(storage: &S, needle: &[u8], range: Range<u64>) -> Result<Option<u64>> {
    let finder = memmem::Finder::new(needle);
    let pieces = Pieces::forward(range, needle.len() as u64, step_of(needle));
    search(storage, pieces, |piece| finder.find(piece))
}

/// [`Storage::rfind`] for any storage.
///
/// # Errors
///
/// What the storage answers.
pub fn rfind<S: Storage + ?Sized>(storage: &S, needle: &[u8], range: Range<u64>) -> Result<Option<u64>> {
    let finder = memmem::FinderRev::new(needle);
    let pieces = Pieces::backward(range, needle.len() as u64, step_of(needle));
    search(storage, pieces, |piece| finder.rfind(piece))
}

/// [`Storage::read_line`] for any storage.
///
/// # Errors
///
/// What the storage answers; `out-of-memory`.
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

/// [`Storage::compare`] for any storage.
///
/// # Errors
///
/// What the storage answers.
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

/// [`Storage::fill`] for any storage.
///
/// # Errors
///
/// What the storage answers.
pub fn fill<S: Storage + ?Sized>(storage: &mut S, range: Range<u64>, byte: u8) -> Result<()> {
    let bytes = vec![byte; chunk_len(range.end - range.start)];
    for piece in chunks(range) {
        storage.write_at(piece.start, &bytes[..to_usize(piece.end - piece.start)?])?;
    }
    Ok(())
}

/// [`Storage::copy_within`] for any storage.
///
/// # Errors
///
/// What the storage answers.
pub fn copy_within<S: Storage + ?Sized>(storage: &mut S, source: Range<u64>, destination: u64) -> Result<()> {
    let mut buffer = vec![0; chunk_len(source.end - source.start)];
    let start = source.start;
    let copy = |piece: Range<u64>| {
        let part = &mut buffer[..to_usize(piece.end - piece.start)?];
        storage.read_at(piece.start, part)?;
        storage.write_at(destination + (piece.start - start), part)
    };
    each_chunk(source, destination > start, copy)
}

/// [`Storage::copy_from`] for any storage.
///
/// # Errors
///
/// What the storage answers.
pub fn copy_from<S: Storage>(storage: &mut S, destination: u64, source: &S, range: Range<u64>) -> Result<()> {
    let mut buffer = vec![0; chunk_len(range.end - range.start)];
    let start = range.start;
    // Both may map one file: then the places in the file say whether the copy would overwrite what it has still to read.
    let is_upwards = storage.offset() + destination > source.offset() + start;
    let copy = |piece: Range<u64>| {
        let part = &mut buffer[..to_usize(piece.end - piece.start)?];
        source.read_at(piece.start, part)?;
        storage.write_at(destination + (piece.start - start), part)
    };
    each_chunk(range, is_upwards, copy)
}

/// [`Storage::read_strided`] for any storage.
///
/// # Errors
///
/// What the storage answers.
pub fn read_strided<S: Storage + ?Sized>(storage: &S, slice: Strided, buffer: &mut [u8]) -> Result<()> {
    let distance = slice.step.unsigned_abs();
    // How many bytes of the slice are read at a time, with what lies between them.
    let block = if distance >= FAR { 1 } else { CHUNK / to_usize(distance)? };
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

/// [`Storage::write_strided`] for any storage.
///
/// # Errors
///
/// What the storage answers.
pub fn write_strided<S: Storage + ?Sized>(storage: &mut S, slice: Strided, bytes: &[u8]) -> Result<()> {
    for (index, byte) in bytes.iter().enumerate() {
        storage.write_at(slice.position(index as u64), std::slice::from_ref(byte))?;
    }
    Ok(())
}

/// How many places a search looks at in one piece. Pieces overlap by the needle: with shorter steps than it is long, most of the work
/// would be to read the overlap, again and again.
fn step_of(needle: &[u8]) -> u64 {
    needle.len().max(CHUNK) as u64
}

/// Searches the pieces in turn with `find`, which answers a place within a piece.
fn search<S: Storage + ?Sized>(
    storage: &S,
    pieces: Pieces,
    find: impl Fn(&[u8]) -> Option<usize>,
) -> Result<Option<u64>> {
    let mut buffer = Vec::new();
    let forward = pieces.is_forward();
    for piece in pieces {
        if buffer.is_empty() {
            // The first piece is the longest.
            buffer = zeroed(piece.end - piece.start)?;
        }
        let bytes = &mut buffer[..to_usize(piece.end - piece.start)?];
        let found = match storage.read_at(piece.start, bytes) {
            Ok(()) => find(bytes),
            // What lies before a lost part may hold the answer.
            Err(Error::Truncated) if forward => {
                let there = read_while_there(storage, piece.start, bytes);
                Some(find(&bytes[..there]).ok_or(Error::Truncated)?)
            }
            Err(error) => return Err(error),
        };
        if let Some(index) = found {
            return Ok(Some(piece.start + index as u64));
        }
    }
    Ok(None)
}

/// Reads from `offset` on up to what cannot be read, and answers how much that was.
fn read_while_there<S: Storage + ?Sized>(storage: &S, offset: u64, buffer: &mut [u8]) -> usize {
    let mut done = 0;
    while done < buffer.len() {
        // To the end of a page: no system has smaller ones.
        let rest = SMALL - (offset + done as u64) % SMALL;
        let end = buffer.len().min(done + usize::try_from(rest).unwrap_or(usize::MAX));
        if storage.read_at(offset + done as u64, &mut buffer[done..end]).is_err() {
            break;
        }
        done = end;
    }
    done
}

/// The pieces of at most [`CHUNK`] bytes that make up `range`, from either end.
fn chunks(range: Range<u64>) -> impl DoubleEndedIterator<Item = Range<u64>> {
    let count = (range.end - range.start).div_ceil(CHUNK as u64);
    (0..count).map(move |index| {
        let start = range.start + index * CHUNK as u64;
        start..range.end.min(start + CHUNK as u64)
    })
}

/// Copies the chunks of a range as `memmove` does: first the end that the copy would overwrite before it is read.
fn each_chunk(range: Range<u64>, is_upwards: bool, copy: impl FnMut(Range<u64>) -> Result<()>) -> Result<()> {
    if is_upwards { chunks(range).rev().try_for_each(copy) } else { chunks(range).try_for_each(copy) }
}

/// How large a buffer for [`chunks`] of so many bytes has to be.
fn chunk_len(len: u64) -> usize {
    usize::try_from(len).unwrap_or(CHUNK).min(CHUNK)
}
