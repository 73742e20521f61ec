//! `cargo xtask test`: everything that CI runs.

use std::time::Instant;

use anyhow::Result;
use clap::Args;

use crate::run::{cargo, step};
use crate::{guests, wit};

/// Run every check and every test.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Run the tests alone: no formatting, lints and documentation
    #[arg(long)]
    tests_only: bool,

    /// Run random tests in their long form: an hour or so
    #[arg(long)]
    long: bool,
}

/// The workspaces: their folders, and the targets that their lints run for besides this machine's.
const WORKSPACES: [(&str, &[&str]); 3] =
    [(".", &[]), ("guest/component", &["wasm32-wasip2"]), ("tests/plugins", &["wasm32-wasip2", "wasm32-wasip1"])];

pub(crate) fn test(options: &Options) -> Result<()> {
    let started = Instant::now();
    if !options.tests_only {
        for (folder, _) in WORKSPACES {
            step(&format!("formatting of {folder}"), cargo(folder).args(["fmt", "--all", "--check"]))?;
        }
        wit::check()?;
    }
    let guests = guests::build()?;
    if !options.tests_only {
        for (folder, targets) in WORKSPACES {
            let mut clippy = cargo(folder);
            clippy.args(["clippy", "--release", "--locked", "--workspace"]);
            if targets.is_empty() {
                clippy.arg("--all-targets");
            } else {
                clippy.arg("--target-dir").arg(&guests.directory);
                clippy.args(targets.iter().flat_map(|target| ["--target", target]));
            }
            clippy.args(["--", "-D", "warnings"]);
            step(&format!("lints of {folder}"), guests.tell(&mut clippy))?;
        }
        let mut doc = cargo(".");
        doc.args(["doc", "--release", "--locked", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
        step("documentation", guests.tell(&mut doc))?;
    }
    let mut tests = cargo(".");
    tests.args(["test", "--release", "--locked", "--workspace"]);
    if options.long {
        tests.env("WASI_MMAP_LONG", "1");
    }
    step("tests", guests.tell(&mut tests))?;
    println!("== everything passed in {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}
