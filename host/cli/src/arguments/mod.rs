//! The command line of `wasi-mmap`.

mod cache;
mod compile;
mod compose;
mod inspect;
mod run;

use clap::{Parser, Subcommand};

pub use cache::CacheOptions;
pub use compile::CompileOptions;
pub use compose::ComposeOptions;
pub use inspect::InspectOptions;
pub use run::{Backend, Directory, RunOptions};

/// Memory-mapped files for WebAssembly plugins
#[derive(Debug, Parser)]
#[command(
    name = "wasi-mmap",
    version,
    after_help = "\
Examples:
  wasi-mmap run --dir data grep.wasm needle data/big.log
  wasi-mmap compose grep.wasm -o grep-anywhere.wasm
  wasi-mmap inspect grep.wasm"
)]
pub struct Arguments {
    /// Print errors only: no warnings and no progress
    #[arg(short, long, global = true)]
    pub quiet: bool,

    /// The subcommand with its options.
    #[command(subcommand)]
    pub command: Command,
}

/// A subcommand.
#[derive(Debug, Subcommand)]
pub enum Command {
    #[allow(missing_docs, reason = "a doc comment would replace the help of the options")]
    Run(RunOptions),
    #[allow(missing_docs, reason = "a doc comment would replace the help of the options")]
    Compile(CompileOptions),
    #[allow(missing_docs, reason = "a doc comment would replace the help of the options")]
    Compose(ComposeOptions),
    #[allow(missing_docs, reason = "a doc comment would replace the help of the options")]
    Inspect(InspectOptions),
    #[allow(missing_docs, reason = "a doc comment would replace the help of the options")]
    Cache(CacheOptions),
    /// Print completions for a shell
    #[command(after_help = "\
Example:
  wasi-mmap completions bash >~/.local/share/bash-completion/completions/wasi-mmap")]
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page of the command, or of a subcommand
    #[command(after_help = "\
Examples:
  wasi-mmap man | man -l -
  wasi-mmap man run >/usr/local/share/man/man1/wasi-mmap-run.1")]
    Man {
        /// The subcommand
        subcommand: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }
}
