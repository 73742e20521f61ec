//! Slices of mapped files whose bytes nobody can change, without `unsafe`.

mod slice;

use std::ops::Range;

use wasi_mmap_core::{Error, Internals, Result, Storage};

use crate::storage::Mapping;
pub use slice::StableSlice;

/// Lends the bytes of a mapped file where nobody can change them: a safe `&[u8]`, without a copy.
///
/// The slice shows the file as it was when the slice was taken, for as long as it lives.
/// [`Stability`](crate::Stability) lists the possible guarantees. With a lease, a process that opens the file for
/// writing, or makes it shorter, waits until the slice's bytes are copied: some milliseconds for some megabytes, and on
/// Linux at most 45 seconds (`/proc/sys/fs/lease-break-time`). If it opens the file with `O_NONBLOCK`, the call fails
/// with `EWOULDBLOCK` until then. Renaming and removing the file do not wait.
///
/// ```
/// use wasi_mmap_native::{Access, Error, Mapping, Stable};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("greeting");
/// std::fs::write(&path, "hello, world\n")?;
/// let mapping = Mapping::open(&path)?;
/// match mapping.stable() {
///     Ok(greeting) => {
///         std::fs::write(&path, "good bye\n")?;
///         // These are the bytes from before, and always will be.
///         assert_eq!(std::str::from_utf8(&greeting), Ok("hello, world\n"));
///         greeting.check()?;
///     }
///     // Not every system and not every file system supports this. The reason says why.
///     Err(Error::Unsupported(reason)) => eprintln!("copying instead: {reason}"),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Assumptions
///
/// A `&[u8]` must not change. The kernel knows of every process that opens a file for writing. These cases are outside
/// its knowledge:
///
/// - writes that bypass the kernel: to the disk beneath the file system, or into this process with a debugger;
/// - a device, or `io_uring`, that still holds pages of the file from a time when somebody had it mapped for writing,
///   and writes to them after that mapping and its file are closed. Anybody who could write to the file before can do
///   this, so do not take slices of files of an adversary;
/// - a process that is stopped for longer than `lease-break-time`, or a machine that cannot copy the bytes in that
///   time. If the kernel takes the lease from a process that still depends on it, the process is ended with a message;
/// - `truncate(2)` through an overlay file system above the file, and an NFS server on this machine that sets its size;
/// - `fork(2)`: a child must not use slices of its parent.
///
/// Opening a file with `O_RDONLY` and `O_TRUNC`, which POSIX leaves undefined, cuts it to nothing without ending a
/// lease. Like a disk that fails, it leaves no bytes to show: the next access ends the process with a message.
///
/// Sources: [`fcntl(2)`](https://man7.org/linux/man-pages/man2/fcntl.2.html), "Leases";
/// [`memfd_create(2)`](https://man7.org/linux/man-pages/man2/memfd_create.2.html), "File sealing";
/// [fs-verity](https://docs.kernel.org/filesystems/fsverity.html).
pub trait Stable {
    /// Returns all bytes of the mapping.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::Truncated`] if the file is shorter than the mapping; [`Error::Unsupported`] if there
    /// is no guarantee that the bytes do not change, with the reason and a remedy: a process has the file open for
    /// writing, this process does not own it, it is on a network or on FUSE, the mapping is a copy or has no file, or
    /// the system is not Linux; [`Error::OutOfMemory`]; [`Error::Io`].
    fn stable(&self) -> Result<StableSlice>;

    /// Returns a part of the mapping's bytes.
    ///
    /// # Errors
    ///
    /// As [`stable`](Self::stable); [`Error::OutOfRange`] (`offset`, `length`).
    fn stable_range(&self, range: Range<u64>) -> Result<StableSlice>;
}

impl Stable for Mapping {
    fn stable(&self) -> Result<StableSlice> {
        self.stable_range(0..self.storage()?.len())
    }

    fn stable_range(&self, range: Range<u64>) -> Result<StableSlice> {
        if range.start > range.end {
            return Err(Error::out_of_range("length", "the range ends before it starts"));
        }
        let range = self.range(range.start, range.end - range.start)?;
        StableSlice::of(self.storage()?, range)
    }
}
