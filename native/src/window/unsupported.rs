//! No windows, on Windows: the system only maps where nothing else is mapped.

use std::ops::Range;

use wasi_mmap_core::Result;

use crate::stability::Stability;

/// A part of a mapping placed in other memory. On Windows there is none.
#[derive(Debug, Clone)]
pub enum Window {}

impl Window {
    /// Returns the part of the mapping, in bytes.
    pub fn range(&self) -> Range<u64> {
        match *self {}
    }

    /// Returns the addresses of the window: whole pages.
    pub fn addresses(&self) -> Range<usize> {
        match *self {}
    }

    /// Checks that all bytes read from the window until now were the file's.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`](wasi_mmap_core::Error::Closed) if the window is no longer attached.
    pub fn check(&self) -> Result<()> {
        match *self {}
    }

    /// Returns the reason why the window's bytes do not change, if there is one.
    pub fn stability(&self) -> Option<Stability> {
        match *self {}
    }

    /// Returns whether a window of this process may show zeros past the end of its file at present.
    pub fn any_shows_zeros() -> bool {
        false
    }

    /// Returns whether the window may reach past the end of its file.
    pub fn may_reach_beyond_end(&self) -> bool {
        match *self {}
    }

    /// Shows the file where the window shows zeros because the file ended before.
    ///
    /// # Errors
    ///
    /// None.
    pub fn show_growth(&self) -> Result<()> {
        match *self {}
    }

    /// Forgets the window's memory and does not touch it any more.
    pub fn abandon(&self) {
        match *self {}
    }

    pub(crate) fn check_addresses(&self, _: Range<usize>) -> Result<()> {
        match *self {}
    }

    pub(crate) fn intersection(&self, _: &Range<usize>) -> Range<usize> {
        match *self {}
    }

    pub(crate) fn pointer(&self, _: usize) -> *mut u8 {
        match *self {}
    }
}
