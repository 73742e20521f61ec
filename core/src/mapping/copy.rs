//! Copies within one mapping and between two, which carry no bytes to the caller.

use std::ops::RangeBounds;

use super::bounds::offset_and_length;
#[cfg(doc)]
use crate::Error;
use crate::{Internals, Mapping, Result, Storage};

/// Copies.
impl<S: Storage> Mapping<S> {
    /// Copies the bytes of `source` to `destination` in the same mapping. The two may overlap. C `memmove(3)`, Python
    /// `mmap.move`, Rust [`slice::copy_within`].
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::ReadOnly`]; [`Error::OutOfRange`] (`destination`, `source`, `count`);
    /// [`Error::Truncated`]; [`Error::NoSpace`].
    ///
    /// # Example
    ///
    /// ```
    /// let mut mapping = wasi_mmap::Mapping::anonymous(6)?;
    /// mapping.write(b"abcdef")?;
    /// mapping.copy_within(0..4, 2)?;
    /// assert_eq!(mapping.read_range(..)?, b"ababcd");
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    pub fn copy_within(&mut self, source: impl RangeBounds<u64>, destination: u64) -> Result<()> {
        let len = self.len()?;
        let (offset, count) = offset_and_length(&source)?;
        self.copy_within_at(destination, offset, count.unwrap_or(len.saturating_sub(offset)))
    }

    /// Copies the bytes of `range` in another mapping to `destination` in this one.
    ///
    /// # Errors
    ///
    /// Those of [`copy_within`](Self::copy_within), where either mapping may be closed.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::Mapping;
    ///
    /// let mut source = Mapping::anonymous(6)?;
    /// source.write(b"abcdef")?;
    /// let mut mapping = Mapping::anonymous(3)?;
    /// mapping.copy_from(&source, 2..4, 1)?;
    /// assert_eq!(mapping.read_range(..)?, b"\0cd");
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    pub fn copy_from(&mut self, source: &Self, range: impl RangeBounds<u64>, destination: u64) -> Result<()> {
        let (offset, count) = offset_and_length(&range)?;
        let count = match count {
            Some(count) => count,
            None => source.len()?.saturating_sub(offset),
        };
        self.copy_from_at(destination, source, offset, count)
    }
}
