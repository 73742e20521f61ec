//! A plugin's file, and its imports and exports, which are found without compiling it.

use std::path::Path;

use serde::{Deserialize, Serialize};
use wasmparser::{Encoding, Parser, Payload};
use wasmtime::error::Context;
use wasmtime::{Result, bail};

use crate::{compiled, files, preview1};

/// The packages of WASI 0.2 that every engine for commands provides.
const WASI_PACKAGES: [&str; 6] =
    ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];

/// The names of the imports and exports of a component.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Interfaces {
    /// Imports of `wasi-mmap:mmap`, in the version that this command provides.
    pub(crate) ours: Vec<String>,
    /// Imports of WASI 0.2.
    pub(crate) wasi: Vec<String>,
    /// Imports that neither this command nor WASI 0.2 provides.
    pub(crate) unknown: Vec<String>,
    /// All exports.
    pub(crate) exports: Vec<String>,
}

impl Interfaces {
    /// Returns whether the component is a command, which can be run.
    pub(crate) fn is_command(&self) -> bool {
        self.exports.iter().any(|name| name.starts_with("wasi:cli/run@0.2."))
    }

    fn import(&mut self, name: &str) {
        let is_wasi = WASI_PACKAGES.iter().any(|package| name.starts_with(package)) && name.contains("@0.2.");
        let is_ours = name.starts_with("wasi-mmap:mmap/") && name.contains("@0.1.");
        let list = match (is_ours, is_wasi) {
            (true, _) => &mut self.ours,
            (_, true) => &mut self.wasi,
            _ => &mut self.unknown,
        };
        list.push(name.to_owned());
    }
}

/// A plugin, as a component.
#[derive(Debug)]
pub(crate) struct Plugin {
    pub(crate) component: Vec<u8>,
    /// The file is a module for preview 1, which was made a component.
    pub(crate) is_module: bool,
    /// The size of the file, in bytes.
    pub(crate) file_len: usize,
}

/// Reads a plugin: a component, or a module for WASI preview 1.
///
/// # Errors
///
/// Fails if the file cannot be read, or is neither.
pub(crate) fn read(path: &Path) -> Result<Plugin> {
    load(path, files::read(path)?)
}

/// Makes a plugin of the bytes of a file. `path` is the file, for errors.
///
/// # Errors
///
/// Says what the bytes are instead of a component or a module for WASI preview 1.
pub(crate) fn load(path: &Path, bytes: Vec<u8>) -> Result<Plugin> {
    let (name, file_len) = (files::name(path), bytes.len());
    if Parser::is_core_wasm(&bytes) {
        let component = preview1::to_component(&bytes)
            .with_context(|| format!("cannot make a component of {name}, which is a core module"))?;
        return Ok(Plugin { component, is_module: true, file_len });
    }
    if compiled::is_code(&bytes) {
        bail!("{name} is a compiled plugin, or another program, and not WebAssembly");
    }
    if !Parser::is_component(&bytes) {
        bail!("{name} is not a WebAssembly component, nor a module");
    }
    Ok(Plugin { component: bytes, is_module: false, file_len })
}

/// Lists the imports and exports of a component.
pub(crate) fn interfaces(component: &[u8]) -> Result<Interfaces> {
    let mut found = Interfaces::default();
    // Nested components and modules are parsed, too, but their imports and exports are not the plugin's.
    let mut depth = 0u32;
    for payload in Parser::new(0).parse_all(component) {
        match payload.context("the component is damaged")? {
            Payload::Version { encoding: Encoding::Component | Encoding::Module, .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    found.import(import.context("the component is damaged")?.name.name);
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    found.exports.push(export.context("the component is damaged")?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(found)
}
