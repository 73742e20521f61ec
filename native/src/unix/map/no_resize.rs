//! Resizing a mapping, on systems without `mremap(2)`: refused, as CPython there has no `resize`.

use std::ops::Range;

use wasi_mmap_core::{Error, Result};

use super::Map;

impl Map {
    /// Refuses to resize, before anything is touched.
    pub(crate) fn resize(&mut self, _: usize) -> Result<()> {
        Err(Error::Unsupported("resizing a mapping on this system".into()))
    }

    /// Returns nothing: nothing was cut off.
    pub(crate) fn tail(&self, end: usize) -> Range<usize> {
        end..end
    }
}
