//! Memory shared by several mappings: a file without a path.

use std::fs::File;

use wasi_mmap_core::Result;

/// Memory that several mappings can share.
#[derive(Debug)]
pub(crate) struct SharedMemory(File);

impl SharedMemory {
    /// Makes memory of `len` zeros. Linux `memfd_create(2)`.
    #[cfg(target_os = "linux")]
    pub(crate) fn new(len: u64) -> Result<Self> {
        use rustix::fs::MemfdFlags;

        let descriptor = rustix::fs::memfd_create("wasi-mmap", MemfdFlags::CLOEXEC).map_err(std::io::Error::from)?;
        let file = File::from(descriptor);
        super::file::set_len(&file, len)?;
        Ok(Self(file))
    }

    /// Returns an error: only Linux has such memory.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn new(_: u64) -> Result<Self> {
        Err(wasi_mmap_core::Error::Unsupported("shared memory without a file on this system".into()))
    }

    /// Returns the length in bytes.
    pub(crate) fn len(&self) -> Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    /// Returns a handle to the file that holds the memory.
    pub(super) fn file(&self) -> Result<File> {
        Ok(self.0.try_clone()?)
    }
}

impl From<File> for SharedMemory {
    fn from(file: File) -> Self {
        Self(file)
    }
}
