//! The nightly compiler, for what the stable one cannot do: fuzzing and Miri.

use std::process::Command;

use anyhow::Result;

use crate::run::{answers, quietly, root};

/// `cargo` of the nightly compiler, in a folder of the repository.
pub(crate) fn cargo(folder: &str) -> Command {
    let mut command = Command::new("cargo");
    command.arg("+nightly").current_dir(root().join(folder));
    command
}

/// Finds the compiler, or installs it.
///
/// # Errors
///
/// If it is missing, and there is no `rustup` that can install it.
pub(crate) fn find() -> Result<()> {
    if answers(cargo(".").arg("--version")) {
        return Ok(());
    }
    let mut install = Command::new("rustup");
    install.args(["toolchain", "install", "nightly", "--profile", "minimal"]).current_dir(root());
    quietly("installing a nightly compiler", &mut install)
}

/// Finds one of the compiler's components by what it answers to, or installs it.
///
/// # Errors
///
/// If it is missing, and there is no `rustup` that can install it.
pub(crate) fn find_component(name: &str, probe: &mut Command) -> Result<()> {
    find()?;
    if answers(probe) {
        return Ok(());
    }
    let mut add = Command::new("rustup");
    add.args(["component", "add", "--toolchain", "nightly", name]).current_dir(root());
    quietly(&format!("installing {name}"), &mut add)
}
