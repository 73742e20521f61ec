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
    /// The version of the library whose fallback is in the plugin, if there is one.
    pub(crate) library_fallback: Option<String>,
    /// The fallback component is composed into the plugin.
    pub(crate) is_composed: bool,
}

impl Interfaces {
    /// Returns whether the component is a command, which can be run.
    pub(crate) fn is_command(&self) -> bool {
        self.exports.iter().any(|name| name.starts_with("wasi:cli/run@0.2."))
    }

    /// Returns the least version of WASI that has all that is imported.
    pub(crate) fn wasi_version(&self) -> Option<String> {
        let patches = self.wasi.iter().filter_map(|name| name.rsplit_once("@0.2.")?.1.parse::<u32>().ok());
        patches.max().map(|patch| format!("0.2.{patch}"))
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

/// The custom section in which the library says that it has brought the fallback, with its version.
const FALLBACK_SECTION: &str = "wasi-mmap:fallback";

/// A component, or a module, that is being read.
#[derive(Debug, Default)]
struct Nested {
    /// It exports our interface, as the fallback component does.
    is_fallback: bool,
    library: Option<String>,
}

/// Lists the imports and exports of a component, and finds the fallback in it.
pub(crate) fn interfaces(component: &[u8]) -> Result<Interfaces> {
    let mut found = Interfaces::default();
    // Nested components and modules are parsed, too, but their imports and exports are not the plugin's.
    let mut nesting: Vec<Nested> = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        let (payload, depth) = (payload.context("the component is damaged")?, nesting.len());
        match payload {
            Payload::Version { encoding: Encoding::Component | Encoding::Module, .. } => {
                nesting.push(Nested::default())
            }
            Payload::End(_) => {
                let ended = nesting.pop().unwrap_or_default();
                match nesting.last_mut() {
                    Some(_) if ended.is_fallback => found.is_composed = true,
                    Some(outer) => outer.library = outer.library.take().or(ended.library),
                    None => found.library_fallback = ended.library,
                }
            }
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    found.import(import.context("the component is damaged")?.name.name);
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let name = export.context("the component is damaged")?.name.name;
                    if depth == 1 {
                        found.exports.push(name.to_owned());
                    } else if name.starts_with("wasi-mmap:mmap/mapping@")
                        && let Some(component) = nesting.last_mut()
                    {
                        component.is_fallback = true;
                    }
                }
            }
            Payload::CustomSection(section) if section.name() == FALLBACK_SECTION => {
                if let Some(module) = nesting.last_mut() {
                    module.library = Some(String::from_utf8_lossy(section.data()).into_owned());
                }
            }
            _ => {}
        }
    }
    Ok(found)
}
