//! `cargo xtask sanitize`: tools that see what a wrong access to memory does not show by itself.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;

use crate::guests;
use crate::nightly;
use crate::run::{answers, cargo, quietly, root, step, target_dir};

/// Look for undefined behaviour with Miri, and for memory errors with Valgrind
#[derive(Debug, Args)]
#[command(after_help = "\
Miri interprets the tests of core, of the fallback, and those of native that map nothing. Valgrind watches the tests of native, and
those of all tests that run natively: the behaviour suite, random operations, full disks and the fuzz targets' corpus.

It installs Miri, and Valgrind where it can: as root, on Debian.

Exit status: 0; 1 if something was found or could not be run; 2 if the command line was wrong")]
pub(crate) struct Options {
    /// Run Miri alone
    #[arg(long, conflicts_with = "valgrind")]
    miri: bool,

    /// Run Valgrind alone
    #[arg(long)]
    valgrind: bool,
}

/// What Miri can run: it maps no files.
const FOR_MIRI: [(&str, &[&str]); 3] =
    [("wasi-mmap-core", &[]), ("wasi-mmap", &["--lib"]), ("wasi-mmap-native", &["--lib"])];

/// The tests that run natively, in the program of all tests; the engine's own code is not ours to watch.
const FOR_VALGRIND: [&str; 10] = [
    "suite::native",
    "suite::native_views",
    "suite::fallback_library_in_process",
    "model::native",
    "model::native_views",
    "model::fallback_library_in_process",
    "full_disk::native",
    "fuzz::operations",
    "fuzz::faults",
    "fuzz::windows",
];

/// What is not freed when a program ends is no error: the system has it back.
/// Our handler repairs a fault, and the access goes on: for that, Valgrind must have all registers as they were.
const VALGRIND: [&str; 5] = [
    "valgrind",
    "--quiet",
    "--vex-iropt-register-updates=allregs-at-mem-access",
    "--error-exitcode=9",
    "--leak-check=no",
];

pub(crate) fn sanitize(options: &Options) -> Result<()> {
    let started = Instant::now();
    if !options.valgrind {
        miri()?;
    }
    if !options.miri {
        valgrind()?;
    }
    println!("== nothing was found in {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

fn miri() -> Result<()> {
    let how = "Miri needs `rustup component add --toolchain nightly miri rust-src`";
    nightly::find_component("miri", nightly::cargo(".").args(["miri", "--version"])).context(how)?;
    for (package, what) in FOR_MIRI {
        let mut miri = nightly::cargo(".");
        miri.args(["miri", "test", "--locked", "--package", package]).args(what);
        miri.arg("--target-dir").arg(target_dir().join("miri"));
        // The tests use files.
        miri.env("MIRIFLAGS", "-Zmiri-disable-isolation");
        step(&format!("Miri over {package}"), &mut miri)?;
    }
    Ok(())
}

fn valgrind() -> Result<()> {
    if !answers(Command::new("valgrind").arg("--version")) {
        let mut install = Command::new("apt-get");
        install.args(["install", "--yes", "--no-install-recommends", "valgrind"]).current_dir(root());
        quietly("installing Valgrind", install.env("DEBIAN_FRONTEND", "noninteractive"))
            .context("Valgrind is missing; on Debian: apt-get install valgrind")?;
    }
    let guests = guests::build()?;
    let test = |package: &str, what: &[&str], tests: &[&str]| {
        let mut test = cargo(".");
        test.args(["test", "--release", "--locked", "--package", package]).args(what);
        // What cargo runs the tests with.
        test.arg("--config").arg(format!("target.'cfg(unix)'.runner = {VALGRIND:?}"));
        test.arg("--").args(tests);
        step(&format!("Valgrind over {package}"), guests.tell(&mut test))
    };
    test("wasi-mmap-native", &["--lib"], &[])?;
    test("wasi-mmap-tests", &["--test", "all"], &[&["--exact"], &FOR_VALGRIND[..]].concat())
}
