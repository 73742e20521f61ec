//! The project's own commands, for what `cargo` does not do by itself.

mod bench;
mod c;
mod command;
mod cpython;
mod demo;
mod fuzz;
mod guests;
mod instrument;
mod kernels;
mod lint;
mod memmap2;
mod memory;
mod outcomes;
mod package;
mod public_api;
mod published;
mod python;
mod run;
mod test;
mod wine;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The project's own commands, for what `cargo` does not do by itself
///
/// Each command does its own set-up. Those that run other programs print the command lines.
#[derive(Debug, Parser)]
#[command(
    bin_name = "cargo xtask",
    after_help = "\
Examples:
  cargo xtask demo             the demo on a large file that every Rust installation has
  cargo xtask demo FILE        … on a file of yours
  cargo xtask demo --python    a Python plugin that searches and edits a file
  cargo xtask test             everything that CI runs
  cargo xtask test --long      … with long random tests, older kernels, and an hour of fuzzing
  cargo xtask bench            the benchmarks

Exit status: 0; 1 if something failed; 2 if the command line is invalid"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Options),
    Test(test::Options),
    /// Check formatting, lints and documentation, for every system
    Lint,
    PublicApi(public_api::Options),
    /// Run the tests of the package that stands for memmap2, and memmap2's own tests on it
    Memmap2,
    /// Run the tests for Windows, under Wine
    Wine {
        /// Run random tests in their long form
        #[arg(long)]
        long: bool,
    },
    /// Run the tests of Python plugins on the host and on the fallback
    Python(python::Options),
    /// Run a program and libraries of the registry that use memmap2, as plugins
    Published,
    Package(package::Options),
    C(c::Options),
    /// Run SQLite and LMDB from the registry as plugins, beside the same natively
    Databases,
    Kernels(kernels::Options),
    /// Run the tests that Miri can run, to find undefined behaviour
    Miri,
    /// Run the tests without an engine in Valgrind, to find invalid accesses to memory
    Valgrind,
    Fuzz(fuzz::Options),
    Bench(bench::Options),
    /// Build the programs of the tests and the demo, and the fallback component
    Guests,
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    if instrument::is_called_as_compiler(&arguments) {
        return instrument::compile(&arguments);
    }
    if public_api::is_called_as_rustdoc() {
        return public_api::document(&arguments);
    }
    let command = Arguments::parse().command;
    match provide_targets().and_then(|()| run(command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Installs the targets for WebAssembly, which `rust-toolchain.toml` names, where rustup does not do so by itself.
fn provide_targets() -> Result<()> {
    ["wasm32-wasip1", "wasm32-wasip2"].into_iter().try_for_each(run::provide_target)
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Demo(options) => demo::demo(&options),
        Command::Test(options) => test::test(&options),
        Command::Lint => lint::lint(),
        Command::PublicApi(options) => public_api::public_api(&options),
        Command::Memmap2 => memmap2::test(),
        Command::Wine { long } => wine::Wine::find().and_then(|wine| wine.test(long)),
        Command::Python(options) => python::test(&options, true),
        Command::Published => published::test(),
        Command::Package(options) => package::package(&options),
        Command::C(options) => c::c(&options),
        Command::Databases => c::test(true),
        Command::Kernels(options) => kernels::Kernels::find(&options).and_then(|kernels| kernels.test()),
        Command::Miri => memory::miri(),
        Command::Valgrind => memory::valgrind(),
        Command::Fuzz(options) => fuzz::fuzz(&options),
        Command::Bench(options) => bench::bench(&options),
        Command::Guests => guests::build().map(|guests| println!("{}", guests.directory.display())),
    }
}
