//! No stability, on systems where this crate has none.

use std::fs::File;
use std::ops::Range;

use wasi_mmap_core::Result;

use super::kind::{Stability, unstable};

/// A guarantee that the bytes of a file do not change. None exists on this system.
#[derive(Debug, Clone)]
pub(crate) enum Guarantee {}

impl Guarantee {
    /// Returns an error for every file.
    pub(crate) fn of(_: &File) -> Result<Self> {
        Err(unstable("not supported on this system"))
    }

    /// Returns an error for every file.
    pub(crate) fn permanent(file: &File) -> Result<Self> {
        Self::of(file)
    }

    pub(crate) fn stability(&self) -> Stability {
        match *self {}
    }

    pub(crate) fn can_be_kept(&self) -> bool {
        match *self {}
    }

    #[cfg_attr(windows, expect(dead_code, reason = "used by windows, which Windows does not have"))]
    pub(crate) fn checks_length(&self) -> bool {
        match *self {}
    }

    pub(crate) unsafe fn cover<T>(
        &self,
        _: Range<usize>,
        _: &Range<u64>,
        _: bool,
        _: impl FnOnce() -> Result<T>,
    ) -> Result<(StablePages, T)> {
        match *self {}
    }
}

/// Memory whose bytes do not change. None exists on this system.
#[derive(Debug)]
pub(crate) enum StablePages {}

#[cfg_attr(windows, expect(dead_code, reason = "used by windows, which Windows does not have"))]
impl StablePages {
    pub(crate) fn lock(&self) -> LockedPages {
        match *self {}
    }

    pub(crate) fn stability(&self) -> Stability {
        match *self {}
    }
}

/// Stable pages that may be replaced. None exist on this system.
pub(crate) enum LockedPages {}

#[cfg_attr(windows, expect(dead_code, reason = "used by windows, which Windows does not have"))]
impl LockedPages {
    pub(crate) fn release(self) {
        match self {}
    }
}
