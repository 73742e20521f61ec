//! Rights and identity of a file of wasi-libc.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use wasi_mmap_core::Rights;
use wasi_mmap_sys::fd;

use crate::fallback::file::FileId;

pub(super) fn rights(file: &File) -> io::Result<Rights> {
    fd::rights(file.as_fd())
}

pub(super) fn id(file: &File) -> io::Result<Option<FileId>> {
    Ok(fd::id(file.as_fd())?.map(|(device, inode)| FileId(device, inode)))
}
