//! Systems without files, or whose files can be read at an offset only by moving their position.

use std::fs::File;
use std::io;

use wasi_mmap_core::Rights;

use crate::fallback::file::FileId;

/// Nothing: the file's position is not used.
#[derive(Debug)]
pub(super) struct Position;

impl Position {
    pub(super) fn new() -> Self {
        Self
    }
}

pub(super) fn rights(_: &File) -> io::Result<Rights> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn id(_: &File) -> io::Result<Option<FileId>> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn read_at(_: &File, _: &Position, _: u64, _: &mut [u8]) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn write_at(_: &File, _: &Position, _: u64, _: &[u8]) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}
