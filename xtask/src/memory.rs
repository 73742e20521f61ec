//! `cargo xtask miri` and `cargo xtask valgrind`: tools that find undefined behaviour and invalid accesses to memory.

use anyhow::Result;

use crate::run::{cargo, nightly_cargo, provide, step, target_dir};

/// What Miri can run, since it does not map files.
const FOR_MIRI: [(&str, &[&str]); 3] =
    [("wasi-mmap-core", &[]), ("wasi-mmap", &["--lib"]), ("wasi-mmap-native", &["--lib"])];

/// The tests without an engine.
const FOR_VALGRIND: [(&str, &[&str]); 3] = [
    ("wasi-mmap-native", &["--lib"]),
    ("wasi-mmap-conformance", &["--test", "in_process"]),
    (
        "wasi-mmap-integration",
        &["--test", "all", "--", "--exact", "full_disk::native", "fuzz::operations", "fuzz::faults", "fuzz::windows"],
    ),
];

/// The options of Valgrind. What is not freed when a program ends is not an error. The handler of faults repairs a page
/// and lets the access go on, so all registers must be up to date there.
const VALGRIND: [&str; 5] = [
    "valgrind",
    "--quiet",
    "--vex-iropt-register-updates=allregs-at-mem-access",
    "--error-exitcode=9",
    "--leak-check=no",
];

pub(crate) fn miri() -> Result<()> {
    provide_nightly()?;
    provide("Miri", "cargo +nightly miri --version", "rustup component add --toolchain nightly miri rust-src")?;
    for (package, what) in FOR_MIRI {
        let mut miri = nightly_cargo(".");
        miri.args(["miri", "test", "--locked", "--package", package]).args(what);
        miri.arg("--target-dir").arg(target_dir().join("miri"));
        // The tests use files.
        miri.env("MIRIFLAGS", "-Zmiri-disable-isolation");
        step(&format!("Miri on {package}"), &mut miri)?;
    }
    Ok(())
}

pub(crate) fn valgrind() -> Result<()> {
    provide("Valgrind", "valgrind --version", "apt-get install --yes --no-install-recommends valgrind")?;
    for (package, what) in FOR_VALGRIND {
        let mut test = cargo(".");
        test.arg("--config").arg(format!("target.'cfg(unix)'.runner = {VALGRIND:?}"));
        test.args(["test", "--release", "--locked", "--package", package]).args(what);
        step(&format!("Valgrind on {package}"), &mut test)?;
    }
    Ok(())
}

/// Makes sure that there is a nightly compiler.
///
/// # Errors
///
/// Fails if it is missing and cannot be installed.
pub(crate) fn provide_nightly() -> Result<()> {
    let install = "rustup toolchain install nightly --profile minimal";
    provide("a nightly compiler", "cargo +nightly --version", install)
}
