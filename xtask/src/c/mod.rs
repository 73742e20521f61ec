//! `cargo xtask c`: the library for C programs, installed in the target folder, and programs in C as plugins.

mod databases;
mod library;
mod toolchain;

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use clap::Args;

use crate::command::Absent;
use crate::run::target_dir;
pub(crate) use databases::{FOLDER, test};
use toolchain::{Machine, Toolchain};

/// The target of plugins.
const TARGET: &str = "wasm32-wasip2";

/// Build the library for C programs into target/c, and a program in C as a plugin
///
/// The compiler comes from PyPI into the target folder. Without a source, the programs of the tests are built as well.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask c                                          the library, and the programs of the tests
  cargo xtask c count.c -o count.wasm                    a program
  cargo xtask c count.c -o count.wasm -- -DLIMIT=5 -O3   … with flags for the compiler")]
pub(crate) struct Options {
    /// The sources of a program
    sources: Vec<PathBuf>,

    /// The file to write the program to
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,

    /// Flags for the compiler
    #[arg(last = true)]
    flags: Vec<String>,
}

/// Returns the folder in which everything is installed.
pub(crate) fn folder() -> PathBuf {
    target_dir().join("c")
}

/// Builds the library, and a program or those of the tests.
///
/// # Errors
///
/// Fails if something is missing or does not build.
pub(crate) fn c(options: &Options) -> Result<()> {
    let toolchain = match install()? {
        Ok(toolchain) => toolchain,
        Err(Absent(why)) => bail!("programs in C cannot be built: {why}"),
    };
    if options.sources.is_empty() {
        ensure!(options.output.is_none() && options.flags.is_empty(), "there are no sources");
        databases::build(&toolchain)?;
        println!("{}", folder().display());
        return Ok(());
    }
    let Some(program) = &options.output else { bail!("`-o OUT` is missing") };
    let objects: Result<Vec<_>> =
        options.sources.iter().map(|source| toolchain.compile(source, &options.flags, Machine::Plugin)).collect();
    toolchain.link(&objects?, program, Machine::Plugin)
}

/// Installs the compiler and the library, unless this machine lacks something.
///
/// # Errors
///
/// Fails if the library does not build.
fn install() -> Result<Result<Toolchain, Absent>> {
    let toolchain = match Toolchain::install()? {
        Ok(toolchain) => toolchain,
        Err(absent) => return Ok(Err(absent)),
    };
    library::install()?;
    Ok(Ok(toolchain))
}
