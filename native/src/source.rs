//! Open files that can be mapped.

use std::fs::File;

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

#[cfg(unix)]
mod descriptors {
    use std::fs::File;
    use std::os::fd::{BorrowedFd, OwnedFd};

    use wasi_mmap_core::{MapSource, Result};

    use crate::storage::OsStorage;

    impl MapSource<OsStorage> for OwnedFd {
        fn into_file(self) -> Result<File> {
            Ok(self.into())
        }
    }

    /// Duplicates the descriptor. Whatever has one can be mapped by its `as_fd()`.
    impl MapSource<OsStorage> for BorrowedFd<'_> {
        fn into_file(self) -> Result<File> {
            Ok(self.try_clone_to_owned()?.into())
        }
    }
}

#[cfg(windows)]
mod handles {
    use std::fs::File;
    use std::os::windows::io::{BorrowedHandle, OwnedHandle};

    use wasi_mmap_core::{MapSource, Result};

    use crate::storage::OsStorage;

    impl MapSource<OsStorage> for OwnedHandle {
        fn into_file(self) -> Result<File> {
            Ok(self.into())
        }
    }

    /// Duplicates the handle. Whatever has one can be mapped by its `as_handle()`.
    impl MapSource<OsStorage> for BorrowedHandle<'_> {
        fn into_file(self) -> Result<File> {
            Ok(self.try_clone_to_owned()?.into())
        }
    }
}
