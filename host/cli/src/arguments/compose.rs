//! The options of `wasi-mmap compose`.

use std::path::PathBuf;

use clap::Args;

/// Plug the fallback into a plugin, so that it runs on any WASI 0.2 engine
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wasi-mmap compose grep.wasm -o grep-anywhere.wasm && wasmtime run --dir . grep-anywhere.wasm needle big.log
  wasi-mmap compose - -o - <grep.wasm >grep-anywhere.wasm

A module for WASI preview 1 becomes a component as well.

Exit status: 0, or 1 if the plugin could not be composed; OUT is then not written")]
pub struct ComposeOptions {
    /// The plugin's file, or - for standard input
    pub plugin: PathBuf,

    /// The file to write the composed component to, or - for standard output
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
}
