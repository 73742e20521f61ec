//! Reads and writes at an offset that leave the file's position alone: `pread(2)`, `pwrite(2)`.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Nothing: the file's position is not used.
#[derive(Debug)]
pub(super) struct Position;

impl Position {
    pub(super) fn new() -> Self {
        Self
    }
}

pub(super) fn read_at(file: &File, _: &Position, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let offset = to_offset(offset)?;
    // SAFETY: the descriptor is open, and `buffer` has the length that is passed. After an error nothing has changed.
    count(unsafe { libc::pread(file.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), offset) })
}

pub(super) fn write_at(file: &File, _: &Position, offset: u64, bytes: &[u8]) -> io::Result<usize> {
    let offset = to_offset(offset)?;
    // SAFETY: the descriptor is open, and `bytes` has the length that is passed. After an error nothing has changed.
    count(unsafe { libc::pwrite(file.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), offset) })
}

fn to_offset(offset: u64) -> io::Result<libc::off_t> {
    libc::off_t::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

fn count(count: isize) -> io::Result<usize> {
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}
