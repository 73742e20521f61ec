//! `cargo xtask fuzz`: looks for inputs that bring something down.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};
use clap::Args;

use crate::run::{root, step};

/// Run the fuzz targets, with a nightly compiler and cargo-fuzz
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How long to run all targets together
    #[arg(long, default_value_t = 60)]
    seconds: u64,

    /// Run this target alone
    target: Option<String>,
}

/// Where the targets are.
const FOLDER: &str = "tests/fuzz";

/// What is fuzzed.
const TARGETS: [&str; 3] = ["operations", "faults", "windows"];

/// Whether the compiler and the tool are there. The tests replay the corpus without them.
fn is_available() -> bool {
    let mut version = Command::new("cargo");
    version.args(["+nightly", "fuzz", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

pub(crate) fn fuzz(options: &Options) -> Result<()> {
    if !is_available() {
        bail!("fuzzing needs `rustup toolchain install nightly` and `cargo install cargo-fuzz`");
    }
    let targets = match options.target.as_deref() {
        None => TARGETS.to_vec(),
        Some(target) if TARGETS.contains(&target) => vec![target],
        Some(target) => bail!("there is no target {target}; there are {}", TARGETS.join(", ")),
    };
    let seconds = (options.seconds / targets.len() as u64).max(1);
    for target in targets {
        // What is found goes to a folder of its own: the corpus in the repository stays small.
        let found = root().join(FOLDER).join("target/found").join(target);
        std::fs::create_dir_all(&found)?;
        let mut run = Command::new("cargo");
        run.current_dir(root().join(FOLDER));
        run.args(["+nightly", "fuzz", "run", "--fuzz-dir", ".", target]).arg(&found);
        run.arg(format!("corpus/{target}"));
        run.args(["--", "-max_len=4096", &format!("-max_total_time={seconds}")]);
        step(&format!("fuzzing {target} for {seconds} s"), &mut run)?;
    }
    Ok(())
}
