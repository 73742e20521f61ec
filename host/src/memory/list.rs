//! The windows in a plugin's memory.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wasi_mmap_core::{Error, Result};
use wasi_mmap_native::Window;

use super::window::HostWindow;

/// The windows in a plugin's memory, by their addresses.
#[derive(Debug, Default)]
pub(super) struct WindowList {
    windows: Mutex<BTreeMap<usize, Window>>,
    /// The windows that could not be detached when their handles were dropped, with their mappings.
    kept: Mutex<Vec<HostWindow>>,
}

impl WindowList {
    /// Checks that no window is in a range of addresses.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`].
    pub(super) fn check_free(&self, addresses: &Range<usize>) -> Result<()> {
        // None overlaps another, so the last one that starts before the end is the last one that can reach into the
        // range.
        let windows = self.windows();
        match windows.range(..addresses.end).next_back() {
            Some((_, last)) if last.addresses().end > addresses.start => Err(Error::Busy),
            _ => Ok(()),
        }
    }

    /// Adds a window, so that it is abandoned when the memory is dropped.
    pub(super) fn add(&self, window: Window) {
        self.windows().insert(window.addresses().start, window);
    }

    /// Removes a window that is detached.
    pub(super) fn remove(&self, window: &Window) {
        self.windows().remove(&window.addresses().start);
    }

    /// Keeps a window without a handle until the memory is dropped.
    pub(super) fn keep(&self, window: HostWindow) {
        self.kept().push(window);
    }

    /// Returns whether there are windows.
    pub(super) fn is_empty(&self) -> bool {
        self.windows().is_empty()
    }

    /// Removes all windows. Their mappings do not touch the memory any more.
    pub(super) fn abandon_all(&self) {
        for window in std::mem::take(&mut *self.windows()).into_values() {
            window.abandon();
        }
        self.drop_kept();
    }

    /// Drops the windows without handles.
    pub(super) fn drop_kept(&self) {
        // Not while the list is locked: a window can be removed from it.
        let kept = std::mem::take(&mut *self.kept());
        drop(kept);
    }

    fn windows(&self) -> MutexGuard<'_, BTreeMap<usize, Window>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self) -> MutexGuard<'_, Vec<HostWindow>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
