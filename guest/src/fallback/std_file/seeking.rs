//! Reads and writes at an offset that move the file's position.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// The file's position, if it is known.
#[derive(Debug, Default)]
pub(super) struct Position(Cell<Option<u64>>);

pub(super) fn read_at(file: &File, position: &Position, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    position.transfer_at(file, offset, |mut file| file.read(buffer))
}

pub(super) fn write_at(file: &File, position: &Position, offset: u64, bytes: &[u8]) -> io::Result<usize> {
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
        if self.0.take() != Some(offset) {
            file.seek(SeekFrom::Start(offset))?;
        }
        let count = transfer(file)?;
        self.0.set(Some(offset + count as u64));
        Ok(count)
    }
}
