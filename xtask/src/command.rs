//! The command `wasi-mmap` of this repository, and what it needs to run.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::run::{cannot_run, cargo, target_dir};

/// The reason why something is not available here, which is not a failure of this project.
#[derive(Debug)]
pub(crate) struct Absent(pub(crate) String);

/// Builds the command `wasi-mmap`, and returns its path.
///
/// # Errors
///
/// Fails if it does not build.
pub(crate) fn command() -> Result<PathBuf> {
    build(cargo(".").args(["build", "--release", "--locked", "--package", "wasi-mmap-cli"]))?;
    Ok(program(target_dir().join("release/wasi-mmap")))
}

/// Runs cargo, which shows its progress.
///
/// # Errors
///
/// Fails if cargo does.
pub(crate) fn build(cargo: &mut Command) -> Result<()> {
    let status = cargo.stdin(Stdio::null()).status().with_context(|| cannot_run(cargo))?;
    ensure!(status.success(), "cargo failed: {status}");
    Ok(())
}

/// Returns the path of a program, with the extension of this system.
pub(crate) fn program(path: PathBuf) -> PathBuf {
    path.with_extension(std::env::consts::EXE_EXTENSION)
}

/// Makes a folder in the target folder, which is removed when it is dropped.
///
/// # Errors
///
/// Fails if the folder cannot be made.
pub(crate) fn scratch() -> Result<TempDir> {
    tempfile::tempdir_in(target_dir()).context("cannot make a folder in the target folder")
}
