//! The standard library's files, for the cache.

#[cfg(any(unix, component))]
mod positional;
#[cfg(unix)]
mod posix;
#[cfg(module)]
mod seeking;
#[cfg(not(any(unix, target_os = "wasi")))]
mod unsupported;
#[cfg(target_os = "wasi")]
mod wasi;

#[cfg(any(unix, component))]
use positional as offset_io;
#[cfg(unix)]
use posix as metadata;
#[cfg(module)]
use seeking as offset_io;
#[cfg(not(any(unix, target_os = "wasi")))]
use unsupported::{self as metadata, self as offset_io};
#[cfg(target_os = "wasi")]
use wasi as metadata;

use std::io;

use wasi_mmap_core::{FileInfo, FileKind, Result};
#[cfg(target_os = "wasi")]
use wasi_mmap_sys::{
    HeldFile,
    observer::{Watch, unobserved},
};

use super::file::{File, FileId};

/// A [`std::fs::File`] that the cache reads and writes with `pread(2)` and `pwrite(2)`.
///
/// In a preview 1 module it seeks instead, and uses `read(2)` and `write(2)`, which engines implement with fewer
/// copies. No one else sees the position there, because the cache owns the file.
#[derive(Debug)]
pub struct StdFile {
    kind: Kind,
    /// The plugin's ordinary I/O is observed as long as the file is mapped.
    #[cfg(target_os = "wasi")]
    _watch: Watch,
}

impl StdFile {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            #[cfg(target_os = "wasi")]
            _watch: Watch::new(),
        }
    }
}

#[derive(Debug)]
enum Kind {
    /// A file that no one else has.
    Owned(std::fs::File, offset_io::Position),
    /// A file that the program may have open, too.
    #[cfg(target_os = "wasi")]
    Held(HeldFile),
}

#[cfg(target_os = "wasi")]
impl StdFile {
    /// Returns whether this is a file that is held.
    pub(super) fn is_held(&self, held: &HeldFile) -> bool {
        match &self.kind {
            Kind::Held(file) => file.is_same(held),
            // In a component, files are held, unless the C library is unknown.
            Kind::Owned(..) if cfg!(component) => false,
            Kind::Owned(file, _) => {
                let id = metadata::id(file).ok().flatten();
                id.is_some() && id == held.key().map(|(device, inode)| FileId(device, inode))
            }
        }
    }
}

impl From<std::fs::File> for StdFile {
    fn from(file: std::fs::File) -> Self {
        // With the handle behind it, reads and writes need no C library between them and the system.
        #[cfg(component)]
        if let Ok(held) = HeldFile::new(std::os::fd::AsFd::as_fd(&file)) {
            return held.into();
        }
        Self::new(Kind::Owned(file, offset_io::Position::new()))
    }
}

#[cfg(target_os = "wasi")]
impl From<HeldFile> for StdFile {
    fn from(file: HeldFile) -> Self {
        Self::new(Kind::Held(file))
    }
}

impl File for StdFile {
    fn info(&self) -> Result<FileInfo> {
        match &self.kind {
            Kind::Owned(file, _) => {
                let metadata = file.metadata()?;
                let kind = if metadata.is_file() {
                    FileKind::Regular
                } else if metadata.is_dir() {
                    FileKind::Directory
                } else {
                    FileKind::Other
                };
                Ok(FileInfo { kind, len: metadata.len(), rights: metadata::rights(file)?, grows: false })
            }
            #[cfg(target_os = "wasi")]
            Kind::Held(file) => file.info(),
        }
    }

    fn id(&self) -> Result<Option<FileId>> {
        match &self.kind {
            Kind::Owned(file, _) => Ok(metadata::id(file)?),
            #[cfg(target_os = "wasi")]
            Kind::Held(file) => Ok(file.key().map(|(upper, lower)| FileId(upper, lower))),
        }
    }

    #[cfg(target_os = "wasi")]
    fn is_same(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (_, Kind::Held(file)) => self.is_held(file),
            (Kind::Held(file), _) => other.is_held(file),
            (Kind::Owned(..), Kind::Owned(..)) => {
                matches!((self.id(), other.id()), (Ok(Some(one)), Ok(Some(other))) if one == other)
            }
        }
    }

    fn len(&self) -> Result<u64> {
        match &self.kind {
            Kind::Owned(file, _) => Ok(file.metadata()?.len()),
            #[cfg(target_os = "wasi")]
            Kind::Held(file) => file.len(),
        }
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        match &self.kind {
            Kind::Owned(file, position) => retry(|| offset_io::read_at(file, position, offset, buffer)),
            #[cfg(target_os = "wasi")]
            Kind::Held(file) => file.read_at(buffer, offset),
        }
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<usize> {
        match &self.kind {
            Kind::Owned(file, position) => retry(|| offset_io::write_at(file, position, offset, bytes)),
            #[cfg(target_os = "wasi")]
            Kind::Held(file) => file.write_at(bytes, offset),
        }
    }

    fn set_len(&self, len: u64) -> Result<()> {
        match &self.kind {
            Kind::Owned(file, _) => Ok(unobserved(|| file.set_len(len))?),
            #[cfg(target_os = "wasi")]
            Kind::Held(file) => file.set_len(len),
        }
    }

    fn sync(&self) -> Result<()> {
        match &self.kind {
            Kind::Owned(file, _) => Ok(unobserved(|| file.sync_data())?),
            #[cfg(target_os = "wasi")]
            Kind::Held(file) => file.sync(),
        }
    }
}

/// Systems on which nobody observes a program's files.
#[cfg(not(target_os = "wasi"))]
fn unobserved<T>(operate: impl FnOnce() -> T) -> T {
    operate()
}

/// Repeats a call that a signal interrupts.
fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> Result<T> {
    loop {
        match unobserved(&mut call) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return Ok(outcome?),
        }
    }
}
