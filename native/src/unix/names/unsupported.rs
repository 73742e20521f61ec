//! No named memory, on systems where this crate has none.

use wasi_mmap_core::{Error, MapOptions, Result};

use super::super::memory::SharedMemory;

/// A lock on a name. None exists on this system.
#[derive(Debug)]
pub(crate) enum NameLock {}

/// Returns an error for every name.
pub(crate) fn open_named(_: &str, _: &MapOptions) -> Result<(SharedMemory, Option<u64>, NameLock)> {
    Err(Error::Unsupported("memory with a name on this system".into()))
}
