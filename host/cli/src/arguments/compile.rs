//! The options of `wasi-mmap compile`.

use std::path::PathBuf;

use clap::Args;

use super::Backend;

/// Compile a plugin to native code for this machine, so that it starts at once
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  wasi-mmap compile grep.wasm -o grep.compiled && wasi-mmap run --allow-compiled --dir . grep.compiled needle big.log

`run` keeps what it compiles by itself; see `wasi-mmap cache`. A file is for machines that should not compile.

Compiled plugins are native code for this processor and this version of wasi-mmap. `run` refuses others, and files that
are damaged. It cannot find out who has written the code, which no sandbox confines: run only what you have compiled
yourself, or have from somebody whose programs you would run.

Exit status: 0, or 1 if the plugin could not be compiled; OUT is then not written")]
pub struct CompileOptions {
    /// The plugin's file, or - for standard input
    pub plugin: PathBuf,

    /// The file to write the compiled plugin to, or - for standard output
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,

    /// Choose what will implement the mappings: the fallback is compiled with the plugin
    #[arg(long, value_enum, default_value_t)]
    pub backend: Backend,
}
