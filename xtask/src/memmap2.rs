//! `cargo xtask memmap2`: the tests of the package that stands for memmap2, and memmap2's own tests on it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::run::{cargo, output, provide_target, step, target_dir};
use crate::{guests, run};

/// The folder of the package.
pub(crate) const FOLDER: &str = "guest/memmap2";

/// The version of memmap2 that it stands for.
pub(crate) const VERSION: &str = "0.9.12";

/// The ways to run memmap2's own tests as a plugin: the name, the target, and the options of `wasi-mmap run`.
const PLUGINS: [(&str, &str, &str); 3] = [
    ("on the host", "wasm32-wasip2", ""),
    ("on the fallback", "wasm32-wasip2", "--backend fallback"),
    ("as a module", "wasm32-wasip1", ""),
];

/// Around memmap2's tests, which are a module of the library there.
const LIBRARY: &str = "\
#![cfg(test)]
#![allow(warnings)]
pub use memmap2::*;
#[cfg(unix)]
pub mod advice {
    pub use memmap2::{Advice, UncheckedAdvice};
}
mod map;
";

/// The tests make temporary files. In a plugin, the standard library does not know where.
const TEMPORARY: &str = "\
pub use real::TempDir;

fn folder() -> std::path::PathBuf {
    std::env::var_os(\"TMPDIR\").map_or_else(std::env::temp_dir, Into::into)
}

pub fn tempdir() -> std::io::Result<TempDir> {
    TempDir::new_in(folder())
}

pub fn tempfile() -> std::io::Result<std::fs::File> {
    real::tempfile_in(folder())
}
";

/// Runs the package's own tests, and those of memmap2.
///
/// # Errors
///
/// Fails if something does not build, or if a test fails.
pub(crate) fn test() -> Result<()> {
    let mut own = cargo(FOLDER);
    own.args(["test", "--release", "--locked", "--all-features", "--target-dir"]).arg(guests::directory());
    step("tests of memmap2's stand-in", &mut own)?;
    let mut command = cargo(".");
    command.args(["build", "--release", "--locked", "--package", "wasi-mmap-cli"]);
    step("the command", &mut command)?;

    let folder = write_package().context("cannot copy memmap2's tests")?;
    let scratch = folder.join("scratch");
    let tests = || {
        let mut tests = cargo(&folder);
        tests.args(["test", "--release", "--lib", "--target-dir"]).arg(guests::directory());
        tests
    };
    step("memmap2's own tests", &mut tests())?;
    for (name, target, options) in PLUGINS {
        provide_target(target)?;
        fs::create_dir_all(&scratch)?;
        let run = target_dir().join("release/wasi-mmap");
        let runner =
            format!("{} run {options} --dir {}::/scratch --env TMPDIR=/scratch", run.display(), scratch.display());
        let variable = format!("CARGO_TARGET_{}_RUNNER", target.to_uppercase().replace('-', "_"));
        step(&format!("memmap2's own tests {name}"), tests().args(["--target", target]).env(variable, runner))?;
    }
    Ok(())
}

/// Writes a package with the tests of the registry's memmap2, over ours, and returns its folder.
fn write_package() -> Result<PathBuf> {
    let folder = target_dir().join("memmap2");
    let ours = run::root().join(FOLDER);
    let manifest = format!(
        "[package]\nname = \"memmap2-tests\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\
         [features]\ndefault = [\"stable_deref_trait\"]\nstable_deref_trait = []\n\
         [dependencies]\nlibc = \"0.2\"\nowning_ref = \"0.4.1\"\n\
         memmap2 = {{ path = {ours:?}, features = [\"stable_deref_trait\"] }}\n\
         tempfile = {{ package = \"temporary\", path = \"tempfile\" }}\n[workspace]\n"
    );
    write(&folder.join("Cargo.toml"), &manifest)?;
    write(&folder.join("src/lib.rs"), LIBRARY)?;
    write(&folder.join("src/map.rs"), &fs::read_to_string(source()?.join("test/map.rs"))?)?;
    let manifest = "[package]\nname = \"temporary\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\
         [lib]\nname = \"tempfile\"\n[dependencies]\nreal = { package = \"tempfile\", version = \"3\" }\n";
    write(&folder.join("tempfile/Cargo.toml"), manifest)?;
    write(&folder.join("tempfile/src/lib.rs"), TEMPORARY)?;
    Ok(folder)
}

/// Writes a file, unless it is the same: cargo looks at the time of its last change.
fn write(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|present| present == text) {
        return Ok(());
    }
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    Ok(fs::write(path, text)?)
}

/// Returns the folder of the source of the registry's memmap2, which cargo has downloaded.
pub(crate) fn source() -> Result<PathBuf> {
    let metadata = output(cargo(".").args(["metadata", "--format-version", "1", "--locked"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let mut packages = metadata["packages"].as_array().into_iter().flatten();
    let found = packages.find(|package| package["name"] == "memmap2").and_then(|found| found["manifest_path"].as_str());
    let manifest = Path::new(found.context("memmap2 is not in the lock file")?);
    Ok(manifest.parent().unwrap_or(manifest).to_owned())
}
