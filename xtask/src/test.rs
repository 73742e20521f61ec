//! `cargo xtask test`: everything that CI runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use clap::Args;

use crate::fuzz::{self, Fuzz};
use crate::kernels::Kernels;
use crate::run::{cargo, step, target_dir};
use crate::windows::{self, Windows};
use crate::{guests, python, wit};

/// Run every check and every test.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Run the tests alone: no formatting, lints and documentation
    #[arg(long)]
    tests_only: bool,

    /// Run random tests in their long form, and an hour of fuzzing: two hours or so
    #[arg(long)]
    long: bool,

    /// Run the tests for Windows alone, and fail if Wine or MinGW is missing: without this option they are left out then
    #[arg(long)]
    windows: bool,

    /// Run the tests of Python plugins alone; without this, they are left out where they cannot be run
    #[arg(long, conflicts_with_all = ["tests_only", "long"])]
    python: bool,

    /// The package `test` of a CPython (3.14 or before) to take tests of mmap from; by default an installed one
    #[arg(long, value_name = "FOLDER")]
    cpython_tests: Option<PathBuf>,

    /// Run the tests of windows, faults and hostile plugins on the kernels of Debian 12 and 13 alone, in QEMU
    #[arg(long, conflicts_with_all = ["tests_only", "long", "windows", "python"])]
    kernels: bool,

    /// Where those kernels are, as `vmlinuz-6.1.…` and `vmlinuz-6.12.…`; by default they are downloaded from Debian's mirror
    #[arg(long, value_name = "FOLDER")]
    kernel_images: Option<PathBuf>,
}

/// The folders of the workspaces.
const WORKSPACES: [&str; 4] = [".", "guest/component", "tests/plugins", "tests/fuzz"];

/// macOS, for which everything is checked, and nothing can be run.
const MACOS: &str = "aarch64-apple-darwin";
/// The packages that are meant for every system.
const PORTABLE: [&str; 4] = ["wasi-mmap-core", "wasi-mmap-native", "wasi-mmap", "wasi-mmap-tests"];

/// For how many seconds all targets are fuzzed together, and in the long form.
const FUZZING: (u64, u64) = (60, 3600);

/// What lints look at: a workspace's folder, the target if it is not this machine, and the packages if they are not all.
const LINTS: [(&str, Option<&str>, &[&str]); 6] = [
    (".", None, &[]),
    (".", Some(windows::TARGET), &PORTABLE),
    (".", Some(MACOS), &PORTABLE),
    ("guest/component", Some("wasm32-wasip2"), &[]),
    ("tests/plugins", Some("wasm32-wasip2"), &[]),
    ("tests/plugins", Some("wasm32-wasip1"), &guests::MODULES),
];

pub(crate) fn test(options: &Options) -> Result<()> {
    let started = Instant::now();
    if options.windows {
        Windows::find()?.test(options.long)?;
        println!("== everything passed on Windows in {:.0} s", started.elapsed().as_secs_f64());
        return Ok(());
    }
    if options.python {
        return python::test(&guests::build()?, true, options.cpython_tests.as_deref());
    }
    if options.kernels {
        let kernels = Kernels::find(options.kernel_images.as_deref())?;
        kernels.test(&guests::build()?)?;
        println!("== everything passed on older kernels in {:.0} s", started.elapsed().as_secs_f64());
        return Ok(());
    }
    if !options.tests_only {
        for folder in WORKSPACES {
            step(&format!("formatting of {folder}"), cargo(folder).args(["fmt", "--all", "--check"]))?;
        }
        wit::check()?;
        python::check_readme()?;
    }
    let guests = guests::build()?;
    if !options.tests_only {
        guests::install_target(windows::TARGET)?;
        guests::install_target(MACOS)?;
        for (folder, target, packages) in LINTS {
            let mut clippy = cargo(folder);
            clippy.args(["clippy", "--release", "--locked"]);
            clippy.args(packages.iter().flat_map(|package| ["--package", package]));
            match target {
                None => clippy.arg("--all-targets"),
                Some(target) => clippy.args(["--target", target]),
            };
            // What is built for this machine on the way, macros and the like, is built in the workspace's folder once.
            if folder != "." {
                clippy.arg("--target-dir").arg(&guests.directory);
            }
            clippy.args(["--", "-D", "warnings"]);
            let name = format!("lints of {folder} for {}", target.unwrap_or("this machine"));
            step(&name, guests.tell(&mut clippy))?;
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
    let counts = target_dir().join("tmp/cases");
    // What an older run left is not this one's.
    let _ = fs::remove_dir_all(&counts);
    step("tests", guests.tell(&mut tests))?;
    print_counts(&counts)?;
    match Windows::find() {
        Ok(windows) => windows.test(options.long)?,
        Err(why) => println!("== the tests for Windows were left out: {why:#}"),
    }
    python::test(&guests, false, options.cpython_tests.as_deref())?;
    if options.long {
        match Kernels::find(options.kernel_images.as_deref()) {
            Ok(kernels) => kernels.test(&guests)?,
            Err(why) if options.kernel_images.is_some() => return Err(why),
            Err(why) => println!("== the tests on older kernels were left out: {why:#}"),
        }
    } else {
        println!("== the tests on older kernels were left out: `--long` and `--kernels` run them");
    }
    match Fuzz::find() {
        Ok(fuzz) => fuzz.run(&guests, &fuzz::targets()?, if options.long { FUZZING.1 } else { FUZZING.0 })?,
        Err(why) => println!("== fuzzing was left out: {why:#}"),
    }
    println!("== everything passed in {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// Prints how many cases of the behaviour suite each backend has run: the tests themselves print only when they fail.
fn print_counts(folder: &Path) -> Result<()> {
    let mut files: Vec<_> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    println!("== cases of the behaviour suite");
    for file in files {
        println!("{}", fs::read_to_string(file)?);
    }
    Ok(())
}
