//! Resizing a mapping, on systems without `mremap(2)`: refused, as CPython there has no `resize`.

use wasi_mmap_core::{Error, Result};

use super::Map;

impl Map {
    /// Refuses to resize, before anything is touched.
    pub(crate) fn resize(&mut self, _: usize) -> Result<()> {
        Err(Error::Unsupported("resizing a mapping on this system".into()))
    }
}
