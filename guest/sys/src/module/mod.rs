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
    observer::tell_before_close(|| HeldFile(Kind::Lent(fd)));
    if held::stays_open(fd) {
        return 0;
    }
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
    // SAFETY: the C library's own call, passed on.
    unsafe { import_renumber(from, to) }
}

/// Closes a file that the program has closed before.
pub(crate) fn close(fd: Number) {
    // SAFETY: the program gave the descriptor up, and the last holder is gone.
    unsafe { import_close(fd) };
}

/// Returns the number of a descriptor.
pub(crate) fn number_of(fd: RawFd) -> io::Result<Number> {
    Ok(fd)
}

/// An open file of the plugin, which stays open as long as this exists, even if the program closes it.
#[derive(Debug)]
pub struct HeldFile(Kind);

#[derive(Debug)]
enum Kind {
    Held(Hold),
    /// A file of the program, for the time of a call.
    Lent(Number),
}

impl HeldFile {
    /// Holds the file behind a descriptor, as `dup(2)` would.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported), if the C library is not one that this crate knows.
    pub fn new(fd: BorrowedFd<'_>) -> io::Result<Self> {
        Ok(Self(Kind::Held(Hold::new(fd.as_raw_fd())?)))
    }

    fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is open as long as it is held.
        unsafe { BorrowedFd::borrow_raw(self.number()) }
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

    /// Returns a number that all descriptors of the file have in common at all times. `None` if the system has no such
    /// number.
    #[must_use]
    pub fn key(&self) -> Option<(u64, u64)> {
        fd::id(self.fd()).ok().flatten()
    }

    /// Returns whether this is the same file as another one. False if the system does not tell.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.number() == other.number() || self.key().is_some_and(|key| other.key() == Some(key))
    }

    fn number(&self) -> Number {
        match &self.0 {
            Kind::Held(hold) => hold.number(),
            Kind::Lent(number) => *number,
        }
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
        let fd = self.number();
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
        let _positional = Positional::new(self.fd())?;
        let fd = self.number();
        // SAFETY: the descriptor is open, and `bytes` has the length that is passed. After an error nothing changed.
        count(unobserved(|| unsafe { libc::pwrite(fd, bytes.as_ptr().cast(), bytes.len(), offset) }))
    }

    /// Extends the file with zeros, or truncates it.
    ///
    /// # Errors
    ///
    /// Any error of `ftruncate(2)`.
    pub fn set_len(&self, len: u64) -> Result<()> {
        let len = to_offset(len)?;
        // SAFETY: the descriptor is open. After an error the file is as it was.
        check(unobserved(|| unsafe { libc::ftruncate(self.number(), len) }))
    }

    /// Returns when all written bytes are on the storage device.
    ///
    /// # Errors
    ///
    /// Any error of `fdatasync(2)`.
    pub fn sync(&self) -> Result<()> {
        // SAFETY: the descriptor is open. The call changes no memory.
        check(unobserved(|| unsafe { libc::fdatasync(self.number()) }))
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

/// A descriptor for the time of a write at an offset. One that was opened with `O_APPEND` would write at the end of the
/// file: it does not have the flag meanwhile.
struct Positional<'a> {
    fd: BorrowedFd<'a>,
    /// The flags to restore.
    flags: Option<i32>,
}

impl<'a> Positional<'a> {
    /// # Errors
    ///
    /// Any error of `fcntl(2)`. Nothing has changed then.
    fn new(fd: BorrowedFd<'a>) -> io::Result<Self> {
        let flags = fd::flags(fd)?;
        if flags & libc::O_APPEND == 0 {
            return Ok(Self { fd, flags: None });
        }
        fd::set_flags(fd, flags & !libc::O_APPEND)?;
        Ok(Self { fd, flags: Some(flags) })
    }
}

impl Drop for Positional<'_> {
    fn drop(&mut self) {
        if let Some(flags) = self.flags {
            // The flags are those that the descriptor had.
            let _ = fd::set_flags(self.fd, flags);
        }
    }
}
