//! The flags of a flush.

use crate::{Error, Result};

bitflags::bitflags! {
    /// The flags of a flush: POSIX `msync(2)`, Python 3.15 `mmap.MS_*`. No flags mean [`SYNC`](Self::SYNC).
    ///
    /// The bits are this crate's own; each item names its constant and its number on Linux.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::{FlushFlags, Mapping};
    ///
    /// let mut mapping = Mapping::anonymous(100)?;
    /// mapping.write(b"hello")?;
    /// mapping.flush_range(..5, FlushFlags::ASYNC)?;
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct FlushFlags: u32 {
        /// Start the write and return. `MS_ASYNC`, 1.
        const ASYNC = 1;
        /// Invalidate other mappings of the file, so that they show the bytes written. `MS_INVALIDATE`, 2.
        const INVALIDATE = 2;
        /// Return when the bytes are on the storage device. `MS_SYNC`, 4.
        const SYNC = 4;
    }
}

impl FlushFlags {
    /// Returns the flags as `msync(2)` takes them, with exactly one of [`ASYNC`](Self::ASYNC) and [`SYNC`](Self::SYNC).
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] (`flags`), if both are set, or a bit without a name.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_core::FlushFlags;
    ///
    /// assert_eq!(FlushFlags::empty().resolve()?, FlushFlags::SYNC);
    /// assert_eq!(FlushFlags::ASYNC.resolve()?, FlushFlags::ASYNC);
    /// assert!((FlushFlags::ASYNC | FlushFlags::SYNC).resolve().is_err());
    /// # Ok::<(), wasi_mmap_core::Error>(())
    /// ```
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
