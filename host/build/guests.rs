//! Builds the packages of this repository that run as WebAssembly, by running cargo from a build script.
//!
//! Shared by the build scripts of the host and of the tests, and by `xtask`. All of them build into one target folder,
//! so that each package is built once.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fmt};

/// Packages of one workspace, for one target.
#[derive(Debug)]
pub(crate) struct Guests {
    /// The folder of the workspace, from the root of the repository.
    workspace: &'static str,
    target: &'static str,
    /// The packages, or none for all.
    packages: &'static [&'static str],
    /// The files and folders that the packages are built from, apart from the workspace itself.
    sources: &'static [&'static str],
}

/// The fallback as a component.
pub(crate) const FALLBACK: Guests = Guests {
    workspace: "guest/component",
    target: "wasm32-wasip2",
    packages: &[],
    sources: &[
        "core/Cargo.toml",
        "core/src",
        "guest/Cargo.toml",
        "guest/build.rs",
        "guest/src",
        "guest/sys",
        "wit",
        "Cargo.toml",
        "rust-toolchain.toml",
    ],
};

/// What [`PROGRAMS`] are built from.
const SOURCES: &[&str] = &[
    "core/Cargo.toml",
    "core/src",
    "guest/Cargo.toml",
    "guest/build.rs",
    "guest/examples",
    "guest/memmap2/Cargo.toml",
    "guest/memmap2/src",
    "guest/src",
    "guest/sys",
    "tests/conformance/Cargo.toml",
    "tests/conformance/src",
    "wit",
    "Cargo.toml",
    "rust-toolchain.toml",
];

/// The programs of the tests, the benchmarks and the demo, as components.
#[allow(dead_code, reason = "the host does not need it")]
pub(crate) const PROGRAMS: Guests =
    Guests { workspace: "tests/programs", target: "wasm32-wasip2", packages: &[], sources: SOURCES };

/// Those programs that also run as preview 1 modules.
#[allow(dead_code, reason = "the host does not need it")]
pub(crate) const MODULES: Guests =
    Guests { target: "wasm32-wasip1", packages: &["bench", "memmap2-files", "suite"], ..PROGRAMS };

impl Guests {
    /// Builds the packages into the target folder `guests`, and returns the folder of the binaries.
    ///
    /// # Errors
    ///
    /// Fails if the target is not installed, or if cargo fails, which then has said why on standard error.
    pub(crate) fn build(&self, guests: &Path) -> Result<PathBuf, String> {
        self.check_target()?;
        let mut cargo = self.command("cargo");
        cargo.args(["build", "--release", "--locked", "--target", self.target, "--target-dir"]).arg(guests);
        cargo.args(self.packages.iter().flat_map(|package| ["--package", package]));
        let status = cargo.status().map_err(|error| format!("cannot run cargo: {error}"))?;
        if !status.success() {
            return Err(format!("building {self} failed: cargo's messages are above"));
        }
        Ok(guests.join(self.target).join("release"))
    }

    /// Makes cargo run the build script again when a source of the packages changes.
    pub(crate) fn watch(&self) {
        for source in [&[self.workspace], self.sources].concat() {
            println!("cargo::rerun-if-changed={}", root().join(source).display());
        }
    }

    fn check_target(&self) -> Result<(), String> {
        let mut rustc = self.command("rustc");
        let output =
            rustc.args(["--print", "target-libdir", "--target", self.target]).stderr(Stdio::inherit()).output();
        let output = output.map_err(|error| format!("cannot run rustc: {error}"))?;
        let libraries = String::from_utf8_lossy(&output.stdout);
        if output.status.success() && Path::new(libraries.trim()).is_dir() {
            return Ok(());
        }
        Err(format!("the target {0} is not installed: run `rustup target add {0}`", self.target))
    }

    /// Returns a command that runs in the workspace and inherits nothing from the cargo that runs the build script:
    /// that one builds for another target, with other flags, and maybe with clippy, Miri or another compiler.
    fn command(&self, program: &str) -> Command {
        const KEPT: [&str; 6] =
            ["CARGO_HOME", "CARGO_HTTP_", "CARGO_MAKEFLAGS", "CARGO_NET_", "CARGO_REGISTR", "CARGO_TERM_"];
        const REMOVED: [&str; 9] = [
            "RUSTC",
            "RUSTC_LINKER",
            "RUSTC_WORKSPACE_WRAPPER",
            "RUSTC_WRAPPER",
            "RUSTDOC",
            "RUSTDOCFLAGS",
            "RUSTFLAGS",
            // The toolchain is that of rust-toolchain.toml.
            "RUSTUP_TOOLCHAIN",
            "__CARGO_DEFAULT_LIB_METADATA",
        ];
        let mut command = Command::new(program);
        command.current_dir(root().join(self.workspace));
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            let of_cargo = text.starts_with("CARGO") && !KEPT.iter().any(|kept| text.starts_with(kept));
            if of_cargo || REMOVED.contains(&&*text) {
                command.env_remove(&name);
            }
        }
        command
    }
}

impl fmt::Display for Guests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", self.workspace, self.target)
    }
}

/// Returns the target folder of all guests, which lies in the target folder of the build script.
#[allow(dead_code, reason = "xtask is not a build script")]
pub(crate) fn directory() -> PathBuf {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    // target/[TARGET/]release/build/PACKAGE/out
    let target = out.ancestors().nth(4).expect("OUT_DIR lies in a target folder");
    let is_for_target = target.file_name() == env::var_os("TARGET").as_deref();
    let target = if is_for_target { target.parent().unwrap_or(target) } else { target };
    target.join("guests")
}

/// Returns the root of the repository.
fn root() -> PathBuf {
    // Read when the script runs: cargo does not build it anew in a repository that was moved with its target folder.
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let root = package.ancestors().find(|folder| folder.join(FALLBACK.workspace).is_dir());
    root.expect("the package lies in the repository of wasi-mmap").to_owned()
}
