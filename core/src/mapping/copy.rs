//! Copies within one mapping and between two, which carry no bytes to the caller.

use std::ops::RangeBounds;

use super::bounds::{check_range, offset_and_length};
#[cfg(doc)]
use crate::Error;
use crate::{Mapping, Result, Storage};

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
        self.do_copy_within(destination, offset, count.unwrap_or(len.saturating_sub(offset)))
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
        self.do_copy_from(destination, source, offset, count)
    }

    pub(super) fn do_copy_within(&mut self, destination: u64, source: u64, count: u64) -> Result<()> {
        let storage = self.writable()?;
        check_range(storage.len(), ("destination", destination), ("count", count))?;
        let range = check_range(storage.len(), ("source", source), ("count", count))?;
        storage.copy_within(range, destination)
    }

    pub(super) fn do_copy_from(&mut self, destination: u64, source: &Self, offset: u64, count: u64) -> Result<()> {
        let storage = self.writable()?;
        let from = source.storage()?;
        check_range(storage.len(), ("destination", destination), ("count", count))?;
        let range = check_range(from.len(), ("source", offset), ("count", count))?;
        storage.copy_from(destination, from, range)
    }
}
