//! A system whose files cannot be read at an offset without moving their position.

use std::fs::File;
use std::io;

/// Nothing: the position stays where it is.
#[derive(Debug)]
pub(super) struct Position;

impl Position {
    pub(super) fn new() -> Self {
        Self
    }
}

pub(super) fn read_at(_: &File, _: &Position, _: u64, _: &mut [u8]) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn write_at(_: &File, _: &Position, _: u64, _: &[u8]) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}
