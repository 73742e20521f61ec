//! Rights and identity of a descriptor of wasi-libc, which the standard library does not provide: `fcntl(2)`,
//! `fstat(2)`.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

use wasi_mmap_core::Rights;

/// Returns the rights of a descriptor: `fcntl(2)` with `F_GETFL`.
///
/// # Errors
///
/// Any error of `fcntl(2)`.
pub fn rights(fd: BorrowedFd<'_>) -> io::Result<Rights> {
    let flags = flags(fd)?;
    Ok(match flags & libc::O_ACCMODE {
        libc::O_RDONLY => Rights::READ,
        libc::O_WRONLY => Rights::WRITE,
        libc::O_RDWR => Rights::all(),
        _ => Rights::empty(),
    })
}

/// Returns the flags of a descriptor: `fcntl(2)` with `F_GETFL`.
///
/// # Errors
///
/// Any error of `fcntl(2)`.
pub fn flags(fd: BorrowedFd<'_>) -> io::Result<i32> {
    // SAFETY: the descriptor is open, and `F_GETFL` takes no further argument.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    if flags < 0 { Err(io::Error::last_os_error()) } else { Ok(flags) }
}

/// Sets the flags of a descriptor that can be set: `fcntl(2)` with `F_SETFL`.
///
/// # Errors
///
/// Any error of `fcntl(2)`.
pub fn set_flags(fd: BorrowedFd<'_>, flags: i32) -> io::Result<()> {
    // SAFETY: the descriptor is open, and `F_SETFL` takes an integer. After an error nothing has changed.
    if unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Returns the identity of a file, which is the same for all its descriptors: `st_dev` and `st_ino`. `None` on a system
/// that does not number its files.
///
/// # Errors
///
/// Any error of `fstat(2)`.
pub fn id(fd: BorrowedFd<'_>) -> io::Result<Option<(u64, u64)>> {
    let stat = stat(fd)?;
    Ok((stat.st_ino != 0).then_some((stat.st_dev, stat.st_ino)))
}

pub(crate) fn stat(fd: BorrowedFd<'_>) -> io::Result<libc::stat> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the descriptor is open, and the memory has the size of a `stat`. If the call fails, `stat` is not read.
    if unsafe { libc::fstat(fd.as_raw_fd(), stat.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so all of `stat` is written.
    Ok(unsafe { stat.assume_init() })
}
