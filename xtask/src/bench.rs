//! `cargo xtask bench`: the benchmarks, with all that they need.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::{Args, Parser};
use serde::Deserialize;

use crate::guests::{self, Guests};
use crate::instructions;
use crate::python;
use crate::run::{cargo, quietly, root, target_dir};

/// Measure the project against what its users would take instead; `cargo xtask bench --help` says how,
/// `cargo xtask bench python` measures Python plugins, and `cargo xtask bench instructions` counts instructions.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// Groups and options of the benchmarks
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn bench(options: &Options) -> Result<()> {
    let guests = guests::build()?;
    if options.arguments.first().is_some_and(|group| group == "python") {
        return python::bench(&guests);
    }
    if options.arguments.first().is_some_and(|group| group == "instructions") {
        let options =
            instructions::Options::try_parse_from(&options.arguments[1..]).unwrap_or_else(|error| error.exit());
        return instructions::count(&build(&guests, "instructions")?, &options);
    }
    let emulation = emulation();
    let mut bench = Command::new(build(&guests, "bench")?);
    bench.args(&options.arguments);
    match emulation {
        Ok(module) => _ = bench.env("WASI_MMAP_EMULATION", module),
        Err(error) => eprintln!("The rows against wasi-libc are left out: {error:#}"),
    }
    let status = guests.tell(&mut bench).status().context("cannot run the benchmarks")?;
    if !status.success() {
        std::process::exit(status.code().unwrap_or(1));
    }
    Ok(())
}

/// Builds the benchmarks of a program, and answers where it is.
fn build(guests: &Guests, name: &str) -> Result<PathBuf> {
    let arguments = ["bench", "--locked", "--package", "wasi-mmap-tests", "--bench", name, "--no-run"];
    quietly("building the benchmarks (the first time takes minutes)", guests.tell(cargo(".").args(arguments)))?;
    // Built already; this says where.
    let output = guests.tell(cargo(".").args(arguments).arg("--message-format=json")).output()?;
    let messages = String::from_utf8(output.stdout)?;
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Artifact>(line).ok());
    artifacts
        .filter_map(|artifact| artifact.executable)
        .next_back()
        .context("cargo does not say where the benchmarks are")
}

/// What cargo says of something that it has built.
#[derive(Debug, Deserialize)]
struct Artifact {
    executable: Option<PathBuf>,
}

/// The program in C over the `mmap` that wasi-libc emulates.
fn emulation() -> Result<PathBuf> {
    let module = target_dir().join("guests").join("emulated_mmap.wasm");
    let mut clang = Command::new("clang");
    clang.args(["--target=wasm32-wasi", "-O2", "-D_WASI_EMULATED_MMAN", "-lwasi-emulated-mman", "-o"]).arg(&module);
    clang.arg(root().join("tests/peers/emulated_mmap.c"));
    let output = clang.stdin(Stdio::null()).output();
    let needed = "Debian's packages are clang, lld, wasi-libc and libclang-rt-dev-wasm32";
    let output = output.with_context(|| format!("there is no clang; {needed}"))?;
    if !output.status.success() {
        bail!("clang fails; {needed}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(module)
}
