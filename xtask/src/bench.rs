//! `cargo xtask bench`: the benchmarks.

use anyhow::{Result, bail};
use clap::Args;

use crate::python;
use crate::run::cargo;

/// Measure the project against what its users would take instead; see `cargo xtask bench --help`
///
/// `cargo xtask bench python` measures Python plugins, and `cargo xtask bench instructions` counts instructions.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// The groups and options of the benchmarks
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn bench(options: &Options) -> Result<()> {
    let (name, arguments) = match options.arguments.split_first() {
        Some((group, [])) if group == "python" => return python::bench(),
        Some((group, _)) if group == "python" => bail!("`bench python` takes no arguments"),
        Some((group, rest)) if group == "instructions" => ("instructions", rest),
        _ => ("bench", &options.arguments[..]),
    };
    let mut bench = cargo(".");
    bench.args(["bench", "--locked", "--package", "wasi-mmap-benches", "--bench", name, "--"]).args(arguments);
    let status = bench.status()?;
    if !status.success() {
        std::process::exit(status.code().unwrap_or(1));
    }
    Ok(())
}
