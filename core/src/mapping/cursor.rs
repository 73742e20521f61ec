//! Reading and writing at the cursor.

use std::io::SeekFrom;
use std::ops::Range;

use crate::storage::to_usize;
use crate::{Error, Mapping, Result, Storage};

/// What a seek is relative to: POSIX `lseek(2)`, Python `os.SEEK_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Whence {
    /// The start of the mapping. `SEEK_SET`, 0.
    Start,
    /// The cursor. `SEEK_CUR`, 1.
    Current,
    /// The end of the mapping. `SEEK_END`, 2.
    End,
}

const AT_THE_END: &str = "the cursor is at the end of the mapping";

/// At the cursor: each operation starts where the last one ended.
impl<S: Storage> Mapping<S> {
    /// Where the cursor is. After a [`resize`](Self::resize) it may be past the end. Python `mmap.tell`.
    ///
    /// # Errors
    ///
    /// `closed`.
    pub fn tell(&self) -> Result<u64> {
        self.storage()?;
        Ok(self.position)
    }

    /// Moves the cursor and answers where it is then, from 0 to the length. POSIX `lseek(2)`, Python `mmap.seek`.
    ///
    /// # Errors
    ///
    /// `closed`; `out-of-range` (`offset`), and the cursor stays.
    pub fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let len = self.len()?;
        let target = match to {
            SeekFrom::Start(offset) => i128::from(offset),
            SeekFrom::Current(offset) => i128::from(self.position) + i128::from(offset),
            SeekFrom::End(offset) => i128::from(len) + i128::from(offset),
        };
        match u64::try_from(target) {
            Ok(target) if target <= len => {
                self.position = target;
                Ok(target)
            }
            _ => Err(Error::out_of_range("offset", format!("{target} is not within 0 to {len}"))),
        }
    }

    /// As [`seek`](Self::seek), for an offset of either sign: POSIX `lseek(2)` with `SEEK_SET`, `SEEK_CUR`, `SEEK_END`.
    ///
    /// # Errors
    ///
    /// As [`seek`](Self::seek).
    pub fn seek_to(&mut self, offset: i64, whence: Whence) -> Result<u64> {
        self.storage()?;
        self.seek(match whence {
            Whence::Start => match u64::try_from(offset) {
                Ok(offset) => SeekFrom::Start(offset),
                Err(_) => {
                    return Err(Error::out_of_range("offset", format!("{offset} is before the start of the mapping")));
                }
            },
            Whence::Current => SeekFrom::Current(offset),
            Whence::End => SeekFrom::End(offset),
        })
    }

    /// The range that a read of up to `count` bytes (`None`: all) covers: empty at the end and past it.
    ///
    /// # Errors
    ///
    /// `closed`.
    #[inline]
    pub fn next_range(&self, count: Option<u64>) -> Result<Range<u64>> {
        let len = self.len()?;
        let start = self.position.min(len);
        let end = count.map_or(len, |count| start.saturating_add(count).min(len));
        Ok(start..end)
    }

    /// The range that the next line covers: to the next line feed, which is part of it, or to the end. No more than `most` bytes
    /// are searched and one: of a longer line, the answer is so much, and no more.
    ///
    /// # Errors
    ///
    /// `closed`; `truncated`.
    pub fn next_line_within(&self, most: u64) -> Result<Range<u64>> {
        let rest = self.next_range(Some(most.saturating_add(1)))?;
        if rest.is_empty() {
            return Ok(rest);
        }
        let end = self.storage()?.find(b"\n", rest.clone())?.map_or(rest.end, |at| at + 1);
        Ok(rest.start..end)
    }

    /// Moves the cursor past a range that [`next_range`](Self::next_range) or [`next_line_within`](Self::next_line_within)
    /// answered.
    /// An empty range leaves it where it is.
    #[inline]
    pub fn advance(&mut self, range: &Range<u64>) {
        if !range.is_empty() {
            self.position = range.end;
        }
    }

    /// Reads into `buffer` and moves the cursor past what was read; answers how much: 0 at the end. POSIX `read(2)`.
    ///
    /// # Errors
    ///
    /// `closed`; `truncated`.
    #[inline]
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let range = self.next_range(Some(buffer.len() as u64))?;
        let count = to_usize(range.end - range.start)?;
        self.storage()?.read_at(range.start, &mut buffer[..count])?;
        self.advance(&range);
        Ok(count)
    }

    /// Reads up to `count` bytes (`None`: all to the end) and moves the cursor past them. Python `mmap.read`.
    ///
    /// # Errors
    ///
    /// `closed`; `truncated`; `limit-exceeded`; `out-of-memory`.
    pub fn read_bytes(&mut self, count: Option<u64>) -> Result<Vec<u8>> {
        let range = self.next_range(count)?;
        self.take(range)
    }

    /// Reads the byte at the cursor and moves past it. Python `mmap.read_byte`.
    ///
    /// # Errors
    ///
    /// `closed`; `out-of-range` (`cursor`); `truncated`.
    #[inline]
    pub fn read_byte(&mut self) -> Result<u8> {
        let range = self.next_range(Some(1))?;
        if range.is_empty() {
            return Err(Error::out_of_range("cursor", AT_THE_END));
        }
        let mut byte = [0];
        self.storage()?.read_at(range.start, &mut byte)?;
        self.advance(&range);
        Ok(byte[0])
    }

    /// Reads to the next line feed, which is part of the answer, or to the end; empty at the end. Python `mmap.readline`.
    ///
    /// # Errors
    ///
    /// `closed`; `truncated`; `limit-exceeded`; `out-of-memory`.
    pub fn read_line(&mut self) -> Result<Vec<u8>> {
        let mut line = Vec::new();
        self.read_line_into(&mut line)?;
        Ok(line)
    }

    /// As [`read_line`](Self::read_line), but appends the line to `line` and answers its length: 0 at the end.
    ///
    /// # Errors
    ///
    /// `closed`; `truncated`; `out-of-memory`. After an error `line` is as it was.
    #[inline]
    pub fn read_line_into(&mut self, line: &mut Vec<u8>) -> Result<usize> {
        let rest = self.next_range(None)?;
        let old = line.len();
        if let Err(error) = self.storage()?.read_line(rest.clone(), line) {
            line.truncate(old);
            return Err(error);
        }
        let count = line.len() - old;
        self.advance(&(rest.start..rest.start + count as u64));
        Ok(count)
    }

    /// Writes all of `bytes` at the cursor and moves it past them, or writes nothing. Python `mmap.write`.
    ///
    /// # Errors
    ///
    /// `closed`; `read-only`; `out-of-range` (`bytes`); `truncated`; `no-space`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.put(bytes, "bytes")?;
        Ok(bytes.len())
    }

    /// Writes one byte at the cursor and moves past it. Python `mmap.write_byte`.
    ///
    /// # Errors
    ///
    /// `closed`; `read-only`; `out-of-range` (`cursor`); `truncated`; `no-space`.
    pub fn write_byte(&mut self, byte: u8) -> Result<()> {
        self.put(&[byte], "cursor")
    }

    fn put(&mut self, bytes: &[u8], name: &'static str) -> Result<()> {
        let position = self.position;
        let storage = self.writable()?;
        let range = super::check_range(storage.len(), ("cursor", position), (name, bytes.len() as u64))?;
        storage.write_at(range.start, bytes)?;
        self.position = range.end;
        Ok(())
    }

    fn take(&mut self, range: Range<u64>) -> Result<Vec<u8>> {
        let bytes = self.storage()?.read_vec(range.clone())?;
        self.advance(&range);
        Ok(bytes)
    }
}
