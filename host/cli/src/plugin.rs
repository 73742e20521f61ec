//! A plugin's file, and what can be told from it without compiling it.

use std::path::Path;

use serde::Serialize;
use wasmparser::{Encoding, Parser, Payload};
use wasmtime::error::Context;
use wasmtime::{Result, bail};

/// The interfaces of WASI 0.2 that every engine for commands has.
const WASI_PACKAGES: [&str; 6] =
    ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];

/// What a component imports and exports, by name.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Interfaces {
    /// Those of `wasi-mmap:mmap` in the version that this command offers.
    pub(super) ours: Vec<String>,
    /// Those of WASI 0.2.
    pub(super) wasi: Vec<String>,
    /// Those that neither this command nor plain WASI offers.
    pub(super) unknown: Vec<String>,
    /// What it exports.
    pub(super) exports: Vec<String>,
}

impl Interfaces {
    /// Whether it is a command: whether it can be run.
    pub(super) fn is_command(&self) -> bool {
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

/// Reads a plugin, and refuses what is no component.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    must_be_component(path, &bytes)?;
    Ok(bytes)
}

/// Refuses bytes that were read from `path` and begin like no component.
pub(super) fn must_be_component(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.display();
    if Parser::is_core_wasm(bytes) {
        bail!(
            "{name} is a core module, not a component: build it for wasm32-wasip2, \
             or make a component of it with `wasm-tools component new`"
        );
    }
    if !Parser::is_component(bytes) {
        bail!("{name} is not a WebAssembly component");
    }
    Ok(())
}

/// What a component imports and exports.
pub(super) fn interfaces(component: &[u8]) -> Result<Interfaces> {
    let mut found = Interfaces::default();
    // Components and modules inside are parsed too: theirs are not the plugin's.
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
