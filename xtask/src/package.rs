//! `cargo xtask package`: the archives of the crates, and their use where nothing of the repository is in reach.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::Value;

use crate::command::program;
use crate::run::{cannot_run, cargo, output, provide_target, root, step, target_dir, words};

/// Pack the crates that can be published, and build and use them outside of the repository
#[derive(Debug, Default, Args)]
#[command(after_help = "\
Builds the fallback component from the archives, and compares it with host/fallback.wasm, which the archive of the host \
has; then the command from its archive and a plugin from that of the library, which runs on every backend.")]
pub(crate) struct Options {
    /// Replace host/fallback.wasm by what the sources give
    #[arg(long)]
    save: bool,
}

/// The crates that the fallback component is built from, in the order in which they are published.
const LIBRARY: [&str; 4] = ["wasi-mmap-core", "wasi-mmap-native", "wasi-mmap-sys", "wasi-mmap"];

/// All crates that are published, in that order.
const ALL: [&str; 7] =
    ["wasi-mmap-core", "wasi-mmap-native", "wasi-mmap-sys", "wasi-mmap", C_LIBRARY, "wasi-mmap-host", COMMAND];

/// The library for C programs, which is for components alone.
const C_LIBRARY: &str = "wasi-mmap-c";

const COMMAND: &str = "wasi-mmap-cli";

/// The fallback component that the archive of the host has.
const FALLBACK: &str = "host/fallback.wasm";

pub(crate) fn package(options: &Options) -> Result<()> {
    for target in ["wasm32-wasip1", "wasm32-wasip2"] {
        provide_target(target)?;
    }
    check_fallback(options.save)?;
    let place = Place::new(&ALL, "strip = \"debuginfo\"\n", "Cargo.lock")?;
    place.add_demo()?;
    let command = place.build_command()?;
    place.run_demo(&command)
}

/// Checks that the component in the host's archive is what the sources give, wherever they lie.
fn check_fallback(save: bool) -> Result<()> {
    // The profile of the component's own workspace.
    let profile = "lto = true\ncodegen-units = 1\nstrip = true\n";
    let place = Place::new(&LIBRARY, profile, "guest/component/Cargo.lock")?;
    place.add("fallback", "guest/component", &["src", "wit"])?;
    let mut build = place.cargo("target/package");
    build.args(["build", "--release", "--package", "wasi-mmap-fallback", "--target", "wasm32-wasip2"]);
    build.env("CARGO_ENCODED_RUSTFLAGS", machine_independent_flags()?);
    step("building the fallback component from the archives", &mut build)?;
    let built = fs::read(target_dir().join("package/wasm32-wasip2/release/wasi_mmap_fallback.wasm"))?;
    let file = root().join(FALLBACK);
    if save {
        fs::write(&file, &built)?;
    }
    let kept = fs::read(&file).with_context(|| format!("cannot read {FALLBACK}"))?;
    ensure!(kept == built, "{FALLBACK} is not what the sources give: `cargo xtask package --save` replaces it");
    Ok(())
}

/// Returns flags for the compiler with which no path of this machine gets into the component.
fn machine_independent_flags() -> Result<String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).context("cargo has no home")?;
    let sysroot = output(&mut words("rustc --print sysroot"))?;
    let version = output(&mut words("rustc --version --verbose"))?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).context("rustc has no commit")?;
    let registry = format!("--remap-path-prefix={}=/registry", home.join("registry/src").display());
    // The standard library has this path, unless its sources are installed.
    let library = format!("--remap-path-prefix={}/lib/rustlib/src/rust=/rustc/{commit}", sysroot.trim());
    Ok([registry, library].join("\x1f"))
}

/// A workspace outside of the repository, of archives that are unpacked.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// Packs crates, and unpacks them in an empty folder.
    fn new(crates: &[&str], profile: &str, lock: &str) -> Result<Self> {
        let version = env!("CARGO_PKG_VERSION");
        let mut package = cargo(".");
        // The archives are built below, all together.
        package.args(["package", "--no-verify", "--allow-dirty", "--locked", "--quiet"]);
        package.args(crates.iter().flat_map(|name| ["--package", name]));
        step("packing crates", &mut package)?;
        let place = Self { folder: tempfile::tempdir()? };
        let mut manifest =
            format!("[workspace]\nresolver = \"3\"\nmembers = [\"*\"]\n\n[profile.release]\n{profile}\n");
        manifest += "[patch.crates-io]\n";
        for name in crates {
            let archive = target_dir().join(format!("package/{name}-{version}.crate"));
            // With the present time: archives have the same for all files, at which cargo would not see that some are new.
            output(Command::new("tar").arg("-xzmf").arg(archive).arg("-C").arg(place.path("")))?;
            fs::rename(place.path(&format!("{name}-{version}")), place.path(name))?;
            manifest += &format!("{name} = {{ path = \"{name}\" }}\n");
            let unpacked = fs::read_to_string(place.path(name).join("Cargo.toml"))?;
            for key in ["description", "license", "readme", "rust-version"] {
                ensure!(unpacked.contains(&format!("\n{key} = ")), "the archive of {name} has no {key}");
            }
            for file in ["LICENSE-APACHE", "LICENSE-MIT", "README.md"] {
                ensure!(place.path(name).join(file).is_file(), "the archive of {name} has no {file}");
            }
        }
        fs::write(place.path("Cargo.toml"), manifest)?;
        fs::copy(root().join(lock), place.path("Cargo.lock"))?;
        fs::copy(root().join("rust-toolchain.toml"), place.path("rust-toolchain.toml"))?;
        Ok(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Adds a package that is not published, and takes the crates from the registry, as a user's does. `parts` are its
    /// folders, of which those that do not exist are folders of the repository.
    fn add(&self, name: &str, from: &str, parts: &[&str]) -> Result<()> {
        let from = root().join(from);
        let text = fs::read_to_string(from.join("Cargo.toml"))?;
        // Without its workspace, and what it inherits from that.
        let own = text.split("\n[profile").next().unwrap_or(&text).replace("\n[workspace]\n", "\n");
        let own: Vec<String> = own.lines().map(|line| by_version(line, env!("CARGO_PKG_VERSION"))).collect();
        fs::create_dir(self.path(name))?;
        fs::write(self.path(name).join("Cargo.toml"), own.join("\n") + "\n")?;
        for part in parts {
            let own = from.join(part);
            let source = if own.is_dir() { own } else { root().join(part) };
            copy_folder(&source, &self.path(name).join(part))?;
        }
        Ok(())
    }

    fn add_demo(&self) -> Result<()> {
        self.add("demo", "tests/programs/demo", &["src"])
    }

    /// Returns cargo, which builds into a folder of the repository, so that what comes from the registry, the engine
    /// above all, is not compiled again.
    fn cargo(&self, target: &str) -> Command {
        let mut cargo = cargo(".");
        cargo.current_dir(self.path("")).env("CARGO_TARGET_DIR", root().join(target));
        cargo.env_remove("WASI_MMAP_FALLBACK");
        cargo
    }

    /// Builds the library for plugins, and the command, and returns the command's path.
    fn build_command(&self) -> Result<PathBuf> {
        let target = target_dir();
        let target = target.to_str().context("the target folder is not UTF-8")?;
        let mut build = self.cargo(target);
        build.args(["build", "--release", "--package", COMMAND]);
        step("building the command from its archive", &mut build)?;
        for target in ["wasm32-wasip1", "wasm32-wasip2"] {
            let mut build = self.cargo("target/package");
            build.args(["build", "--release", "--package", "wasi-mmap", "--package", "demo", "--target", target]);
            step(&format!("building a plugin for {target} with the archive of the library"), &mut build)?;
        }
        let mut build = self.cargo("target/package");
        build.args(["build", "--release", "--package", C_LIBRARY, "--target", "wasm32-wasip2"]);
        step("building the library for C programs from its archive", &mut build)?;
        for header in ["sys/mman.h", "fcntl.h"] {
            ensure!(self.path(C_LIBRARY).join("include").join(header).is_file(), "{C_LIBRARY} has no {header}");
        }
        let command = program(self.path("command"));
        fs::copy(program(target_dir().join("release/wasi-mmap")), &command)?;
        Ok(command)
    }

    /// Runs the demo as a plugin, and checks that all backends find the same.
    fn run_demo(&self, command: &Path) -> Result<()> {
        let plugin = |target: &str| root().join("target/package").join(target).join("release/demo.wasm");
        let (component, module) = (self.path("demo.wasm"), self.path("module.wasm"));
        fs::copy(plugin("wasm32-wasip2"), &component)?;
        fs::copy(plugin("wasm32-wasip1"), &module)?;
        let composed = self.path("composed.wasm");
        let run = |arguments: &[&str]| {
            let mut run = Command::new(command);
            run.current_dir(self.path("")).env("WASI_MMAP_CACHE", "").args(arguments);
            let output = run.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
            let output = output.with_context(|| cannot_run(&run))?;
            ensure!(output.status.success(), "wasi-mmap {} failed: {}", arguments.join(" "), output.status);
            Ok(output.stdout)
        };
        run(&["compose", "demo.wasm", "-o", "composed.wasm"])?;
        fs::create_dir(self.path("scratch"))?;
        fs::copy(self.path("wasi-mmap-core/LICENSE-APACHE"), self.path("scratch/text"))?;
        let mut found: Vec<(&str, Vec<Value>)> = Vec::new();
        for (name, backend, plugin) in [
            ("the host", "host", &component),
            ("the fallback", "fallback", &component),
            ("a composed plugin", "host", &composed),
            ("a module", "host", &module),
        ] {
            let plugin = plugin.to_str().context("the path is not UTF-8")?;
            let files = ["/scratch/text", "/scratch", "Licensor"];
            let line = [&["run", "--backend", backend, "--dir", "scratch::/scratch", plugin][..], &files].concat();
            let report: Value = serde_json::from_slice(&run(&line)?).context("the demo's report")?;
            found.push((name, ["lines", "matches", "checksum"].map(|key| report[key].clone()).to_vec()));
        }
        let (_, first) = &found[0];
        ensure!(first[1].as_u64().is_some_and(|matches| matches > 0), "the demo finds nothing: {first:?}");
        for (name, values) in &found {
            if values != first {
                bail!("{name} finds {values:?}, and the host {first:?}");
            }
        }
        println!("== archives of {} work outside of the repository", ALL.join(", "));
        Ok(())
    }
}

/// Replaces a path in a manifest's line by the version of the crate, and removes what is inherited from a workspace.
fn by_version(line: &str, version: &str) -> String {
    if line.contains(".workspace = true") || line == "workspace = true" {
        let kept = if line.starts_with("edition") { "edition = \"2024\"" } else { "" };
        return kept.to_owned();
    }
    match line.split_once("path = \"") {
        Some((before, rest)) if line.starts_with("wasi-mmap") => {
            let rest = rest.split_once('"').map_or("", |(_, rest)| rest);
            format!("{before}version = \"{version}\"{rest}")
        }
        _ => line.to_owned(),
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let (from, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        if from.is_dir() {
            copy_folder(&from, &to.join(name))?;
        } else {
            fs::copy(&from, to.join(name))?;
        }
    }
    Ok(())
}
