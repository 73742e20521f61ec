//! Events for the embedder: the mappings that a plugin makes or is refused.

use wasi_mmap_core::{Error, MapOptions};

/// The source of the bytes of a mapping.
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

/// A mapping that a plugin made or was refused. Python's audit event `mmap.__new__`.
///
/// [`MmapCtxBuilder::audit`](crate::MmapCtxBuilder::audit) has an example.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct MapEvent<'a> {
    /// The source to be mapped.
    pub source: MapSource<'a>,
    /// The requested offset, length, access and flags; after success, the access that the mapping got.
    pub options: &'a MapOptions,
    /// The length of the new mapping in bytes, or the reason for the refusal.
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
