//! Python's slices.

use crate::storage::zeroed;
use crate::{Error, Mapping, Result, Slice, Storage};

/// Slices, with steps.
impl<S: Storage> Mapping<S> {
    /// Refuses a write to a read-only mapping even when it is closed: an assignment checks in this order in Python.
    pub(super) fn check_writable(&self) -> Result<()> {
        if self.access.is_writable() { Ok(()) } else { Err(Error::ReadOnly) }
    }

    /// The bytes that a slice chooses. Python `mmap[start:stop:step]`.
    ///
    /// # Errors
    ///
    /// `closed`; `invalid` (`step`); `truncated`; `limit-exceeded`; `out-of-memory`.
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

    /// Sets the bytes that a slice chooses; there must be exactly as many. Python `mmap[start:stop:step] = bytes`.
    ///
    /// # Errors
    ///
    /// In Python's order: `read-only`; `invalid` (`step`); `closed`; `invalid` (`bytes`); `truncated`; `no-space`.
    pub fn write_slice(&mut self, slice: Slice, bytes: &[u8]) -> Result<()> {
        self.check_writable()?;
        slice.check()?;
        let storage = self.storage_mut()?;
        let strided = slice.resolve(storage.len())?;
        if strided.count != bytes.len() as u64 {
            let reason = format!("{} bytes for a slice of {}", bytes.len(), strided.count);
            return Err(Error::invalid("bytes", reason));
        }
        match strided.contiguous() {
            Some(range) if range.is_empty() => Ok(()),
            Some(range) => storage.write_at(range.start, bytes),
            None => storage.write_strided(strided, bytes),
        }
    }
}
