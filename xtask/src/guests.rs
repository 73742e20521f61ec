//! What is built for wasm: the plugins of tests and demo, and the fallback component. This is the only place that builds them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::run::{cargo, quietly, root, target_dir};

/// Where the plugins and the component lie.
#[derive(Debug)]
pub(crate) struct Guests {
    /// The target folder, with a folder for each target.
    pub(crate) directory: PathBuf,
}

/// The targets that are not there with every Rust.
const TARGETS: [&str; 2] = ["wasm32-wasip1", "wasm32-wasip2"];
/// The plugins that also run as preview 1 modules.
pub(crate) const MODULES: [&str; 2] = ["bench", "suite"];

/// The target folder of all that is not for this machine.
pub(crate) fn directory() -> PathBuf {
    target_dir().join("guests")
}

/// Builds everything for wasm.
///
/// # Errors
///
/// If a target cannot be installed, or something does not build.
pub(crate) fn build() -> Result<Guests> {
    for target in TARGETS {
        install_target(target)?;
    }
    check_tested()?;
    let directory = directory();
    let build = |what: &str, folder: &str, target: &str, packages: &[&str]| {
        let mut command = cargo(folder);
        command.args(["build", "--release", "--locked", "--target", target, "--target-dir"]).arg(&directory);
        command.args(packages.iter().flat_map(|package| ["--package", package]));
        quietly(what, &mut command)
    };
    build("building the fallback component", "guest/component", "wasm32-wasip2", &[])?;
    build("building the plugins", "tests/plugins", "wasm32-wasip2", &[])?;
    build("building the preview 1 modules", "tests/plugins", "wasm32-wasip1", &MODULES)?;
    Ok(Guests { directory })
}

/// Refuses a plugin that no test runs: it would be dead weight, and nobody would notice that it breaks.
fn check_tested() -> Result<()> {
    let mut tests = String::new();
    for folder in ["tests/tests/all", "host/tests"] {
        for entry in std::fs::read_dir(root().join(folder))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                tests += &std::fs::read_to_string(path)?;
            }
        }
    }
    for entry in std::fs::read_dir(root().join("tests/plugins"))? {
        let entry = entry?;
        let name = entry.file_name().into_string().unwrap_or_default();
        if entry.path().is_dir() && !tests.contains(&format!("plugin(\"{name}\"")) {
            bail!("no test runs the plugin tests/plugins/{name}");
        }
    }
    Ok(())
}

impl Guests {
    /// A plugin, as a component.
    pub(crate) fn component(&self, name: &str) -> PathBuf {
        self.directory.join("wasm32-wasip2/release").join(format!("{name}.wasm"))
    }

    /// Tells a program where the component that the host embeds is, and where the plugins are.
    pub(crate) fn tell<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("WASI_MMAP_FALLBACK", self.component("wasi_mmap_fallback"))
            .env("WASI_MMAP_PLUGINS", &self.directory)
    }
}

/// Installs the standard library for a target, unless it is there.
///
/// # Errors
///
/// If it is missing and there is no `rustup` to install it.
pub(crate) fn install_target(target: &str) -> Result<()> {
    let output =
        Command::new("rustc").args(["--print", "sysroot"]).current_dir(root()).stderr(Stdio::inherit()).output();
    let output = output.context("cannot run rustc")?;
    let sysroot = String::from_utf8(output.stdout).context("rustc names its folder in UTF-8")?;
    if Path::new(sysroot.trim()).join("lib/rustlib").join(target).join("lib").is_dir() {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", target]).current_dir(root());
    if let Err(error) = quietly(&format!("installing the target {target}"), &mut rustup) {
        bail!("{error:#}; without rustup, install the standard library for {target} by hand");
    }
    Ok(())
}
