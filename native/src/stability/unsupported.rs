//! Holding the bytes of a file still, on systems where this crate does not.

use std::fs::File;
use std::ops::Range;

use wasi_mmap_core::{Error, Result};

use crate::stable::Held;

/// A hold on the bytes of a file, of which there is none.
#[derive(Debug, Clone)]
pub(crate) enum Hold {}

impl Hold {
    /// Refuses every file.
    pub(crate) fn of(_: &File) -> Result<Self> {
        Err(Error::Unsupported("holding the file's bytes still: on this system".into()))
    }

    /// Refuses every file.
    pub(crate) fn of_fixed(file: &File) -> Result<Self> {
        Self::of(file)
    }

    pub(crate) fn held(&self) -> Held {
        match *self {}
    }

    pub(crate) unsafe fn keep<T>(&self, _: Range<usize>, _: impl FnOnce() -> Result<T>) -> Result<(Place, T)> {
        match *self {}
    }
}

/// Memory whose bytes are held, of which there is none.
#[derive(Debug)]
pub(crate) enum Place {}

#[cfg_attr(windows, expect(dead_code, reason = "used by windows, which Windows does not have"))]
impl Place {
    pub(crate) fn lock(&self) -> Locked {
        match *self {}
    }

    pub(crate) fn held(&self) -> Held {
        match *self {}
    }
}

/// A place that is replaced, of which there is none.
pub(crate) enum Locked {}

#[cfg_attr(windows, expect(dead_code, reason = "used by windows, which Windows does not have"))]
impl Locked {
    pub(crate) fn forget(self) {
        match self {}
    }
}
