//! Memory shared by several mappings: sections without a file.

use wasi_mmap_core::Result;

use super::section::{Section, to_error};

/// Memory that several mappings can share.
#[derive(Debug)]
pub(crate) struct SharedMemory {
    pub(super) section: Section,
    pub(super) len: u64,
}

impl SharedMemory {
    /// Makes memory of `len` zeros.
    pub(crate) fn new(len: u64) -> Result<Self> {
        let (section, _) = Section::of_memory(len, None).map_err(to_error)?;
        Ok(Self { section, len })
    }

    /// Returns the length in bytes.
    pub(crate) fn len(&self) -> Result<u64> {
        Ok(self.len)
    }

    /// Returns a handle to the section that holds the memory.
    pub(super) fn section(&self) -> Result<Section> {
        Ok(self.section.try_clone()?)
    }
}
