//! `cargo xtask public-api`: the public surface of the crates, compared with the snapshots in `docs/public-api`.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::memmap2;
use crate::run::{cargo, root, step, target_dir};

/// Compare the public surface of the crates with the snapshots in docs/public-api
#[derive(Debug, Default, Args)]
#[command(after_help = "\
The snapshots are made from the JSON of rustdoc, for Linux and with the default features. After a change that is meant,
save them and commit them with the change.")]
pub(crate) struct Options {
    /// Save the present surface as the snapshots
    #[arg(long)]
    save: bool,
}

/// The crates with a snapshot.
const CRATES: [&str; 4] = ["wasi-mmap-core", "wasi-mmap-native", "wasi-mmap", "wasi-mmap-host"];

/// The variable that makes this program be `rustdoc`.
const AS_RUSTDOC: &str = "WASI_MMAP_XTASK_AS_RUSTDOC";

/// Returns whether cargo has called this program in place of rustdoc.
pub(crate) fn is_called_as_rustdoc() -> bool {
    std::env::var_os(AS_RUSTDOC).is_some()
}

/// Runs rustdoc with its unstable options. If cargo itself had `RUSTC_BOOTSTRAP`, it would compile all dependencies
/// anew.
pub(crate) fn document(arguments: &[OsString]) -> ExitCode {
    let status = Command::new("rustdoc").args(&arguments[1..]).env("RUSTC_BOOTSTRAP", "1").status();
    if status.is_ok_and(|status| status.success()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Compares the public surface of all crates, or saves it.
///
/// # Errors
///
/// Fails if a crate cannot be documented, or if its public surface differs from the snapshot.
pub(crate) fn public_api(options: &Options) -> Result<()> {
    let mut doc = json_of(".")?;
    // The whole workspace, as the step `documentation` has it: dependencies are compiled once for both.
    step("public surface", doc.arg("--workspace"))?;
    let folder = target_dir();
    let mut changed = Vec::new();
    for name in CRATES {
        let json = folder.join("doc").join(format!("{}.json", name.replace('-', "_")));
        let found = surface(&json, true)?.join("\n") + "\n";
        let snapshot = root().join("docs/public-api").join(format!("{name}.txt"));
        if options.save {
            fs::create_dir_all(root().join("docs/public-api"))?;
            fs::write(&snapshot, found)?;
            continue;
        }
        let expected = fs::read_to_string(&snapshot).with_context(|| format!("cannot read {}", snapshot.display()))?;
        if expected != found {
            print_difference(name, &expected, &found);
            changed.push(name);
        }
    }
    compare_memmap2()?;
    if !changed.is_empty() {
        bail!(
            "the public surface of {} differs from docs/public-api; if the change is meant, run `cargo xtask public-api \
             --save`, review the difference, and commit it",
            changed.join(", ")
        );
    }
    Ok(())
}

/// Compares the public surface of memmap2 and of the package that stands for it, with all traits.
///
/// # Errors
///
/// Fails if a package cannot be documented, or if the surfaces differ.
fn compare_memmap2() -> Result<()> {
    let mut surfaces = Vec::new();
    // The root's workspace has the one of the registry as a dependency; ours has its own.
    for (what, folder, packages) in [("registry", ".", &["--package", "memmap2"][..]), ("ours", memmap2::FOLDER, &[])] {
        let target = target_dir().join("memmap2").join(what);
        let mut doc = json_of(folder)?;
        doc.args(packages).arg("--target-dir").arg(&target);
        step(&format!("public surface of memmap2 ({what})"), &mut doc)?;
        surfaces.push(surface(&target.join("doc/memmap2.json"), false)?);
    }
    if surfaces[0] != surfaces[1] {
        print_difference("memmap2", &surfaces[0].join("\n"), &surfaces[1].join("\n"));
        bail!("the public surface of {} differs from memmap2's", memmap2::FOLDER);
    }
    Ok(())
}

/// Returns the command that documents packages of a workspace as JSON.
fn json_of(folder: &str) -> Result<Command> {
    let mut doc = cargo(folder);
    doc.args(["doc", "--release", "--locked", "--no-deps", "--lib"]);
    // The JSON of rustdoc is unstable. The version of the crate `public-api` is the one that reads that of this
    // compiler.
    doc.env("RUSTDOCFLAGS", "-Zunstable-options --output-format json");
    doc.env("RUSTDOC", std::env::current_exe()?).env(AS_RUSTDOC, "1");
    Ok(doc)
}

/// Returns the items of a crate, one a line, maybe without the traits that every type of its kind has.
fn surface(json: &Path, is_short: bool) -> Result<Vec<String>> {
    let builder = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_derived_impls(is_short)
        .omit_auto_trait_impls(is_short);
    let api = builder.build().with_context(|| format!("cannot read {}", json.display()))?;
    Ok(api.items().map(ToString::to_string).collect())
}

/// Prints the lines that only one of two snapshots has.
fn print_difference(name: &str, expected: &str, found: &str) {
    println!("== {name}");
    for line in expected.lines().filter(|line| !found.lines().any(|other| other == *line)) {
        println!("-{line}");
    }
    for line in found.lines().filter(|line| !expected.lines().any(|other| other == *line)) {
        println!("+{line}");
    }
}
