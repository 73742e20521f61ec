//! What an embedder sees of the mappings that a plugin makes.

use wasi_mmap_core::{Error, MapOptions};

/// What a plugin wanted to map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MapSource<'a> {
    /// A file, given as a descriptor.
    File,
    /// Memory without a file.
    Anonymous,
    /// Memory with this name.
    Named(&'a str),
}

/// A mapping that a plugin made, or was refused: Python's audit event `mmap.__new__`.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct MapEvent<'a> {
    /// What was to be mapped.
    pub source: MapSource<'a>,
    /// The offset, length and access that were asked for.
    pub options: &'a MapOptions,
    /// The length of the new mapping in bytes, or why there is none.
    pub outcome: Result<u64, &'a Error>,
}

impl MapEvent<'_> {
    /// Writes the event to the log.
    pub(crate) fn trace(&self) {
        let Self { source, options, outcome } = self;
        let (offset, access) = (options.offset, options.access);
        match outcome {
            Ok(length) => tracing::debug!(target: "wasi_mmap", ?source, ?access, offset, length, "mapped"),
            Err(error) => tracing::info!(target: "wasi_mmap", ?source, ?access, offset, %error, "refused"),
        }
    }
}
