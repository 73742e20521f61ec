//! `cargo xtask test`: everything that CI runs.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Args;

use crate::fuzz::{self, Fuzz};
use crate::kernels::Kernels;
use crate::run::{cargo, step, target_dir};
use crate::wine::{self, Wine};
use crate::{c, guests, lint, memmap2, package, public_api, published, python};

/// Run every check and every test
#[derive(Debug, Args)]
#[command(after_help = "\
Prints the command line of each step, which can be run by itself. `cargo test` alone runs the tests of this system.

Tests under Wine, of C programs and of Python plugins are left out, with a message, if what they need cannot be had.")]
pub(crate) struct Options {
    /// Run the tests only: no formatting, lints, documentation and public surface
    #[arg(long)]
    tests_only: bool,

    /// Run random tests in their long form, the tests on older kernels, and fuzz for an hour: about three hours
    #[arg(long)]
    long: bool,

    #[command(flatten)]
    python: python::Options,

    #[command(flatten)]
    kernels: crate::kernels::Options,
}

/// The time for which all targets are fuzzed together, in seconds.
const FUZZING: u64 = 3600;

pub(crate) fn test(options: &Options) -> Result<()> {
    let started = Instant::now();
    if !options.tests_only {
        lint::lint()?;
        public_api::public_api(&public_api::Options::default())?;
    }
    let counts = [target_dir(), target_dir().join(wine::TARGET)].map(|folder| folder.join("tmp/cases"));
    for folder in &counts {
        // Counts of an earlier run must not be printed.
        let _ = fs::remove_dir_all(folder);
    }
    let mut tests = cargo(".");
    tests.args(["test", "--release", "--locked", "--workspace"]);
    if options.long {
        tests.env("WASI_MMAP_LONG", "1");
    }
    step("tests", &mut tests)?;
    memmap2::test()?;
    published::test()?;
    package::package(&package::Options::default())?;
    c::test(false)?;
    match Wine::find() {
        Ok(wine) => wine.test(options.long)?,
        Err(why) => println!("== the tests under Wine were left out: {why:#}"),
    }
    print_counts(&counts)?;
    python::test(&options.python, false)?;
    if options.long {
        match Kernels::find(&options.kernels) {
            Ok(kernels) => kernels.test()?,
            Err(why) if options.kernels.is_given() => return Err(why),
            Err(why) => println!("== the tests on older kernels were left out: {why:#}"),
        }
        match Fuzz::find() {
            Ok(fuzz) => fuzz.run(&guests::build()?, &fuzz::targets()?, FUZZING)?,
            Err(why) => println!("== fuzzing was left out: {why:#}"),
        }
    }
    println!("== everything passed in {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// Prints the number of cases of the conformance suite that ran on each backend. The tests print only if they fail.
fn print_counts(folders: &[PathBuf]) -> Result<()> {
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        for entry in fs::read_dir(folder)? {
            files.push(entry?.path());
        }
    }
    files.sort();
    println!("== cases of the conformance suite");
    for file in files {
        println!("{}", fs::read_to_string(file)?);
    }
    Ok(())
}
