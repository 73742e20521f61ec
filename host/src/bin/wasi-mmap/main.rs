//! The command `wasi-mmap`: runs, composes and inspects plugins.

mod arguments;
mod compose;
mod inspect;
mod plugin;
mod progress;
mod run;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
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
