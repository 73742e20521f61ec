//! `cargo xtask fuzz`: looks for inputs that bring something down.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::guests::{self, Guests};
use crate::nightly;
use crate::run::{answers, quietly, root, step, target_dir};

/// Run the fuzz targets, with a nightly compiler and cargo-fuzz
#[derive(Debug, Args)]
#[command(after_help = "\
Without a nightly compiler or cargo-fuzz, it installs them. The targets are the files of tests/fuzz/fuzz_targets; the tests replay
their corpus, tests/fuzz/corpus, without either.

Examples:
  cargo xtask fuzz                               all targets, a minute together
  cargo xtask fuzz operations --seconds 1800     one of them for half an hour

An input that brings something down is in tests/fuzz/artifacts, and is printed with how to run it again. What else was found is in
target/fuzz/found, and is where the next run begins.

Exit status: 0; 1 if something was found or could not be run; 2 if the command line was wrong")]
pub(crate) struct Options {
    /// How long to run all targets together
    #[arg(long, default_value_t = 60)]
    seconds: u64,

    /// Run this target alone
    target: Option<String>,
}

/// Where the targets are.
const FOLDER: &str = "tests/fuzz";
/// The most bytes of an input: programs of some dozen steps, and components of some dozen items.
const MOST_BYTES: u32 = 1024;

/// A compiler and a tool for fuzzing.
#[derive(Debug)]
pub(crate) struct Fuzz(());

impl Fuzz {
    /// Finds or installs both.
    ///
    /// # Errors
    ///
    /// If they are missing and cannot be installed.
    pub(crate) fn find() -> Result<Self> {
        const HOW: &str = "fuzzing needs `rustup toolchain install nightly` and `cargo install cargo-fuzz`";
        nightly::find().context(HOW)?;
        if !answers(nightly::cargo(FOLDER).args(["fuzz", "--version"])) {
            let mut install = Command::new("cargo");
            install.args(["install", "--locked", "cargo-fuzz"]).current_dir(root());
            quietly("installing cargo-fuzz", &mut install).context(HOW)?;
        }
        Ok(Self(()))
    }

    /// Builds the targets, and runs them one after the other.
    ///
    /// # Errors
    ///
    /// If one does not build, or an input brings it down.
    pub(crate) fn run(&self, guests: &Guests, targets: &[String], seconds: u64) -> Result<()> {
        let mut build = cargo_fuzz("build")?;
        if let [target] = targets {
            build.arg(target);
        }
        step("building the fuzz targets", guests.tell(&mut build))?;
        for target in targets {
            // What is found goes to a folder of its own: the corpus in the repository stays small.
            let found = directory().join("found").join(target);
            std::fs::create_dir_all(&found)?;
            let mut run = cargo_fuzz("run")?;
            run.arg(target).arg(&found).arg(format!("corpus/{target}"));
            let seconds = (seconds / targets.len() as u64).max(1);
            run.args(["--", &format!("-max_len={MOST_BYTES}"), &format!("-max_total_time={seconds}")]);
            run.arg("-print_final_stats=1");
            step(&format!("fuzzing {target} for {seconds} s"), guests.tell(&mut run))?;
        }
        Ok(())
    }
}

/// Where the targets are built: with another compiler, and other flags.
fn directory() -> PathBuf {
    target_dir().join("fuzz")
}

fn cargo_fuzz(command: &str) -> Result<Command> {
    let mut cargo = nightly::cargo(FOLDER);
    cargo.args(["fuzz", command, "--fuzz-dir", ".", "--target-dir"]).arg(directory());
    // See `instrument`.
    cargo.env("RUSTC_WRAPPER", std::env::current_exe()?);
    Ok(cargo)
}

/// The names of all targets: each is a file.
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
        Some(target) => bail!("there is no target {target}; there are {}", all.join(", ")),
    };
    let fuzz = Fuzz::find()?;
    fuzz.run(&guests::build()?, &targets, options.seconds)
}
