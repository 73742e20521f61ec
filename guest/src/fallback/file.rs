//! Files as the cache needs them: I/O by offset, length and identity.

use wasi_mmap_core::{Error, FileInfo, Result};

/// The identity of a file. It is the same for two descriptors of one file at all times, as long as one of them is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId(pub u64, pub u64);

/// An open file that can be read and written at an offset. Its own position, if it has one, is neither used nor moved.
pub trait File {
    /// Returns the kind and length of the file, and the rights of the descriptor.
    fn info(&self) -> Result<FileInfo>;

    /// Returns the identity of the file: POSIX `st_dev` and `st_ino`. `None` if the system does not tell, or none that
    /// stays the same.
    fn id(&self) -> Result<Option<FileId>>;

    /// Returns whether this is the same file as another one. False if the system does not tell: mappings of the two then
    /// do not see each other's changes before these are written.
    fn is_same(&self, other: &Self) -> bool {
        matches!((self.id(), other.id()), (Ok(Some(one)), Ok(Some(other))) if one == other)
    }

    /// Returns the current length in bytes.
    fn len(&self) -> Result<u64>;

    /// Returns true if the file has no bytes.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads some bytes at `offset` and returns their number, 0 at the end of the file. POSIX `pread(2)`.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize>;

    /// Writes some of `bytes` at `offset` and returns their number. POSIX `pwrite(2)`.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<usize>;

    /// Extends the file with zeros, or truncates it. POSIX `ftruncate(2)`.
    fn set_len(&self, len: u64) -> Result<()>;

    /// Returns when all written bytes are on the storage device. POSIX `fdatasync(2)`.
    fn sync(&self) -> Result<()>;
}

/// Reads until `buffer` is full or the file ends. Returns the number of bytes read.
pub(super) fn read_fully(file: &impl File, offset: u64, buffer: &mut [u8]) -> Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(offset + done as u64, &mut buffer[done..])? {
            0 => break,
            count => done += count,
        }
    }
    Ok(done)
}

/// Writes all of `bytes`, which may take several calls.
pub(super) fn write_fully(file: &impl File, offset: u64, bytes: &[u8]) -> Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match file.write_at(offset + done as u64, &bytes[done..])? {
            0 => return Err(Error::NoSpace),
            count => done += count,
        }
    }
    Ok(())
}
