//! The subcommand `wasi-mmap compose`.

use std::path::Path;
use std::process::ExitCode;

use wasi_mmap_host::fallback::{self, ComposeError};
use wasmtime::error::Context;
use wasmtime::{Result, bail};

use crate::arguments::ComposeOptions;
use crate::{plugin, progress};

/// Composes the plugin with the fallback. `path` is its file, for errors.
pub(crate) fn with_fallback(path: &Path, component: &[u8]) -> Result<Vec<u8>> {
    let name = path.display();
    let composed = progress::spin("composing", || fallback::compose(component));
    let ours = plugin::interfaces(component)?.ours;
    let composed = composed.map_err(|error| match error {
        ComposeError::NothingToPlug if ours.is_empty() => {
            wasmtime::format_err!("{name} does not import wasi-mmap:mmap@0.1, so it needs no fallback")
        }
        ComposeError::NothingToPlug => {
            wasmtime::format_err!("{name} imports {}, but the types differ from those of the fallback", ours.join(", "))
        }
        error => wasmtime::Error::new(error).context(format!("cannot compose {name}")),
    })?;
    let left = plugin::interfaces(&composed)?.ours;
    if !left.is_empty() {
        bail!("the fallback does not export {}, which {name} imports", left.join(", "));
    }
    Ok(composed)
}

pub(crate) fn compose(options: &ComposeOptions) -> Result<ExitCode> {
    let component = plugin::read(&options.plugin)?;
    let composed = with_fallback(&options.plugin, &component)?;
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
