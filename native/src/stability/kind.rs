//! The kinds of stability, and the error where there is none.

use std::fmt;

use wasi_mmap_core::Error;

/// The reason why bytes of a mapped file do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stability {
    /// The file is memory that is sealed against writing and shrinking: `memfd_create(2)`, `F_SEAL_WRITE` and
    /// `F_SEAL_SHRINK`.
    Sealed,
    /// The file has fs-verity: the kernel lets nobody write to it, and verifies what it reads.
    Verity,
    /// The file system cannot be written (SquashFS, EROFS, ISO 9660), or is mounted read-only everywhere. In the second
    /// case, the administrator of the machine must not remount it for writing meanwhile.
    ReadOnly,
    /// A read lease: whoever wants to write waits until the bytes are copied. `fcntl(2)`, `F_SETLEASE` with `F_RDLCK`.
    Lease,
    /// Somebody wanted to write, and the bytes are a copy from before. They are no longer the file's.
    Copied,
}

impl fmt::Display for Stability {
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

/// Returns the error for a file whose bytes cannot be kept stable, with the reason.
pub(crate) fn unstable(reason: &str) -> Error {
    Error::Unsupported(format!("keeping the file's bytes stable: {reason}").into())
}
