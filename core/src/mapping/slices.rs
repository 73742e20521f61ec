//! Python's slices.

#[cfg(doc)]
use crate::Error;
use crate::storage::zeroed;
use crate::{Internals, Mapping, Result, Slice, Storage};

/// Slices, with steps.
impl<S: Storage> Mapping<S> {
    /// Returns the bytes that a slice selects. Python `mmap[start:stop:step]`.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::Invalid`] (`step`); [`Error::Truncated`]; [`Error::LimitExceeded`];
    /// [`Error::OutOfMemory`].
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::{Mapping, Slice};
    ///
    /// let mut mapping = Mapping::anonymous(6)?;
    /// mapping.write(b"abcdef")?;
    /// assert_eq!(mapping.read_slice(Slice { step: -2, ..Slice::default() })?, b"fdb"); // mapping[::-2]
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    pub fn read_slice(&self, slice: Slice) -> Result<Vec<u8>> {
        let storage = self.storage()?;
        let strided = slice.resolve(storage.len())?;
        if let Some(range) = strided.contiguous() {
            return storage.read_vec(range);
        }
        let mut bytes = zeroed(strided.count)?;
        storage.read_strided(strided, &mut bytes)?;
        Ok(bytes)
    }

    /// Sets the bytes that a slice selects, of which there must be as many as there are `bytes`. Python
    /// `mmap[start:stop:step] = bytes`.
    ///
    /// # Errors
    ///
    /// In Python's order: [`Error::ReadOnly`]; [`Error::Invalid`] (`step`); [`Error::Closed`]; [`Error::Invalid`]
    /// (`bytes`); [`Error::Truncated`]; [`Error::NoSpace`].
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::{Mapping, Slice};
    ///
    /// let mut mapping = Mapping::anonymous(6)?;
    /// mapping.write_slice(Slice { step: 2, ..Slice::default() }, b"abc")?; // mapping[::2] = b"abc"
    /// assert_eq!(mapping.read_range(..)?, b"a\0b\0c\0");
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    pub fn write_slice(&mut self, slice: Slice, bytes: &[u8]) -> Result<()> {
        let strided = self.resolve_for_write(slice, bytes.len() as u64)?;
        let storage = self.storage_mut()?;
        match strided.contiguous() {
            Some(range) if range.is_empty() => Ok(()),
            Some(range) => storage.write_at(range.start, bytes),
            None => storage.write_strided(strided, bytes),
        }
    }
}
