//! The command `wasi-mmap`: runs, composes and inspects plugins.
//!
//! Its program and the fuzz targets use it. It is no part of the library's interface, and may change at any time.

mod arguments;
mod compose;
mod inspect;
mod plugin;
mod progress;
mod run;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use wasmtime::Result;

pub use arguments::{Arguments, Backend, Command, ComposeOptions, Directory, InspectOptions, RunOptions};

/// Does what the arguments of this process say.
pub fn main() -> ExitCode {
    let arguments = parse(std::env::args_os()).unwrap_or_else(|error| error.exit());
    let (outcome, failure) = match arguments.command {
        // What the plugin answers is the status of the command, so that a failure of our own needs another one.
        Command::Run(options) => (run::run(&options), ExitCode::from(run::NOT_RUN)),
        Command::Compose(options) => (compose::compose(&options), ExitCode::FAILURE),
        Command::Inspect(options) => (inspect::inspect(&options), ExitCode::FAILURE),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        failure
    })
}

/// What a command line says, beginning with the program's name.
///
/// # Errors
///
/// What is wrong with it; or help or the version, if it asks for them.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> std::result::Result<Arguments, clap::Error> {
    Arguments::try_parse_from(arguments)
}

/// What `inspect` prints of the bytes of a file.
///
/// # Errors
///
/// They are no component.
pub fn inspected(path: &Path, bytes: &[u8], json: bool) -> Result<String> {
    plugin::must_be_component(path, bytes)?;
    inspect::report(path, bytes, json)
}

/// What `compose` makes of the bytes of a file.
///
/// # Errors
///
/// They are no component that the fallback fits.
pub fn composed(path: &Path, bytes: &[u8]) -> Result<Vec<u8>> {
    plugin::must_be_component(path, bytes)?;
    compose::with_fallback(path, bytes)
}
