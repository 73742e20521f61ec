//! Bytes of mapped files that nobody can change: as slices, without `unsafe`.

mod slice;
pub(crate) mod window;

use std::fmt;
use std::ops::Range;

use wasi_mmap_core::{Error, Internals, Result, Storage};

use crate::Mapping;
pub use slice::StableSlice;
pub use window::WindowPlan;

/// What holds the bytes of a file still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Held {
    /// The file is memory that is sealed against writing and shrinking: `memfd_create(2)`, `F_SEAL_WRITE` and `F_SEAL_SHRINK`.
    Sealed,
    /// The file has fs-verity: the kernel lets nobody write to it, and checks what it reads.
    Verity,
    /// The file system cannot be written (SquashFS, EROFS, ISO 9660), or is mounted to be read only, everywhere. In the second case,
    /// who administers the machine must not mount it to be written meanwhile.
    ReadOnly,
    /// A read lease: who wants to write waits until the bytes are copied. `fcntl(2)`, `F_SETLEASE` with `F_RDLCK`.
    Lease,
    /// Somebody wanted to write: the bytes are a copy, as they were before. They are no longer the file's.
    Copied,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sealed => "sealed",
            Self::Verity => "verity",
            Self::ReadOnly => "read-only",
            Self::Lease => "lease",
            Self::Copied => "copied",
        })
    }
}

/// Lends the bytes of a mapped file where nobody can change them: a safe `&[u8]`, without a copy.
///
/// The slice shows the file as it was when the slice was taken, however long it lives: see [`Held`] for how. With a lease, who opens
/// the file for writing, or makes it shorter, waits until the slice's bytes are copied: some milliseconds for some megabytes, and
/// on Linux 45 seconds at most (`/proc/sys/fs/lease-break-time`). Who opens it with `O_NONBLOCK` is answered `EWOULDBLOCK` until then.
/// To rename or remove the file takes no waiting.
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
///         // Those are the bytes from before, and always will be.
///         assert_eq!(std::str::from_utf8(&greeting), Ok("hello, world\n"));
///         greeting.check()?;
///     }
///     // Not on every system, and not on every file system: the reason says why.
///     Err(Error::Unsupported(reason)) => eprintln!("copying instead: {reason}"),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What it rests on
///
/// A `&[u8]` must not change, and the kernel knows of all that open a file to write to it. It does not know of these:
///
/// - who writes past the kernel: to the disk beneath the file system, or into this process with a debugger;
/// - a device, or `io_uring`, that still has pages of the file from when somebody had it mapped for writing, and writes to them after
///   that mapping and its file are closed. Who could write to the file before can do so; take no slice of files of enemies.
/// - a process that is stopped for longer than `lease-break-time`, or a machine that cannot copy in that time. When the lease is taken
///   from a process that holds bytes by it, the process is ended, with a message;
/// - `fork(2)`: a child must not use slices of its parent.
///
/// A disk that fails is no change: what cannot be read is zeros, and [`check`](StableSlice::check) says so.
///
/// Sources: [`fcntl(2)`](https://man7.org/linux/man-pages/man2/fcntl.2.html), "Leases";
/// [`memfd_create(2)`](https://man7.org/linux/man-pages/man2/memfd_create.2.html), "File sealing";
/// [fs-verity](https://docs.kernel.org/filesystems/fsverity.html).
pub trait Stable {
    /// All bytes of the mapping.
    ///
    /// # Errors
    ///
    /// `closed`; `truncated`, if the file is shorter than the mapping; `unsupported`, if the bytes cannot be held still, with the reason
    /// and what to do: somebody has the file open for writing, this process does not own it, it is on a network or by FUSE, the
    /// mapping is a copy or has no file, or this is not Linux; `out-of-memory`; `io`.
    fn stable(&self) -> Result<StableSlice>;

    /// A part of the mapping's bytes.
    ///
    /// # Errors
    ///
    /// As [`stable`](Self::stable); `out-of-range` (`offset`, `length`).
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
