//! Reads and writes at an offset that move the file's position.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;

use wasi_mmap_sys::fd;

/// The file's position, if it is known.
#[derive(Debug, Default)]
pub(super) struct Position {
    position: Cell<Option<u64>>,
    /// The file is written at its position, and not at its end.
    is_positional: Cell<bool>,
}

pub(super) fn read_at(file: &File, position: &Position, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    position.transfer_at(file, offset, |mut file| file.read(buffer))
}

pub(super) fn write_at(file: &File, position: &Position, offset: u64, bytes: &[u8]) -> io::Result<usize> {
    if !position.is_positional.get() {
        // Nobody else has the descriptor, so that the flag need not be restored.
        fd::set_flags(file.as_fd(), fd::flags(file.as_fd())? & !libc::O_APPEND)?;
        position.is_positional.set(true);
    }
    position.transfer_at(file, offset, |mut file| file.write(bytes))
}

impl Position {
    /// Returns a position that is not known.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Calls `transfer` with the position at `offset`. It returns the number of bytes by which it moved the position.
    fn transfer_at(
        &self,
        mut file: &File,
        offset: u64,
        transfer: impl FnOnce(&File) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if self.position.take() != Some(offset) {
            file.seek(SeekFrom::Start(offset))?;
        }
        let count = transfer(file)?;
        self.position.set(Some(offset + count as u64));
        Ok(count)
    }
}
