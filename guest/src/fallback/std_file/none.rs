//! A system without files, or whose files can be read at an offset only by moving their position.

use std::fs::File;
use std::io;

use wasi_mmap_core::Rights;

use crate::fallback::file::FileId;

pub(super) fn rights(_: &File) -> io::Result<Rights> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn id(_: &File) -> io::Result<FileId> {
    Err(io::ErrorKind::Unsupported.into())
}
