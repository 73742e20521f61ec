//! `wasi-mmap compose`.

use std::path::Path;
use std::process::ExitCode;

use crate::fallback::{self, ComposeError};
use wasmtime::error::Context;
use wasmtime::{Result, bail};

use super::arguments::ComposeOptions;
use super::{plugin, progress};

/// Composes a plugin that was read from `path` with the fallback.
pub(super) fn with_fallback(path: &Path, component: &[u8]) -> Result<Vec<u8>> {
    let name = path.display();
    let composed = progress::spin("composing", || fallback::compose(component));
    let ours = plugin::interfaces(component)?.ours;
    let composed = composed.map_err(|error| match error {
        ComposeError::NothingToPlug if ours.is_empty() => {
            wasmtime::format_err!("{name} imports nothing of wasi-mmap:mmap@0.1: it needs no fallback")
        }
        ComposeError::NothingToPlug => {
            wasmtime::format_err!("{name} imports {} with other types than the fallback exports", ours.join(", "))
        }
        error => wasmtime::Error::new(error).context(format!("cannot compose {name}")),
    })?;
    let left = plugin::interfaces(&composed)?.ours;
    if !left.is_empty() {
        bail!("{name} imports what the fallback does not export: {}", left.join(", "));
    }
    Ok(composed)
}

pub(super) fn compose(options: &ComposeOptions) -> Result<ExitCode> {
    let component = plugin::read(&options.plugin)?;
    let composed = with_fallback(&options.plugin, &component)?;
    let output = &options.output;
    write_whole(output, &composed).with_context(|| format!("cannot write {}", output.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a file so that under its name there is never a part of it.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().ok_or(std::io::ErrorKind::IsADirectory)?.to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let written = std::fs::write(&part, bytes).and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        // What is left is of no use; that it cannot be removed is not the error to report.
        let _ = std::fs::remove_file(&part);
    }
    written
}
