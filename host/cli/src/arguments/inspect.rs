//! The options of `wasi-mmap inspect`.

use std::path::PathBuf;

use clap::Args;

/// Show which interfaces a plugin imports, and where it can run
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wasi-mmap inspect grep.wasm
  wasi-mmap inspect --json - <grep.wasm

Exit status: 0, or 1 if the file is not a plugin")]
pub struct InspectOptions {
    /// The plugin's file, or - for standard input
    pub plugin: PathBuf,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
