//! A plugin's mapping: the host's, through the WIT interface, or the plugin's own where the host can only simulate it.

mod host;
mod path;
mod plugin;
mod read_window;

pub(crate) use host::HostStorage;
pub(crate) use plugin::Kind as PluginKind;
pub use plugin::PluginStorage;
pub(crate) use read_window::detach_all as detach_read_windows;

/// A plugin's mapping. See [`wasi_mmap_core::Mapping`] for its operations.
pub type Mapping = wasi_mmap_core::Mapping<PluginStorage>;

/// The options of a new mapping: see [`wasi_mmap_core::MappingOptions`].
pub type MappingOptions = wasi_mmap_core::MappingOptions<PluginStorage>;
