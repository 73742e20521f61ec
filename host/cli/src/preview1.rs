//! Modules for WASI preview 1, which are made components with the adapter of the engine's release.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER as COMMAND,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as REACTOR,
};
use wasmparser::{Parser, Payload};
use wasmtime::error::Context;
use wasmtime::{Result, bail};
use wit_component::ComponentEncoder;

/// Makes a component of a module whose imports are WASI preview 1, and those that its bindings describe.
///
/// # Errors
///
/// Fails if the module is damaged, or if it imports something else.
pub(crate) fn to_component(module: &[u8]) -> Result<Vec<u8>> {
    let mut is_command = false;
    for payload in Parser::new(0).parse_all(module) {
        match payload.context("the module is damaged")? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.context("the module is damaged")?;
                    if import.module == "wasi_unstable" {
                        bail!(
                            "it imports wasi_unstable, the preview before WASI preview 1: build it for wasm32-wasip1"
                        );
                    }
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    is_command |= export.context("the module is damaged")?.name == "_start";
                }
            }
            _ => {}
        }
    }
    // A command has the entry point `wasi:cli/run`, which its adapter makes of `_start`.
    let adapter = if is_command { COMMAND } else { REACTOR };
    let component = ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|encoder| encoder.adapter(PREVIEW1, adapter))
        .and_then(ComponentEncoder::encode);
    component.map_err(|error| wasmtime::format_err!("{error:#}"))
}
