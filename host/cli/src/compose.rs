//! The subcommand `wasi-mmap compose`.

use std::path::Path;
use std::process::ExitCode;

use wasi_mmap_host::fallback::{self, ComposeError};
use wasmtime::Result;
use wasmtime::error::Context;

use crate::arguments::ComposeOptions;
use crate::plugin::{self, Plugin};
use crate::progress;

/// Composes the plugin with the fallback. `path` is its file, for errors.
pub(crate) fn with_fallback(path: &Path, component: &[u8]) -> Result<Vec<u8>> {
    let name = path.display();
    progress::spin("composing", || fallback::compose(component)).map_err(|error| match error {
        ComposeError::NothingToPlug => {
            wasmtime::format_err!("{name} does not import wasi-mmap:mmap, so it needs no fallback")
        }
        error => wasmtime::Error::new(error).context(format!("cannot compose {name}")),
    })
}

/// Makes a component that imports nothing of ours: of a module, and of a component that imports something of ours.
pub(crate) fn self_contained(path: &Path, plugin: Plugin) -> Result<Vec<u8>> {
    if plugin.is_module && plugin::interfaces(&plugin.component)?.ours.is_empty() {
        // It brings its own implementation, or needs none. As a component it runs on every engine.
        return Ok(plugin.component);
    }
    with_fallback(path, &plugin.component)
}

pub(crate) fn compose(options: &ComposeOptions) -> Result<ExitCode> {
    let composed = self_contained(&options.plugin, plugin::read(&options.plugin)?)?;
    let output = &options.output;
    write_whole(output, &composed).with_context(|| format!("cannot write {}", output.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a file under a temporary name and renames it, so that `path` never has partial contents.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().ok_or(std::io::ErrorKind::IsADirectory)?.to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let written = std::fs::write(&part, bytes).and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        // The error to report is that of writing.
        let _ = std::fs::remove_file(&part);
    }
    written
}
