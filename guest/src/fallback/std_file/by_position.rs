//! Reads and writes that move the file's position.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Where the position is, if it is known.
#[derive(Debug, Default)]
pub(super) struct Position(Cell<Option<u64>>);

pub(super) fn read_at(file: &File, position: &Position, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    position.at(file, offset, |mut file| file.read(buffer))
}

pub(super) fn write_at(file: &File, position: &Position, offset: u64, bytes: &[u8]) -> io::Result<usize> {
    position.at(file, offset, |mut file| file.write(bytes))
}

impl Position {
    /// A position that is not known.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Does something with the position at `offset` that moves it as far as it answers.
    fn at(&self, mut file: &File, offset: u64, work: impl FnOnce(&File) -> io::Result<usize>) -> io::Result<usize> {
        if self.0.take() != Some(offset) {
            file.seek(SeekFrom::Start(offset))?;
        }
        let count = work(file)?;
        self.0.set(Some(offset + count as u64));
        Ok(count)
    }
}
