//! Names that all processes of a user share, on systems where this crate has none.

use wasi_mmap_core::{Error, MapOptions, Result};

use super::memory::Memory;

/// A name, of which there is none.
#[derive(Debug)]
pub(crate) enum Name {}

/// Refuses every name.
pub(crate) fn open_named(_: &str, _: &MapOptions) -> Result<(Memory, Option<u64>, Name)> {
    Err(Error::Unsupported("memory with a name on this system".into()))
}
