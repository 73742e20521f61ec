//! `cargo xtask lint`: formatting, lints and documentation.

use anyhow::Result;

use crate::run::{cargo, provide_target, step};
use crate::{guests, wine};

/// The folders of the workspaces.
const WORKSPACES: [&str; 4] = [".", "guest/component", "tests/programs", "tests/fuzz"];

/// macOS, for which nothing can be run here.
const MACOS: &str = "aarch64-apple-darwin";

/// The packages for every system.
const PORTABLE: &[&str] = &["wasi-mmap-core", "wasi-mmap-native", "wasi-mmap", "wasi-mmap-conformance"];

/// The packages that plugins are made of.
const PLUGIN: &[&str] = &["wasi-mmap", "wasi-mmap-sys"];

/// The runs of clippy: the folder of a workspace, the target if it is not this machine, and the packages if they are
/// not all.
const LINTS: [(&str, Option<&str>, &[&str]); 8] = [
    (".", None, &[]),
    (".", Some(wine::TARGET), PORTABLE),
    (".", Some(MACOS), PORTABLE),
    (".", Some("wasm32-wasip2"), PLUGIN),
    (".", Some("wasm32-wasip1"), PLUGIN),
    ("guest/component", Some("wasm32-wasip2"), &[]),
    ("tests/programs", Some("wasm32-wasip2"), &[]),
    ("tests/programs", Some("wasm32-wasip1"), &["bench", "suite"]),
];

pub(crate) fn lint() -> Result<()> {
    for folder in WORKSPACES {
        step(&format!("formatting of {folder}"), cargo(folder).args(["fmt", "--all", "--check"]))?;
    }
    for (folder, target, packages) in LINTS {
        let mut clippy = cargo(folder);
        clippy.args(["clippy", "--release", "--locked"]);
        clippy.args(packages.iter().flat_map(|package| ["--package", package]));
        match target {
            None => clippy.arg("--all-targets"),
            Some(target) => {
                provide_target(target)?;
                clippy.args(["--target", target])
            }
        };
        // Build scripts and macros are the same for all workspaces, and are built in one folder.
        if folder != "." {
            clippy.arg("--target-dir").arg(guests::directory());
        }
        clippy.args(["--", "-D", "warnings"]);
        step(&format!("lints of {folder} for {}", target.unwrap_or("this machine")), &mut clippy)?;
    }
    let mut doc = cargo(".");
    doc.args(["doc", "--release", "--locked", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
    step("documentation", &mut doc)
}
