//! Memory that mappings share: a file that nobody sees.

use std::fs::File;

use wasi_mmap_core::Result;

/// Memory that several mappings can be made of.
#[derive(Debug)]
pub(crate) struct Memory(File);

impl Memory {
    /// Memory of `len` zeros: on Linux a memfd.
    #[cfg(target_os = "linux")]
    pub(crate) fn new(len: u64) -> Result<Self> {
        use rustix::fs::MemfdFlags;

        let descriptor = rustix::fs::memfd_create("wasi-mmap", MemfdFlags::CLOEXEC).map_err(std::io::Error::from)?;
        let file = File::from(descriptor);
        super::set_len(&file, len)?;
        Ok(Self(file))
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn new(_: u64) -> Result<Self> {
        Err(wasi_mmap_core::Error::Unsupported("shared memory without a file on this system".into()))
    }

    /// How long it is, in bytes.
    pub(crate) fn len(&self) -> Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    /// The file that it lies in.
    pub(super) fn file(&self) -> Result<File> {
        Ok(self.0.try_clone()?)
    }
}

impl From<File> for Memory {
    fn from(file: File) -> Self {
        Self(file)
    }
}
