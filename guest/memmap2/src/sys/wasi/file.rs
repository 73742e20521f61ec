//! Files that stay open when the program closes them.

use std::fs::File;
use std::io::{Error, Result};
use std::mem::ManuallyDrop;
use std::os::fd::{BorrowedFd, FromRawFd};

use wasi_mmap_core::{FileKind, Rights};
use wasi_mmap_sys::HeldFile;
use wasi_mmap_sys::observer::{Watch, unobserved};

use crate::MmapRawDescriptor;
use crate::copies::Source;

/// A file of wasi-libc, and its identity.
pub(super) struct HeldSource {
    held: HeldFile,
    /// A number of the file, if the host has one: see `HeldFile::key`.
    key: Option<(u64, u64)>,
    /// While there is a copy.
    watch: Option<Watch>,
}

impl HeldSource {
    /// Holds a file.
    ///
    /// # Errors
    ///
    /// `EBADF`; `ENODEV` if it is not a regular file; `Unsupported` if the program's C library is not known; those of
    /// the host.
    pub(super) fn new(file: &MmapRawDescriptor<'_>) -> Result<Self> {
        if !borrow(file)?.metadata()?.is_file() {
            return Err(Error::from_raw_os_error(libc::ENODEV));
        }
        // SAFETY: the descriptor is open, since the call above asked for its metadata.
        let held = HeldFile::new(unsafe { BorrowedFd::borrow_raw(file.0) })?;
        let info = held.info().map_err(io_error)?;
        if info.kind != FileKind::Regular {
            return Err(Error::from_raw_os_error(libc::ENODEV));
        }
        let key = held.key();
        Ok(Self { held, key, watch: None })
    }

    /// Returns what the descriptor was opened for.
    pub(super) fn rights(&self) -> Result<Rights> {
        Ok(self.held.info().map_err(io_error)?.rights)
    }

    /// Makes the program's own reads and writes known to observers, as long as this exists.
    pub(super) fn watch(&mut self) {
        self.watch = Some(Watch::new());
    }

    /// Returns whether this is the same file as another one, whose number is `key`.
    pub(super) fn is(&self, file: &HeldFile, key: Option<(u64, u64)>) -> bool {
        let may_be = self.key.is_none() || key.is_none() || self.key == key;
        may_be && self.held.is_same(file)
    }

    /// Returns the file itself.
    #[cfg(not(target_env = "p1"))]
    pub(super) fn held(&self) -> &HeldFile {
        &self.held
    }
}

impl Source for HeldSource {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<usize> {
        unobserved(|| self.held.read_at(bytes, offset)).map_err(io_error)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize> {
        unobserved(|| self.held.write_at(bytes, offset)).map_err(io_error)
    }

    fn len(&self) -> Result<u64> {
        unobserved(|| self.held.len()).map_err(io_error)
    }

    fn sync(&self) -> Result<()> {
        unobserved(|| self.held.sync()).map_err(io_error)
    }

    fn is_same(&self, other: &Self) -> bool {
        self.is(&other.held, other.key)
    }
}

/// Returns a file for questions, which is not closed.
///
/// # Errors
///
/// `EBADF` for a negative descriptor.
fn borrow(file: &MmapRawDescriptor<'_>) -> Result<ManuallyDrop<File>> {
    if file.0 < 0 {
        return Err(Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: the `File` does not close the descriptor, and only asks about it. If it is not open, the system says so.
    Ok(ManuallyDrop::new(unsafe { File::from_raw_fd(file.0) }))
}

/// Returns the length of a file in bytes.
pub(crate) fn file_len(file: &MmapRawDescriptor<'_>) -> Result<u64> {
    Ok(borrow(file)?.metadata()?.len())
}

/// Returns an error as programs expect it of a mapping: `EACCES` for missing rights.
pub(super) fn io_error(error: wasi_mmap_core::Error) -> Error {
    match error {
        wasi_mmap_core::Error::NotPermitted(_) | wasi_mmap_core::Error::ReadOnly => {
            Error::from_raw_os_error(libc::EACCES)
        }
        error => error.into(),
    }
}
