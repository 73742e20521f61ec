//! Files of a preview 1 module: descriptors, whose numbers are those of the system.

mod calls;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use wasi_mmap_core::{FileInfo, FileKind, Result};

use crate::fd;
use crate::held::{self, Hold, Number};
use crate::observer::{self, unobserved};

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    #[link_name = "fd_close"]
    fn import_close(fd: i32) -> i32;
    #[link_name = "fd_renumber"]
    fn import_renumber(from: i32, to: i32) -> i32;
}

/// The error `busy` of preview 1.
const BUSY: i32 = 10;

/// The C library's call for `close(2)`. If the file is held, it is made later, by [`close`].
#[unsafe(no_mangle)]
unsafe extern "C" fn __imported_wasi_snapshot_preview1_fd_close(fd: i32) -> i32 {
    if held::stays_open(fd) {
        return 0;
    }
    observer::forget(fd);
    // SAFETY: the C library's own call, passed on.
    unsafe { import_close(fd) }
}

/// The C library's call that gives a file the number of another one. Refused for a file that is held, whose number
/// would stand for another file then.
#[unsafe(no_mangle)]
unsafe extern "C" fn __imported_wasi_snapshot_preview1_fd_renumber(from: i32, to: i32) -> i32 {
    if held::is_held(from) || held::is_held(to) {
        return BUSY;
    }
    observer::forget(from);
    observer::forget(to);
    // SAFETY: the C library's own call, passed on.
    unsafe { import_renumber(from, to) }
}

/// Closes a file that the program has closed before.
pub(crate) fn close(fd: Number) {
    observer::forget(fd);
    // SAFETY: the program gave the descriptor up, and the last holder is gone.
    unsafe { import_close(fd) };
}

/// Returns the number of a descriptor.
pub(crate) fn number_of(fd: RawFd) -> io::Result<Number> {
    Ok(fd)
}

/// An open file of the plugin, which stays open as long as this exists, even if the program closes it.
#[derive(Debug)]
pub struct HeldFile(Hold);

impl HeldFile {
    /// Holds the file behind a descriptor, as `dup(2)` would.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported), if the C library is not one that this crate knows.
    pub fn new(fd: BorrowedFd<'_>) -> io::Result<Self> {
        Ok(Self(Hold::new(fd.as_raw_fd())?))
    }

    fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is open as long as it is held.
        unsafe { BorrowedFd::borrow_raw(self.0.number()) }
    }

    /// Returns the kind and the length of the file, and the rights of the descriptor.
    ///
    /// # Errors
    ///
    /// Any error of `fstat(2)` and `fcntl(2)`.
    pub fn info(&self) -> Result<FileInfo> {
        let stat = fd::stat(self.fd())?;
        let kind = match stat.st_mode & libc::S_IFMT {
            libc::S_IFREG => FileKind::Regular,
            libc::S_IFDIR => FileKind::Directory,
            libc::S_IFIFO => FileKind::Pipe,
            libc::S_IFCHR | libc::S_IFBLK => FileKind::Device,
            _ => FileKind::Other,
        };
        Ok(FileInfo { kind, len: len(&stat), rights: fd::rights(self.fd())?, grows: false })
    }

    /// Returns the identity of the file, which is the same for all its descriptors.
    ///
    /// # Errors
    ///
    /// Any error of `fstat(2)`.
    pub fn id(&self) -> Result<(u64, u64)> {
        Ok(fd::id(self.fd())?)
    }

    /// Returns the length of the file in bytes.
    ///
    /// # Errors
    ///
    /// Any error of `fstat(2)`.
    #[expect(clippy::len_without_is_empty, reason = "it is the length of the file, which a call asks for")]
    pub fn len(&self) -> Result<u64> {
        Ok(len(&fd::stat(self.fd())?))
    }

    /// Reads some bytes at an offset of the file, and returns their number: 0 at its end.
    ///
    /// # Errors
    ///
    /// Any error of `pread(2)`.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let offset = to_offset(offset)?;
        let fd = self.0.number();
        // SAFETY: the descriptor is open, and `buffer` has the length that is passed. After an error nothing changed.
        count(unobserved(|| unsafe { libc::pread(fd, buffer.as_mut_ptr().cast(), buffer.len(), offset) }))
    }

    /// Writes some bytes at an offset of the file, and returns their number.
    ///
    /// # Errors
    ///
    /// Any error of `pwrite(2)`.
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize> {
        let offset = to_offset(offset)?;
        // SAFETY: the descriptor is open, and `bytes` has the length that is passed. After an error nothing changed.
        count(unobserved(|| unsafe { libc::pwrite(self.0.number(), bytes.as_ptr().cast(), bytes.len(), offset) }))
    }

    /// Extends the file with zeros, or truncates it.
    ///
    /// # Errors
    ///
    /// Any error of `ftruncate(2)`.
    pub fn set_len(&self, len: u64) -> Result<()> {
        let len = to_offset(len)?;
        // SAFETY: the descriptor is open. After an error the file is as it was.
        check(unobserved(|| unsafe { libc::ftruncate(self.0.number(), len) }))
    }

    /// Returns when all written bytes are on the storage device.
    ///
    /// # Errors
    ///
    /// Any error of `fdatasync(2)`.
    pub fn sync(&self) -> Result<()> {
        // SAFETY: the descriptor is open. The call changes no memory.
        check(unobserved(|| unsafe { libc::fdatasync(self.0.number()) }))
    }
}

fn len(stat: &libc::stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

fn to_offset(offset: u64) -> Result<libc::off_t> {
    Ok(libc::off_t::try_from(offset).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?)
}

fn count(count: isize) -> Result<usize> {
    Ok(usize::try_from(count).map_err(|_| io::Error::last_os_error())?)
}

fn check(code: i32) -> Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error().into()) }
}
