//! The host's mapping, through the WIT interface.

pub mod bindings;
mod path;
mod storage;

pub use storage::Imported;

/// A mapping of the host. See [`wasi_mmap_core::Mapping`] for its operations.
pub type Mapping = wasi_mmap_core::Mapping<Imported>;

/// The options of a new mapping: see [`wasi_mmap_core::MappingOptions`].
pub type MappingOptions = wasi_mmap_core::MappingOptions<Imported>;
