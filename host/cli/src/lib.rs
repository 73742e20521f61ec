//! The command `wasi-mmap`: runs, composes and inspects plugins.
//!
//! This library is for the program and for tests and fuzz targets. Its interface may change at any time.

#![deny(unsafe_code)]

mod arguments;
mod cache;
#[expect(unsafe_code, reason = "loads native code")]
mod compiled;
mod compose;
mod console;
mod engine;
mod files;
mod inspect;
#[expect(unsafe_code, reason = "promises what the embedder has to")]
mod memories;
mod plugin;
mod preview1;
mod run;
mod subcommands;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use wasmtime::Result;

use console::Console;

pub use arguments::{
    Arguments, Backend, CacheOptions, Command, CompileOptions, ComposeOptions, Directory, InspectOptions, RunOptions,
};

/// Runs the command with the arguments of this process.
pub fn main() -> ExitCode {
    let arguments = parse(std::env::args_os()).unwrap_or_else(|error| error.exit());
    let console = Console { quiet: arguments.quiet };
    let (outcome, failure) = match arguments.command {
        // The status of a plugin that ran is the status of the command, so failures to run it need another one.
        Command::Run(options) => (run::run(&options, console), ExitCode::from(run::NOT_RUN)),
        Command::Compile(options) => (subcommands::compile(&options, console), ExitCode::FAILURE),
        Command::Compose(options) => (compose::compose(&options, console), ExitCode::FAILURE),
        Command::Inspect(options) => (inspect::inspect(&options), ExitCode::FAILURE),
        Command::Cache(options) => (subcommands::cache(&options), ExitCode::FAILURE),
        Command::Completions { shell } => (subcommands::completions(shell), ExitCode::FAILURE),
        Command::Man { subcommand } => (subcommands::man(subcommand.as_deref()), ExitCode::FAILURE),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        failure
    })
}

/// Parses a command line, which begins with the program's name.
///
/// # Errors
///
/// Says what is wrong with it, or holds the help or the version if the command line asks for them.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> std::result::Result<Arguments, clap::Error> {
    Arguments::try_parse_from(arguments)
}

/// Returns what `inspect` prints for a file with these bytes.
///
/// # Errors
///
/// Fails if they are not a component or a module for WASI preview 1.
pub fn inspect(path: &Path, bytes: &[u8], json: bool) -> Result<String> {
    inspect::report(path, &plugin::load(path, bytes.to_vec())?, json)
}

/// Returns what `compose` writes for a file with these bytes.
///
/// # Errors
///
/// Fails if they are not a component that the fallback can be plugged into, or a module for WASI preview 1.
pub fn compose(path: &Path, bytes: &[u8]) -> Result<Vec<u8>> {
    compose::self_contained(Console { quiet: true }, path, plugin::load(path, bytes.to_vec())?)
}
