//! `cargo xtask lint`: formatting, lints and documentation.

use anyhow::Result;

use crate::run::{cargo, provide_target, step};
use crate::{c, guests, memmap2, published, wine};

/// The folders of the workspaces.
const WORKSPACES: [&str; 7] =
    [".", "guest/component", memmap2::FOLDER, "tests/programs", published::FOLDER, c::FOLDER, "tests/fuzz"];

/// macOS, for which nothing can be run here.
const MACOS: &str = "aarch64-apple-darwin";

/// The packages for every system.
const PORTABLE: &[&str] = &["wasi-mmap-core", "wasi-mmap-native", "wasi-mmap", "wasi-mmap-conformance"];

/// The packages that plugins are made of.
const PLUGIN: &[&str] = &["wasi-mmap", "wasi-mmap-c", "wasi-mmap-sys"];

/// The runs of clippy: the folder of a workspace, the target if it is not this machine, and the packages if they are
/// not all.
const LINTS: [(&str, Option<&str>, &[&str]); 16] = [
    (".", None, &[]),
    (".", Some(wine::TARGET), PORTABLE),
    (".", Some(MACOS), PORTABLE),
    (".", Some("wasm32-wasip2"), PLUGIN),
    (".", Some("wasm32-wasip1"), PLUGIN),
    ("guest/component", Some("wasm32-wasip2"), &[]),
    (memmap2::FOLDER, None, &[]),
    (memmap2::FOLDER, Some(wine::TARGET), &[]),
    (memmap2::FOLDER, Some(MACOS), &[]),
    (memmap2::FOLDER, Some("wasm32-wasip2"), &[]),
    (memmap2::FOLDER, Some("wasm32-wasip1"), &[]),
    // A system without files that can be mapped.
    (memmap2::FOLDER, Some("wasm32-unknown-unknown"), &[]),
    ("tests/programs", Some("wasm32-wasip2"), &[]),
    ("tests/programs", Some("wasm32-wasip1"), &["bench", "memmap2-files", "suite"]),
    (published::FOLDER, None, &[]),
    // For this machine, where it needs no C compiler.
    (c::FOLDER, None, &[]),
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
    for folder in [".", memmap2::FOLDER] {
        let mut doc = cargo(folder);
        doc.args(["doc", "--release", "--locked", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
        if folder != "." {
            doc.arg("--target-dir").arg(guests::directory());
        }
        step(&format!("documentation of {folder}"), &mut doc)?;
    }
    Ok(())
}
