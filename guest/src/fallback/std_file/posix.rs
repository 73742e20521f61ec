//! Rights and identity of a file, which the standard library does not provide on every system: `fcntl(2)`, `fstat(2)`.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;

use wasi_mmap_core::Rights;

use crate::fallback::file::FileId;

/// Returns the rights of a descriptor: `fcntl(2)` with `F_GETFL`.
pub(super) fn rights(file: &File) -> io::Result<Rights> {
    // SAFETY: the descriptor is open, and `F_GETFL` takes no further argument.
    let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) };
    if flags < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(match flags & libc::O_ACCMODE {
        libc::O_RDONLY => Rights::READ,
        libc::O_WRONLY => Rights::WRITE,
        libc::O_RDWR => Rights::all(),
        _ => Rights::empty(),
    })
}

/// Returns the identity of a file: `fstat(2)`.
#[allow(clippy::unnecessary_cast, clippy::cast_lossless, reason = "the types differ between systems")]
pub(super) fn id(file: &File) -> io::Result<Option<FileId>> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the descriptor is open, and the memory has the size of a `stat`. If the call fails, `stat` is not read.
    if unsafe { libc::fstat(file.as_raw_fd(), stat.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so all of `stat` is written.
    let stat = unsafe { stat.assume_init() };
    Ok(Some(FileId(stat.st_dev as u64, stat.st_ino as u64)))
}
