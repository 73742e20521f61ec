//! The windows of a store that may reach past the end of their files.

use std::sync::{Arc, Mutex, PoisonError};

use wasi_mmap_native::Window;

/// The windows of a store that may reach past the end of their files, some of which may be detached already.
#[derive(Debug, Clone, Default)]
pub(crate) struct GrowingWindows(Arc<Mutex<Vec<Window>>>);

impl GrowingWindows {
    /// Adds a window, if it may reach past the end of its file.
    pub(super) fn add(&self, window: &Window) {
        if window.may_reach_beyond_end() {
            let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Detached windows do not.
            windows.retain(Window::may_reach_beyond_end);
            windows.push(window.clone());
        }
    }

    /// Shows the files where windows show zeros because a file ended before, if it has grown. To be called by host
    /// functions that the plugin has called, so that what it does next sees the present files.
    pub(crate) fn show_growth(&self) {
        if !Window::any_shows_zeros() {
            return;
        }
        for window in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            // A window that cannot be changed counts as lost, which `window.check` returns.
            let _ = window.show_growth();
        }
    }
}
