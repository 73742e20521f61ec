//! Copies of the files that wasi-libc has opened.

use std::fs::File;
use std::io::{Error, Result};
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::os::fd::{BorrowedFd, FromRawFd, RawFd};
use std::sync::{Once, OnceLock};

use wasi_mmap_core::{FileKind, Rights};

use super::{Copies, Source};
use crate::HeldFile;
use crate::observer::{Observer, Watch, add_observer, unobserved};

/// The copies of this plugin: all libraries that map files have them in common.
static COPIES: Copies<HeldSource> = Copies::new();

/// Returns the copies of this plugin. From the first call on, they are the same as the files that the program itself
/// reads and writes, and what they have changed is written when the program ends.
pub fn plugin_copies() -> &'static Copies<HeldSource> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        add_observer(&CopiesObserver);
        // SAFETY: the function may be called at any time. If there is no room for it, leaked changes are lost.
        let _ = unsafe { libc::atexit(write_back_all) };
    });
    &COPIES
}

/// Writes the changes of mappings that the program leaks, when it ends.
extern "C" fn write_back_all() {
    COPIES.write_back_all();
}

/// Keeps copies the same as the files that the program itself reads and writes.
struct CopiesObserver;

impl Observer for CopiesObserver {
    fn before(&self, file: &HeldFile, range: &Range<u64>) {
        let key = file.key();
        COPIES.before_io(|source| source.is(file, key), range);
    }

    fn after_write(&self, file: &HeldFile, range: &Range<u64>) {
        let key = file.key();
        COPIES.after_write(|source| source.is(file, key), range);
    }
}

/// A file of wasi-libc that stays open when the program closes it, and its identity.
#[derive(Debug)]
pub struct HeldSource {
    held: HeldFile,
    /// A number of the file, if the host has one: see `HeldFile::key`.
    key: Option<(u64, u64)>,
    /// While there is a copy.
    watch: OnceLock<Watch>,
}

impl HeldSource {
    /// Holds the regular file behind a descriptor.
    ///
    /// # Errors
    ///
    /// `EBADF`; `ENODEV` if it is not a regular file; `Unsupported` if the program's C library is not known; those of
    /// the host.
    pub fn new(fd: RawFd) -> Result<Self> {
        if !borrow(fd)?.metadata()?.is_file() {
            return Err(Error::from_raw_os_error(libc::ENODEV));
        }
        // SAFETY: the descriptor is open, since the call above asked for its metadata.
        let held = HeldFile::new(unsafe { BorrowedFd::borrow_raw(fd) })?;
        let info = held.info().map_err(io_error)?;
        if info.kind != FileKind::Regular {
            return Err(Error::from_raw_os_error(libc::ENODEV));
        }
        let key = held.key();
        Ok(Self { held, key, watch: OnceLock::new() })
    }

    /// Returns what the descriptor was opened for.
    ///
    /// # Errors
    ///
    /// Those of the host.
    pub fn rights(&self) -> Result<Rights> {
        Ok(self.held.info().map_err(io_error)?.rights)
    }

    /// Makes the program's own reads and writes known to observers, as long as this exists.
    pub fn watch(&self) {
        self.watch.get_or_init(Watch::new);
    }

    /// Returns whether this is the same file as another one.
    #[must_use]
    pub fn is_file(&self, file: &HeldFile) -> bool {
        self.is(file, file.key())
    }

    /// Returns whether this is the same file as another one, whose number is `key`.
    fn is(&self, file: &HeldFile, key: Option<(u64, u64)>) -> bool {
        let may_be = self.key.is_none() || key.is_none() || self.key == key;
        may_be && self.held.is_same(file)
    }

    /// Returns the file itself.
    #[must_use]
    pub fn held(&self) -> &HeldFile {
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
fn borrow(fd: RawFd) -> Result<ManuallyDrop<File>> {
    if fd < 0 {
        return Err(Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: the `File` does not close the descriptor, and only asks about it. If it is not open, the system says so.
    Ok(ManuallyDrop::new(unsafe { File::from_raw_fd(fd) }))
}

/// Returns the length of a file in bytes.
///
/// # Errors
///
/// `EBADF`; any error of `fstat(2)`.
pub fn file_len(fd: RawFd) -> Result<u64> {
    Ok(borrow(fd)?.metadata()?.len())
}

/// Returns an error as programs expect it of a mapping: `EACCES` for missing rights.
#[must_use]
pub fn io_error(error: wasi_mmap_core::Error) -> Error {
    match error {
        wasi_mmap_core::Error::NotPermitted(_) | wasi_mmap_core::Error::ReadOnly => {
            Error::from_raw_os_error(libc::EACCES)
        }
        error => error.into(),
    }
}
