//! How a flush writes back.

use crate::{Error, Result};

bitflags::bitflags! {
    /// How a flush writes back: POSIX `msync(2)`, Python 3.15 `mmap.MS_*`. Empty means [`FlushFlags::SYNC`].
    ///
    /// The bits are this crate's own; the numbers of Linux are listed beside each.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct FlushFlags: u32 {
        /// Start the write and return. `MS_ASYNC`, 1.
        const ASYNC = 1;
        /// Make other mappings of the file see it anew. `MS_INVALIDATE`, 2.
        const INVALIDATE = 2;
        /// Return when the bytes are on the storage device. `MS_SYNC`, 4.
        const SYNC = 4;
    }
}

impl FlushFlags {
    /// The flags as `msync(2)` wants them: exactly one of `ASYNC` and `SYNC`.
    ///
    /// # Errors
    ///
    /// `invalid` (`flags`) when both are set, or a bit that has no name.
    pub fn resolve(self) -> Result<Self> {
        if self.contains(Self::ASYNC | Self::SYNC) {
            return Err(Error::invalid("flags", "asynchronous and synchronous exclude each other"));
        }
        if !Self::all().contains(self) {
            return Err(Error::invalid("flags", "unknown flag"));
        }
        if self.contains(Self::ASYNC) { Ok(self) } else { Ok(self | Self::SYNC) }
    }
}
