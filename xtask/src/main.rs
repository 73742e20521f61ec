//! The project's own commands: `cargo xtask demo`, `test`, `bench`, `fuzz`, `sanitize`, `guests`. Each does its own set-up.

mod bench;
mod cpython;
mod demo;
mod fuzz;
mod guests;
mod instructions;
mod instrument;
mod kernels;
mod nightly;
mod outcomes;
mod python;
mod run;
mod sanitize;
mod test;
mod windows;
mod wit;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands. Each installs the targets and builds the plugins that it needs.
#[derive(Debug, Parser)]
#[command(
    bin_name = "cargo xtask",
    after_help = "\
Examples:
  cargo xtask demo             the demo on a large file that every Rust installation has
  cargo xtask demo FILE        … on a file of yours
  cargo xtask demo --python    a Python plugin that greps and edits a file
  cargo xtask test             everything that CI runs
  cargo xtask bench            how fast everything is, against what users would take instead
  cargo xtask test --python    the tests of Python plugins alone
  cargo xtask test --kernels   the tests of windows and faults on older kernels, in QEMU
  cargo xtask fuzz             a minute of looking for inputs that bring something down
  cargo xtask sanitize         the tests with Miri and Valgrind, which see wrong accesses to memory

Exit status: 0; 1 if something failed; 2 if the command line was wrong"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Options),
    Bench(bench::Options),
    Test(test::Options),
    Fuzz(fuzz::Options),
    Sanitize(sanitize::Options),
    /// Build the plugins of tests and demo, and the fallback component
    Guests,
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    if instrument::is_meant(&arguments) {
        return instrument::compile(&arguments);
    }
    let outcome = match Arguments::parse().command {
        Command::Demo(options) => demo::demo(&options),
        Command::Bench(options) => bench::bench(&options),
        Command::Test(options) => test::test(&options),
        Command::Fuzz(options) => fuzz::fuzz(&options),
        Command::Sanitize(options) => sanitize::sanitize(&options),
        Command::Guests => guests::build().map(|guests| println!("{}", guests.directory.display())),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
