//! `cargo xtask published`: a program and libraries of the registry that map files with memmap2, as plugins, unmodified.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::guests;
use crate::memmap2;
use crate::run::{cargo, output, provide_target, root, step, target_dir};

/// The folder of the workspace that names what is downloaded, and has a program over the libraries.
pub(crate) const FOLDER: &str = "tests/published";

/// The program of the registry that is run.
const RIPGREP: &str = "ripgrep";

const TARGET: &str = "wasm32-wasip2";

/// A program over memmap2.
struct Program {
    /// The name of the binary.
    name: &'static str,
    /// The folder of its package, with a lock file.
    source: PathBuf,
}

/// Builds the programs natively and as plugins, and runs the tests that compare the two.
///
/// # Errors
///
/// Fails if something cannot be downloaded or does not build, or if a test fails.
pub(crate) fn test() -> Result<()> {
    provide_target(TARGET)?;
    step("downloading ripgrep and libraries over memmap2", cargo(FOLDER).args(["fetch", "--locked"]))?;
    let programs = [
        Program { name: "rg", source: source_of_ripgrep()? },
        Program { name: "published", source: root().join(FOLDER) },
    ];
    for program in &programs {
        program.build_native()?;
        program.build_plugin()?;
    }
    let mut tests = cargo(".");
    tests.args(["test", "--release", "--locked", "--package", "wasi-mmap-integration", "--test", "all", "--"]);
    tests.args(["published::", "--include-ignored", "--test-threads=1"]);
    step("programs over memmap2", tests.env("WASI_MMAP_PUBLISHED", guests::directory()))
}

/// Returns the folder of the source that cargo has downloaded. Cargo does not tell that of a package without a library,
/// which lies beside the others of the registry.
fn source_of_ripgrep() -> Result<PathBuf> {
    let lock = fs::read_to_string(root().join(FOLDER).join("Cargo.lock")).context("there is no lock file")?;
    let ripgrep = packages(&lock).find(|package| package.name == RIPGREP).context("ripgrep is not in the lock file")?;
    let mut metadata = cargo(FOLDER);
    metadata.args(["metadata", "--format-version", "1", "--locked"]);
    let metadata: serde_json::Value = serde_json::from_str(&output(&mut metadata)?)?;
    let mut packages = metadata["packages"].as_array().into_iter().flatten();
    let other = packages.find(|package| !package["source"].is_null()).and_then(|other| other["manifest_path"].as_str());
    let registry = Path::new(other.context("there are no packages")?).ancestors().nth(2).context("no registry")?;
    let folder = registry.join(format!("{RIPGREP}-{}", ripgrep.version));
    ensure!(folder.join("Cargo.toml").is_file(), "cargo has not unpacked {}", folder.display());
    Ok(folder)
}

impl Program {
    /// Builds the program as its authors do: for this machine, with the registry's memmap2 and its own lock file.
    fn build_native(&self) -> Result<()> {
        step(&format!("{}, natively", self.name), &mut self.build(&self.source))
    }

    /// Builds the program as a plugin: with this repository's memmap2, and otherwise with its own lock file.
    fn build_plugin(&self) -> Result<()> {
        let folder = target_dir().join("published").join(self.name);
        copy(&self.source, &folder)?;
        let patch = format!("patch.crates-io.memmap2.path={:?}", root().join(memmap2::FOLDER));
        self.lock(&folder, &patch)?;
        let mut build = self.build(&folder);
        build.args(["--target", TARGET, "--config", &patch]);
        // Natively, programs look for vector instructions when they run. In a plugin, that is decided here.
        build.env("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", "-C target-feature=+simd128");
        step(&format!("{}, as a plugin", self.name), &mut build)
    }

    fn build(&self, folder: &Path) -> Command {
        let mut build = cargo(".");
        build.args(["build", "--release", "--locked", "--bin", self.name, "--manifest-path"]);
        build.arg(folder.join("Cargo.toml")).arg("--target-dir").arg(guests::directory());
        // The time that debug information takes is not spent.
        build.env("CARGO_PROFILE_RELEASE_DEBUG", "0");
        build
    }

    /// Writes the lock file of a copy: the program's own, in which memmap2 is that of this repository. What memmap2
    /// needs has the versions of its own lock file.
    fn lock(&self, folder: &Path, patch: &str) -> Result<()> {
        let read = |folder: &Path| fs::read_to_string(folder.join("Cargo.lock")).context("there is no lock file");
        let text = merged(&read(&self.source)?, &read(&root().join(memmap2::FOLDER))?);
        let (lock, seen) = (folder.join("Cargo.lock"), folder.join("Cargo.lock.before"));
        if lock.is_file() && fs::read_to_string(&seen).is_ok_and(|before| before == text) {
            return Ok(());
        }
        fs::write(&lock, &text)?;
        let mut update = cargo(".");
        update.args(["update", "memmap2", "--precise", memmap2::VERSION, "--config", patch, "--manifest-path"]);
        step(&format!("{} over another memmap2", self.name), update.arg(folder.join("Cargo.toml")))?;
        let found = packages(&fs::read_to_string(&lock)?).any(|package| {
            package.name == "memmap2" && package.version == memmap2::VERSION && !package.text.contains("\nsource = ")
        });
        ensure!(found, "{} does not take memmap2 from this repository", self.name);
        Ok(fs::write(seen, text)?)
    }
}

/// Copies what has changed of a folder: cargo looks at the time of the last change.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy(&from, &to)?;
        } else if entry.file_name() != "Cargo.lock" {
            let bytes = fs::read(&from)?;
            if fs::read(&to).is_ok_and(|present| present == bytes) {
                continue;
            }
            fs::write(to, bytes)?;
        }
    }
    Ok(())
}

/// A package of a lock file.
struct Package<'a> {
    text: &'a str,
    name: &'a str,
    version: &'a str,
}

/// Returns the packages of a lock file.
fn packages(lock: &str) -> impl Iterator<Item = Package<'_>> {
    lock.split("\n[[package]]\n").skip(1).map(|text| {
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""));
            line.and_then(|line| line.strip_suffix('"')).unwrap_or_default()
        };
        Package { text, name: value("name"), version: value("version") }
    })
}

/// Returns a lock file, with the packages of the registry that it lacks from another. Cargo prefers their versions, and
/// removes those that it does not need.
fn merged(lock: &str, other: &str) -> String {
    let mut merged = lock.trim_end().to_owned();
    for package in packages(other) {
        let has = packages(lock).any(|present| (present.name, present.version) == (package.name, package.version));
        if !has && package.name != "memmap2" && package.text.contains("\nsource = ") {
            merged += "\n\n[[package]]\n";
            merged += package.text.trim_end();
        }
    }
    merged + "\n"
}
