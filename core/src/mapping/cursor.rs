//! Reading and writing at the cursor.

use std::io::SeekFrom;

use super::bounds::check_range;
use crate::storage::to_usize;
use crate::{Error, Internals, Mapping, Result, Storage};

const AT_THE_END: &str = "the cursor is at the end of the mapping";

/// At the cursor: each operation starts where the last one ended.
impl<S: Storage> Mapping<S> {
    /// Returns the position of the cursor. After a [`resize`](Self::resize) it may be past the end. Python `mmap.tell`.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    ///
    /// # Example
    ///
    /// ```
    /// let mut mapping = wasi_mmap::Mapping::anonymous(100)?;
    /// mapping.write(b"hello")?;
    /// assert_eq!(mapping.tell()?, 5);
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    pub fn tell(&self) -> Result<u64> {
        self.storage()?;
        Ok(self.position)
    }

    /// Moves the cursor and returns its new position, from 0 to the length. POSIX `lseek(2)`, Python `mmap.seek`.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::OutOfRange`] (`offset`). The cursor stays.
    ///
    /// # Example
    ///
    /// ```
    /// use std::io::SeekFrom;
    /// use wasi_mmap::{Error, Mapping};
    ///
    /// let mut mapping = Mapping::anonymous(100)?;
    /// assert_eq!(mapping.seek(SeekFrom::End(-10))?, 90);
    /// assert_eq!(mapping.seek(SeekFrom::Current(10))?, 100);
    /// assert!(matches!(mapping.seek(SeekFrom::Current(1)), Err(Error::OutOfRange(_))));
    /// assert_eq!(mapping.tell()?, 100);
    /// # Ok::<(), Error>(())
    /// ```
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

    /// Reads into `buffer`, moves the cursor past the bytes read, and returns their count: 0 at the end. POSIX
    /// `read(2)`.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::Truncated`].
    ///
    /// # Example
    ///
    /// ```
    /// let mut mapping = wasi_mmap::Mapping::anonymous(6)?;
    /// mapping.write_all_at(b"abcdef", 0)?;
    /// let mut buffer = [0; 4];
    /// assert_eq!(mapping.read(&mut buffer)?, 4);
    /// assert_eq!(mapping.read(&mut buffer)?, 2);
    /// assert_eq!(&buffer, b"efcd");
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
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
    /// [`Error::Closed`]; [`Error::Truncated`]; [`Error::LimitExceeded`]; [`Error::OutOfMemory`].
    ///
    /// # Example
    ///
    /// ```
    /// let mut mapping = wasi_mmap::Mapping::anonymous(6)?;
    /// mapping.write_all_at(b"abcdef", 0)?;
    /// assert_eq!(mapping.read_bytes(Some(2))?, b"ab");
    /// assert_eq!(mapping.read_bytes(None)?, b"cdef");
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    pub fn read_bytes(&mut self, count: Option<u64>) -> Result<Vec<u8>> {
        let range = self.next_range(count)?;
        let bytes = self.storage()?.read_vec(range.clone())?;
        self.advance(&range);
        Ok(bytes)
    }

    /// Reads the byte at the cursor and moves past it. Python `mmap.read_byte`.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::OutOfRange`] (`cursor`), at the end; [`Error::Truncated`].
    ///
    /// # Example
    ///
    /// ```
    /// let mut mapping = wasi_mmap::Mapping::anonymous(1)?;
    /// assert_eq!(mapping.read_byte()?, 0);
    /// assert!(mapping.read_byte().is_err());
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
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

    /// Reads to the end of the line, including its line feed, or to the end of the mapping. Returns an empty vector at
    /// the end. Python `mmap.readline`.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::Truncated`]; [`Error::LimitExceeded`]; [`Error::OutOfMemory`].
    ///
    /// # Example
    ///
    /// ```
    /// let mut mapping = wasi_mmap::Mapping::anonymous(7)?;
    /// mapping.write_all_at(b"one\ntwo", 0)?;
    /// assert_eq!(mapping.read_line()?, b"one\n");
    /// assert_eq!(mapping.read_line()?, b"two");
    /// assert_eq!(mapping.read_line()?, b"");
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    pub fn read_line(&mut self) -> Result<Vec<u8>> {
        let mut line = Vec::new();
        self.read_line_into(&mut line)?;
        Ok(line)
    }

    /// Appends the next line to `line`, as [`read_line`](Self::read_line) returns it, and returns its length: 0 at the
    /// end.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::Truncated`]; [`Error::OutOfMemory`]. `line` is unchanged then.
    ///
    /// # Example
    ///
    /// ```
    /// let mut mapping = wasi_mmap::Mapping::anonymous(7)?;
    /// mapping.write_all_at(b"one\ntwo", 0)?;
    /// let (mut line, mut lines) = (Vec::new(), 0);
    /// while mapping.read_line_into(&mut line)? > 0 {
    ///     lines += 1;
    ///     line.clear(); // one allocation serves all lines
    /// }
    /// assert_eq!(lines, 2);
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
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

    /// Writes all of `bytes` at the cursor and moves past them, or writes nothing. Returns their count. Python
    /// `mmap.write`.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::ReadOnly`]; [`Error::OutOfRange`] (`bytes`); [`Error::Truncated`];
    /// [`Error::NoSpace`].
    ///
    /// # Example
    ///
    /// ```
    /// let mut mapping = wasi_mmap::Mapping::anonymous(6)?;
    /// mapping.write(b"abcd")?;
    /// assert!(mapping.write(b"efg").is_err()); // the mapping does not grow
    /// mapping.write(b"ef")?;
    /// assert_eq!(mapping.read_range(..)?, b"abcdef");
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    pub fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.put(bytes, "bytes")?;
        Ok(bytes.len())
    }

    /// Writes one byte at the cursor and moves past it. Python `mmap.write_byte`.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::ReadOnly`]; [`Error::OutOfRange`] (`cursor`), at the end; [`Error::Truncated`];
    /// [`Error::NoSpace`].
    ///
    /// # Example
    ///
    /// ```
    /// let mut mapping = wasi_mmap::Mapping::anonymous(1)?;
    /// mapping.write_byte(7)?;
    /// assert_eq!(mapping.get(0)?, 7);
    /// assert!(mapping.write_byte(8).is_err());
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    pub fn write_byte(&mut self, byte: u8) -> Result<()> {
        self.put(&[byte], "cursor")
    }

    fn put(&mut self, bytes: &[u8], name: &'static str) -> Result<()> {
        let position = self.position;
        let storage = self.writable()?;
        let range = check_range(storage.len(), ("cursor", position), (name, bytes.len() as u64))?;
        storage.check_write(&range)?;
        storage.write_at(range.start, bytes)?;
        self.position = range.end;
        Ok(())
    }
}
