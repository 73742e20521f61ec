//! The standard library's files, for the cache.

#[cfg(any(unix, all(target_os = "wasi", not(target_env = "p1"))))]
mod positional;
#[cfg(any(unix, target_os = "wasi"))]
mod posix;
#[cfg(all(target_os = "wasi", target_env = "p1"))]
mod seeking;
#[cfg(not(any(unix, target_os = "wasi")))]
mod unsupported;

#[cfg(any(unix, all(target_os = "wasi", not(target_env = "p1"))))]
use positional as offset_io;
#[cfg(any(unix, target_os = "wasi"))]
use posix as metadata;
#[cfg(all(target_os = "wasi", target_env = "p1"))]
use seeking as offset_io;
#[cfg(not(any(unix, target_os = "wasi")))]
use unsupported::{self as metadata, self as offset_io};

use std::io;

use wasi_mmap_core::{FileInfo, FileKind, Result};

use super::file::{File, FileId};

/// A [`std::fs::File`] that the cache reads and writes with `pread(2)` and `pwrite(2)`.
///
/// In a preview 1 module it seeks instead, and uses `read(2)` and `write(2)`, which engines implement with fewer
/// copies. No one else sees the position there: descriptors cannot be duplicated, and the cache owns this one.
#[derive(Debug)]
pub struct StdFile(std::fs::File, offset_io::Position);

impl From<std::fs::File> for StdFile {
    fn from(file: std::fs::File) -> Self {
        Self(file, offset_io::Position::new())
    }
}

impl File for StdFile {
    fn info(&self) -> Result<FileInfo> {
        let metadata = self.0.metadata()?;
        let kind = if metadata.is_file() {
            FileKind::Regular
        } else if metadata.is_dir() {
            FileKind::Directory
        } else {
            FileKind::Other
        };
        Ok(FileInfo { kind, len: metadata.len(), rights: metadata::rights(&self.0)?, grows: false })
    }

    fn id(&self) -> Result<FileId> {
        Ok(metadata::id(&self.0)?)
    }

    fn len(&self) -> Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        retry(|| offset_io::read_at(&self.0, &self.1, offset, buffer))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<usize> {
        retry(|| offset_io::write_at(&self.0, &self.1, offset, bytes))
    }

    fn set_len(&self, len: u64) -> Result<()> {
        Ok(self.0.set_len(len)?)
    }

    fn sync(&self) -> Result<()> {
        Ok(self.0.sync_data()?)
    }
}

/// Repeats a call that a signal interrupts.
fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return Ok(outcome?),
        }
    }
}
