//! Open files that can be mapped.

use std::fs::File;
#[cfg(unix)]
use std::os::fd::{BorrowedFd as Borrowed, OwnedFd as Owned};
#[cfg(windows)]
use std::os::windows::io::{BorrowedHandle as Borrowed, OwnedHandle as Owned};

use wasi_mmap_core::{MapSource, Result};

use crate::storage::OsStorage;

impl MapSource<OsStorage> for File {
    fn into_file(self) -> Result<File> {
        Ok(self)
    }
}

impl MapSource<OsStorage> for &File {
    fn into_file(self) -> Result<File> {
        Ok(self.try_clone()?)
    }
}

impl MapSource<OsStorage> for Owned {
    fn into_file(self) -> Result<File> {
        Ok(self.into())
    }
}

/// Duplicates the descriptor or handle. Every open file lends one, by `as_fd()` or `as_handle()`.
impl MapSource<OsStorage> for Borrowed<'_> {
    fn into_file(self) -> Result<File> {
        Ok(self.try_clone_to_owned()?.into())
    }
}
