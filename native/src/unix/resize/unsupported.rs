//! No resizing of a mapping, on systems without `mremap(2)`. CPython has no `resize` there either.

use std::ops::Range;

use wasi_mmap_core::{Error, Result};

use super::super::mapping::OsMapping;

impl OsMapping {
    /// Returns an error, and touches nothing.
    pub(crate) fn resize(&mut self, _: usize) -> Result<()> {
        Err(Error::Unsupported("resizing a mapping on this system".into()))
    }

    /// Returns an empty range: nothing is ever cut off.
    pub(crate) fn tail(&self, end: usize) -> Range<usize> {
        end..end
    }
}
