//! The calls that the standard library does not have on every system: `fstat`, `fcntl`.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;

use wasi_mmap_core::Rights;

use crate::fallback::file::FileId;

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

#[allow(clippy::unnecessary_cast, clippy::cast_lossless, reason = "the types differ between systems")]
pub(super) fn id(file: &File) -> io::Result<FileId> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `fstat` writes a `stat` to the memory it is given, which is large enough, or fails.
    if unsafe { libc::fstat(file.as_raw_fd(), stat.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it has written all of `stat`.
    let stat = unsafe { stat.assume_init() };
    Ok(FileId(stat.st_dev as u64, stat.st_ino as u64))
}
