//! The subcommand `wasi-mmap compose`.

use std::path::Path;
use std::process::ExitCode;

use wasi_mmap_host::fallback::{self, ComposeError};
use wasmtime::Result;

use crate::arguments::ComposeOptions;
use crate::console::Console;
use crate::files;
use crate::plugin::{self, Plugin};

/// Composes the plugin with the fallback. `path` is its file, for errors.
pub(crate) fn with_fallback(console: Console, path: &Path, component: &[u8]) -> Result<Vec<u8>> {
    let name = files::name(path);
    console.spin("composing", || fallback::compose(component)).map_err(|error| match error {
        ComposeError::NothingToPlug => {
            wasmtime::format_err!("{name} does not import wasi-mmap:mmap, so it needs no fallback")
        }
        error => wasmtime::Error::new(error).context(format!("cannot compose {name}")),
    })
}

/// Makes a component that imports nothing of ours: of a module, and of a component that imports something of ours.
pub(crate) fn self_contained(console: Console, path: &Path, plugin: Plugin) -> Result<Vec<u8>> {
    if plugin.is_module && plugin::interfaces(&plugin.component)?.ours.is_empty() {
        // It brings its own implementation, or needs none. As a component it runs on every engine.
        return Ok(plugin.component);
    }
    with_fallback(console, path, &plugin.component)
}

pub(crate) fn compose(options: &ComposeOptions, console: Console) -> Result<ExitCode> {
    let composed = self_contained(console, &options.plugin, plugin::read(&options.plugin)?)?;
    files::write(&options.output, &composed)?;
    Ok(ExitCode::SUCCESS)
}
