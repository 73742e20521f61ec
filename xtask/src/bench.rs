//! `cargo xtask bench`: the benchmarks, with all that they need.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::run::{cargo, quietly, root, target_dir};
use crate::{guests, python};

/// Measure the project against what its users would take instead; `cargo xtask bench --help` says how, and
/// `cargo xtask bench python` measures Python plugins.
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
    let emulation = emulation();
    let mut build = cargo(".");
    build.args(["bench", "--locked", "--package", "wasi-mmap-tests", "--bench", "bench"]);
    quietly("building the benchmarks (the first time takes minutes)", guests.tell(build.args(["--no-run"])))?;
    let mut bench = cargo(".");
    bench.args(["bench", "--quiet", "--locked", "--package", "wasi-mmap-tests", "--bench", "bench", "--"]);
    bench.args(&options.arguments).env("WASI_MMAP_CALLER", std::env::current_dir()?);
    match emulation {
        Ok(module) => _ = bench.env("WASI_MMAP_EMULATION", module),
        Err(error) => eprintln!("The rows against wasi-libc are left out: {error:#}"),
    }
    let status = guests.tell(&mut bench).status().context("cannot run cargo")?;
    if !status.success() {
        std::process::exit(status.code().unwrap_or(1));
    }
    Ok(())
}

/// The program in C over the `mmap` that wasi-libc emulates.
fn emulation() -> Result<PathBuf> {
    let module = target_dir().join("guests").join("emulated_mmap.wasm");
    let mut clang = Command::new("clang");
    clang.args(["--target=wasm32-wasi", "-O2", "-D_WASI_EMULATED_MMAN", "-lwasi-emulated-mman", "-o"]).arg(&module);
    clang.arg(root().join("tests/peers/emulated_mmap.c"));
    let output = clang.stdin(Stdio::null()).output();
    let output = output.context("there is no clang; Debian's packages are clang, lld and wasi-libc")?;
    if !output.status.success() {
        bail!("clang fails, perhaps without lld and wasi-libc: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(module)
}
