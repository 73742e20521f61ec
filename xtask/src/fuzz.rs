//! `cargo xtask fuzz`: looks for inputs that make a fuzz target fail.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use clap::Args;

use crate::guests::{self, Guests};
use crate::memory::provide_nightly;
use crate::run::{nightly_cargo, provide, root, step, target_dir};

/// Run the fuzz targets, with a nightly compiler and cargo-fuzz
#[derive(Debug, Args)]
#[command(after_help = "\
Installs a nightly compiler and cargo-fuzz if they are missing. The targets are the files in tests/fuzz/fuzz_targets.
Without either, `cargo test` runs the targets on their corpus, tests/fuzz/corpus.

Examples:
  cargo xtask fuzz                               all targets, for a minute together
  cargo xtask fuzz operations --seconds 1800     one target, for half an hour

An input that makes a target fail is saved in tests/fuzz/artifacts; the output says how to run it again. Other inputs
that were found are in target/fuzz/found, where the next run begins.

Exit status: 0; 1 if a target failed or could not be run; 2 if the command line is invalid")]
pub(crate) struct Options {
    /// The time for all targets together
    #[arg(long, default_value_t = 60)]
    seconds: u64,

    /// The only target to run
    target: Option<String>,
}

const FOLDER: &str = "tests/fuzz";
/// The maximum length of an input in bytes: enough for programs of a few dozen steps, and for small components.
const MAX_BYTES: u32 = 1024;

/// A nightly compiler and cargo-fuzz.
#[derive(Debug)]
pub(crate) struct Fuzz(());

impl Fuzz {
    /// Finds or installs both.
    ///
    /// # Errors
    ///
    /// Fails if they are missing and cannot be installed.
    pub(crate) fn find() -> Result<Self> {
        provide_nightly()?;
        provide("cargo-fuzz", "cargo +nightly fuzz --version", "cargo install --locked cargo-fuzz")?;
        Ok(Self(()))
    }

    /// Builds the targets, and runs one after the other.
    ///
    /// # Errors
    ///
    /// Fails if a target does not build, or fails on an input.
    pub(crate) fn run(&self, guests: &Guests, targets: &[String], seconds: u64) -> Result<()> {
        let mut build = cargo_fuzz("build")?;
        if let [target] = targets {
            build.arg(target);
        }
        step("building the fuzz targets", guests.provide(&mut build))?;
        for target in targets {
            // New inputs go to another folder, so that the corpus in the repository stays small.
            let found = directory().join("found").join(target);
            std::fs::create_dir_all(&found)?;
            let mut run = cargo_fuzz("run")?;
            run.arg(target).arg(&found).arg(format!("corpus/{target}"));
            let seconds = (seconds / targets.len() as u64).max(1);
            run.args(["--", &format!("-max_len={MAX_BYTES}"), &format!("-max_total_time={seconds}")]);
            run.arg("-print_final_stats=1");
            step(&format!("fuzzing {target} for {seconds} s"), guests.provide(&mut run))?;
        }
        Ok(())
    }
}

/// Returns the target folder, which is not shared because the compiler and its flags are different.
fn directory() -> PathBuf {
    target_dir().join("fuzz")
}

fn cargo_fuzz(command: &str) -> Result<Command> {
    let mut cargo = nightly_cargo(FOLDER);
    cargo.args(["fuzz", command, "--fuzz-dir", ".", "--target-dir"]).arg(directory());
    // See `instrument`.
    cargo.env("RUSTC_WRAPPER", std::env::current_exe()?);
    Ok(cargo)
}

/// Returns the names of all targets, each of which is a file.
///
/// # Errors
///
/// Fails if the folder cannot be read.
pub(crate) fn targets() -> Result<Vec<String>> {
    let mut targets = Vec::new();
    for entry in std::fs::read_dir(root().join(FOLDER).join("fuzz_targets"))? {
        let name = entry?.file_name();
        targets.extend(Path::new(&name).file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
    }
    targets.sort();
    Ok(targets)
}

pub(crate) fn fuzz(options: &Options) -> Result<()> {
    let all = targets()?;
    let targets = match &options.target {
        None => all,
        Some(target) if all.contains(target) => vec![target.clone()],
        Some(target) => bail!("unknown target {target}; the targets are {}", all.join(", ")),
    };
    let fuzz = Fuzz::find()?;
    fuzz.run(&guests::build()?, &targets, options.seconds)
}
