//! What the cache asks of a file.

use wasi_mmap_core::{FileInfo, Result};

/// Which file it is: the same for two descriptors of one file, as long as one of them is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId(pub u64, pub u64);

/// An open file that can be read and written at an offset. Its own position, if it has one, is neither used nor moved.
pub trait File {
    /// What kind of file it is, how long, and what the descriptor may do.
    fn info(&self) -> Result<FileInfo>;

    /// Which file it is. POSIX `st_dev` and `st_ino`, WASI `metadata-hash`.
    fn id(&self) -> Result<FileId>;

    /// How long the file is now.
    fn len(&self) -> Result<u64>;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads some bytes at `offset` and answers how many; 0 at the end of the file. POSIX `pread(2)`.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize>;

    /// Writes some of `bytes` at `offset` and answers how many. POSIX `pwrite(2)`.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<usize>;

    /// Makes the file longer, with zeros, or shorter. POSIX `ftruncate(2)`.
    fn set_len(&self, len: u64) -> Result<()>;

    /// Returns when all that was written is on the storage device. POSIX `fdatasync(2)`.
    fn sync(&self) -> Result<()>;
}

/// Reads until `buffer` is full or the file ends; answers how much was read.
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

/// Writes all of `bytes`, as POSIX `write(2)` may need several turns to.
pub(super) fn write_fully(file: &impl File, offset: u64, bytes: &[u8]) -> Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match file.write_at(offset + done as u64, &bytes[done..])? {
            0 => return Err(wasi_mmap_core::Error::NoSpace),
            count => done += count,
        }
    }
    Ok(())
}
