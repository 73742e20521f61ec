//! The memories of plugins: on Linux the engine's own, which start from images of the plugin without copying them.

use wasi_mmap_host::MmapCtxBuilder;
use wasmtime::Config;

/// Configures an engine for windows.
pub(crate) fn configure(config: &mut Config) {
    if cfg!(not(target_os = "linux")) {
        wasi_mmap_host::configure(config);
    }
}

/// Lets a plugin have windows in an engine that was [configured](configure).
pub(crate) fn allow_windows(builder: MmapCtxBuilder) -> MmapCtxBuilder {
    if cfg!(not(target_os = "linux")) {
        return builder;
    }
    // SAFETY: the engine has no host memory, no memories of 64 bits, and no pool. The store that runs a plugin is dropped
    // with its data, of which nothing is taken out, or exists until the process ends.
    unsafe { builder.windows_in_engine_memories() }
}
