//! What a supplier of bytes gives, and what can be done with it in general.

use std::cmp::Ordering;
use std::ops::Range;

use memchr::memmem;

use crate::{Advice, Error, FlushFlags, Pieces, Result, Strided};

/// How many bytes a general operation moves at a time.
const CHUNK: usize = 64 * 1024;

/// How many bytes a search reads at a time where the file has lost some.
const SMALL: u64 = 4096;

/// From this distance on, bytes of a slice are cheaper one by one than with what lies between them.
const FAR: u64 = 64;

/// A supplier of bytes: what is under a [`Mapping`](crate::Mapping).
///
/// A storage has a length of at least 1 and keeps no rules. [`Mapping`](crate::Mapping) has checked every range against
/// [`len`](Self::len), and the access, before it calls; a storage that is asked for bytes outside its length answers an error
/// or panics, but never touches other memory. What only the storage can know, it reports: `truncated`, `no-space`, `busy`.
///
/// The provided methods are correct for any storage. A supplier that can do better (an OS mapping that lies in one
/// piece, a host that is one call away) overrides them, never their meaning.
pub trait Storage {
    /// How long the storage is, in bytes.
    fn len(&self) -> u64;

    /// Always false: a storage is at least one byte long.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where in its file the storage starts, in bytes.
    fn offset(&self) -> u64;

    /// How long the whole file is now; for memory without a file, how long the storage is.
    fn file_len(&self) -> Result<u64>;

    /// What the start of a flushed or advised range must be a multiple of, in bytes.
    fn page_size() -> u64
    where
        Self: Sized;

    /// Copies `buffer.len()` bytes at `offset` out.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()>;

    /// Copies `bytes` in at `offset`.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()>;

    /// Writes changes in `range` back; `flags` has exactly one of `ASYNC` and `SYNC`.
    fn flush(&mut self, range: Range<u64>, flags: FlushFlags) -> Result<()>;

    /// Takes advice for `range`.
    fn advise(&mut self, advice: Advice, range: Range<u64>) -> Result<()>;

    /// Makes the storage `len` bytes long, and its file end where the storage ends.
    fn resize(&mut self, len: u64) -> Result<()>;

    /// Forgets what is known of the file and looks anew.
    fn refresh(&mut self) -> Result<()>;

    /// Does what must be done before the storage is dropped and can fail. After an error the storage goes on.
    fn close(&mut self) -> Result<()> {
        Ok(())
    }

    /// Whether the memory is in use elsewhere, so that the storage can be neither closed nor resized.
    fn is_busy(&self) -> bool {
        false
    }

    /// The bytes of `range` as a vector.
    fn read_vec(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let mut bytes = zeroed(range.end - range.start)?;
        self.read_at(range.start, &mut bytes)?;
        Ok(bytes)
    }

    /// The bytes of several ranges, one after the other.
    fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<u8>> {
        let total = ranges.iter().try_fold(0u64, |sum, range| sum.checked_add(range.end - range.start));
        let mut bytes = zeroed(total.ok_or(Error::OutOfMemory)?)?;
        let mut rest = &mut bytes[..];
        for range in ranges {
            let (part, tail) = rest.split_at_mut(to_usize(range.end - range.start)?);
            self.read_at(range.start, part)?;
            rest = tail;
        }
        Ok(bytes)
    }

    /// Where `needle`, which is not empty, first stands wholly within `range`.
    fn find(&self, needle: &[u8], range: Range<u64>) -> Result<Option<u64>> {
        let finder = memmem::Finder::new(needle);
        let pieces = Pieces::forward(range, needle.len() as u64, CHUNK as u64);
        search(self, pieces, |piece| finder.find(piece))
    }

    /// Where `needle`, which is not empty, last stands wholly within `range`.
    fn rfind(&self, needle: &[u8], range: Range<u64>) -> Result<Option<u64>> {
        let finder = memmem::FinderRev::new(needle);
        let pieces = Pieces::backward(range, needle.len() as u64, CHUNK as u64);
        search(self, pieces, |piece| finder.rfind(piece))
    }

    /// How the bytes at `offset` compare with `bytes`.
    fn compare(&self, offset: u64, bytes: &[u8]) -> Result<Ordering> {
        let mut buffer = vec![0; bytes.len().min(CHUNK)];
        let mut at = offset;
        for part in bytes.chunks(CHUNK) {
            let mine = &mut buffer[..part.len()];
            self.read_at(at, mine)?;
            match (*mine).cmp(part) {
                Ordering::Equal => at += part.len() as u64,
                unequal => return Ok(unequal),
            }
        }
        Ok(Ordering::Equal)
    }

    /// Sets every byte of `range` to `byte`.
    fn fill(&mut self, range: Range<u64>, byte: u8) -> Result<()> {
        let bytes = vec![byte; chunk_len(range.end - range.start)];
        for piece in chunks(range) {
            self.write_at(piece.start, &bytes[..to_usize(piece.end - piece.start)?])?;
        }
        Ok(())
    }

    /// Copies `source` to `destination`; the two may overlap.
    fn copy_within(&mut self, source: Range<u64>, destination: u64) -> Result<()> {
        let mut buffer = vec![0; chunk_len(source.end - source.start)];
        let start = source.start;
        let copy = |piece: Range<u64>| {
            let part = &mut buffer[..to_usize(piece.end - piece.start)?];
            self.read_at(piece.start, part)?;
            self.write_at(destination + (piece.start - start), part)
        };
        each_chunk(source, destination > start, copy)
    }

    /// Copies `range` of `source` to `destination` in this storage.
    fn copy_from(&mut self, destination: u64, source: &Self, range: Range<u64>) -> Result<()>
    where
        Self: Sized,
    {
        let mut buffer = vec![0; chunk_len(range.end - range.start)];
        let start = range.start;
        // Both may map one file: then the places in the file say whether the copy would overwrite what it has still to read.
        let is_upwards = self.offset() + destination > source.offset() + start;
        let copy = |piece: Range<u64>| {
            let part = &mut buffer[..to_usize(piece.end - piece.start)?];
            source.read_at(piece.start, part)?;
            self.write_at(destination + (piece.start - start), part)
        };
        each_chunk(range, is_upwards, copy)
    }

    /// Copies the bytes of a slice out; `buffer` has `slice.count` bytes.
    fn read_strided(&self, slice: Strided, buffer: &mut [u8]) -> Result<()> {
        let distance = slice.step.unsigned_abs();
        // How many bytes of the slice are read at a time, with what lies between them.
        let block = if distance >= FAR { 1 } else { CHUNK / to_usize(distance)? };
        let mut span = vec![0; if block == 1 { 1 } else { CHUNK }];
        let mut index = 0;
        for part in buffer.chunks_mut(block) {
            let (one, other) = (slice.position(index), slice.position(index + part.len() as u64 - 1));
            let (low, high) = (one.min(other), one.max(other));
            let bytes = &mut span[..to_usize(high - low)? + 1];
            self.read_at(low, bytes)?;
            for byte in part {
                *byte = bytes[to_usize(slice.position(index) - low)?];
                index += 1;
            }
        }
        Ok(())
    }

    /// Sets the bytes of a slice, in its order; `bytes` has `slice.count` bytes.
    fn write_strided(&mut self, slice: Strided, bytes: &[u8]) -> Result<()> {
        for (index, byte) in bytes.iter().enumerate() {
            self.write_at(slice.position(index as u64), std::slice::from_ref(byte))?;
        }
        Ok(())
    }
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

/// So many zeros.
///
/// # Errors
///
/// `out-of-memory`, where a vector of the standard library would end the program.
pub fn zeroed(len: u64) -> Result<Vec<u8>> {
    let len = to_usize(len)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| Error::OutOfMemory)?;
    bytes.resize(len, 0);
    Ok(bytes)
}

/// A length as an index into memory; one that no memory can hold is `out-of-memory`.
pub(crate) fn to_usize(len: u64) -> Result<usize> {
    usize::try_from(len).map_err(|_| Error::OutOfMemory)
}
