//! No windows, on Windows.

use std::ops::Range;

use wasi_mmap_core::{Error, Result};

use super::plan::WindowPlan;
use crate::storage::OsStorage;
use crate::window::Window;

impl OsStorage {
    /// Returns an error: Windows has no windows.
    ///
    /// # Safety
    ///
    /// None is needed here. On other systems, the memory belongs to the caller.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`].
    pub unsafe fn attach_window(&mut self, _range: Range<u64>, _address: usize, _to_write: bool) -> Result<Window> {
        Err(Error::Unsupported("a window on this system".into()))
    }

    /// Returns an error: Windows has no windows.
    ///
    /// # Safety
    ///
    /// As [`attach_window`](Self::attach_window).
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`].
    pub unsafe fn attach_stable_window(
        &mut self,
        _: WindowPlan,
        _range: Range<u64>,
        _address: usize,
    ) -> Result<Window> {
        Err(Error::Unsupported("a window on this system".into()))
    }

    /// Sets whether writes to a window reach the mapping. On Windows there is none.
    ///
    /// # Safety
    ///
    /// As [`attach_window`](Self::attach_window).
    ///
    /// # Errors
    ///
    /// None.
    pub unsafe fn set_window_mode(&mut self, window: &Window, _to_write: bool) -> Result<()> {
        match *window {}
    }

    /// Detaches a window. On Windows there is none.
    ///
    /// # Safety
    ///
    /// As [`attach_window`](Self::attach_window).
    ///
    /// # Errors
    ///
    /// None.
    pub unsafe fn detach_window(&mut self, window: &Window) -> Result<()> {
        match *window {}
    }
}
