//! `cargo xtask bench`: the benchmarks.

use std::ffi::OsString;
use std::path;

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
    bench.args(["bench", "--locked", "--package", "wasi-mmap-benches", "--bench", name, "--"]);
    bench.args(with_absolute_folder(arguments)?);
    let status = bench.status()?;
    if !status.success() {
        std::process::exit(status.code().unwrap_or(1));
    }
    Ok(())
}

/// Makes the folder of `--save` absolute, because cargo runs benchmarks in the folder of their package.
fn with_absolute_folder(arguments: &[String]) -> Result<Vec<OsString>> {
    let mut absolute = Vec::new();
    let mut is_folder = false;
    for argument in arguments {
        let folder = argument.strip_prefix("--save=");
        absolute.push(match folder {
            Some(folder) => {
                let mut option = OsString::from("--save=");
                option.push(path::absolute(folder)?);
                option
            }
            None if is_folder => path::absolute(argument)?.into(),
            None => argument.into(),
        });
        is_folder = argument == "--save";
    }
    Ok(absolute)
}
