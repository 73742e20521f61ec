//! Windows: the file's own pages in the plugin's memory.

mod reads;
mod region;

use std::sync::OnceLock;

use wasi_mmap_core::{Error, Result};

use crate::bindings::wasi_mmap::mmap::mapping::Mapping;
use crate::bindings::wasi_mmap::mmap::types::WindowMode;
use crate::bindings::wasi_mmap::mmap::window::{self as interface, Window as Handle};

pub use region::Region;

/// Returns the number of bytes of which a window's address and offset are multiples, or `None` if the host has no
/// windows.
pub fn alignment() -> Option<u64> {
    static ALIGNMENT: OnceLock<Option<u64>> = OnceLock::new();
    *ALIGNMENT.get_or_init(|| interface::granularity().ok())
}

/// Returns true if windows of a mapping for reading always show what a read of the mapping returns.
///
/// # Errors
///
/// Those of `window.is-live`.
pub fn is_live(mapping: &Mapping) -> Result<bool> {
    Ok(interface::is_live(mapping)?)
}

/// A window, and the memory that it lies in. Dropping it detaches it.
///
/// It does not own its mapping: the host keeps it open as long as the window is attached.
#[derive(Debug)]
pub struct Window {
    handle: Handle,
    /// `None` once it is detached.
    region: Option<Region>,
}

impl Window {
    /// Places `length` bytes of a mapping, from `offset` on, over the start of a region. The previous contents are
    /// lost.
    ///
    /// # Errors
    ///
    /// Those of `window.attach`, with the region, whose memory is as before.
    pub fn attach(
        mapping: &Mapping,
        region: Region,
        offset: u64,
        length: u64,
        mode: WindowMode,
    ) -> std::result::Result<Self, (Region, Error)> {
        // The host checks that the window lies in the plugin's memory, which is longer than the region.
        if usize::try_from(length).is_ok_and(|length| length <= region.len()) {
            match Handle::attach(mapping, region.anchor(), region.end(), offset, length, mode) {
                Ok(handle) => Ok(Self { handle, region: Some(region) }),
                Err(error) => Err((region, error.into())),
            }
        } else {
            let reason = format!("{length} bytes do not fit into a region of {}", region.len());
            Err((region, Error::out_of_range("length", reason)))
        }
    }

    /// Returns the address of the window.
    ///
    /// # Panics
    ///
    /// After [`detach`](Self::detach).
    #[must_use]
    pub fn as_ptr(&self) -> *mut u8 {
        self.region().as_ptr()
    }

    /// Returns the memory of the window.
    ///
    /// # Panics
    ///
    /// After [`detach`](Self::detach).
    #[must_use]
    pub fn region(&self) -> &Region {
        self.region.as_ref().expect("the window is attached")
    }

    /// Checks that all bytes read from the window were those of the file.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`]; [`Error::NoSpace`]; [`Error::Closed`], after [`detach`](Self::detach).
    pub fn check(&self) -> Result<()> {
        Ok(self.handle.check()?)
    }

    /// Writes the changes in a part of the window to the file, and returns when they are on the storage device.
    ///
    /// # Errors
    ///
    /// Those of `window.flush`.
    pub fn flush(&self, offset: u64, length: Option<u64>) -> Result<()> {
        Ok(self.handle.flush(offset, length)?)
    }

    /// Changes the mode of the window in place. Bytes that were stored to it while it was for reading are lost.
    ///
    /// # Errors
    ///
    /// Those of `window.set-mode`. The window is as before then.
    pub fn set_mode(&mut self, mode: WindowMode) -> Result<()> {
        Ok(self.handle.set_mode(mode)?)
    }

    /// Removes the window from its memory, which is zero then, and returns this memory; `None` if that was done before.
    ///
    /// # Errors
    ///
    /// Those of `window.detach`. The window is as before then.
    pub fn detach(&mut self) -> Result<Option<Region>> {
        if self.region.is_some() {
            self.handle.detach()?;
        }
        Ok(self.region.take())
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // `detach` reports errors.
        if let Ok(Some(region)) = self.detach() {
            region.put_back();
        }
        // Otherwise the memory is never used again: the file's pages may still be there.
        std::mem::forget(self.region.take());
    }
}
