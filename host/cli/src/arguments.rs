//! The command line.

use std::path::PathBuf;

use crate::{Limit, Limits, WindowPolicy};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Memory-mapped files for WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "\
Examples:
  wasi-mmap run --dir data grep.wasm needle data/big.log
  wasi-mmap compose grep.wasm -o grep-anywhere.wasm
  wasi-mmap inspect grep.wasm"
)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Run(RunOptions),
    Compose(ComposeOptions),
    Inspect(InspectOptions),
}

/// Run a plugin: a component that exports wasi:cli/run.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wasi-mmap run --dir . wc.wasm README.md               the plugin sees this directory, under the same name
  wasi-mmap run --dir /var/log::/logs wc.wasm /logs/x   … under another name
  wasi-mmap run --read-only-dir . wc.wasm README.md     … and cannot change it
  wasi-mmap run --backend fallback --dir . wc.wasm x    … without real mappings, as on any other engine
  wasi-mmap run --limit mapped-bytes=10GiB --dir . wc.wasm x
  wasi-mmap run --windows stable --dir . wc.wasm x      … with a plugin that you do not trust

Exit status:
  the plugin's own, if it ran to its end: WASI 0.2 has 0 for success and 1 for failure
  2    the command line was wrong
  125  the plugin could not be run: it is missing, no component, no command, or imports something unknown
  134  the plugin trapped")]
pub struct RunOptions {
    /// Give the plugin a directory, to read and write; under the name GUEST, or under its own
    #[arg(long = "dir", value_name = "HOST[::GUEST]", value_parser = parse_directory)]
    pub directories: Vec<Directory>,

    /// Give the plugin a directory to read
    #[arg(long = "read-only-dir", value_name = "HOST[::GUEST]", value_parser = parse_directory)]
    pub read_only_directories: Vec<Directory>,

    /// Set an environment variable of the plugin; without a value, to what it is here
    #[arg(long = "env", value_name = "NAME[=VALUE]")]
    pub environment: Vec<String>,

    /// Where the mappings come from
    #[arg(long, value_enum, default_value_t)]
    pub backend: Backend,

    /// Which parts of files may lie in the plugin's own memory
    #[arg(long, value_enum, default_value_t, long_help = WINDOWS_HELP)]
    pub windows: Windows,

    /// Limit what the plugin may use: a number, or one with KiB, MiB, GiB or TiB
    #[arg(long = "limit", value_name = "NAME=NUMBER", value_parser = parse_limit, long_help = limit_help())]
    pub limits: Vec<(Limit, u64)>,

    /// Write what the run took to a file, as JSON
    #[arg(long, value_name = "FILE")]
    pub stats: Option<PathBuf>,

    /// The plugin
    pub plugin: PathBuf,

    /// What the plugin gets as its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<String>,
}

/// Plug the fallback into a plugin, so that it runs on any WASI 0.2 engine.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  wasi-mmap compose grep.wasm -o grep-anywhere.wasm && wasmtime run --dir . grep-anywhere.wasm needle big.log

Exit status: 0, or 1 if the plugin could not be composed, and then OUT is not written")]
pub struct ComposeOptions {
    /// The plugin
    pub plugin: PathBuf,

    /// Where to write the composed component
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
}

/// Say which of our interfaces a plugin imports, and where it runs.
#[derive(Debug, Args)]
#[command(after_help = "Exit status: 0, or 1 if it is no component")]
pub struct InspectOptions {
    /// The plugin
    pub plugin: PathBuf,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Where mappings come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// Real mappings of the operating system
    #[default]
    Host,
    /// The fallback component, over ordinary file I/O
    Fallback,
}

const WINDOWS_HELP: &str = "\
Which parts of files may lie in the plugin's own memory, where it reads and writes them without a copy. Where it may have none, it
copies. The default is for plugins that you trust, on files that you leave alone meanwhile";

/// Which windows the plugin may have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Windows {
    /// None
    Never,
    /// Those whose bytes no other process can change: of memory, of copies, and of files to read that can be held still
    Stable,
    /// All
    #[default]
    Any,
}

impl From<Windows> for WindowPolicy {
    fn from(windows: Windows) -> Self {
        match windows {
            Windows::Never => Self::Never,
            Windows::Stable => Self::Stable,
            Windows::Any => Self::Any,
        }
    }
}

/// A directory of the host, and what the plugin calls it.
#[derive(Debug, Clone)]
pub struct Directory {
    pub host: PathBuf,
    pub guest: String,
}

fn parse_directory(text: &str) -> Result<Directory, String> {
    let (host, guest) = text.split_once("::").unwrap_or((text, text));
    if host.is_empty() || guest.is_empty() {
        return Err("a name is empty".into());
    }
    Ok(Directory { host: host.into(), guest: guest.into() })
}

fn parse_limit(text: &str) -> Result<(Limit, u64), String> {
    let (name, number) = text.split_once('=').ok_or("expected NAME=NUMBER")?;
    let limit = Limit::ALL.into_iter().find(|limit| limit.name() == name).ok_or_else(|| {
        let names = Limit::ALL.map(Limit::name).join(", ");
        format!("there is no limit {name}; there are {names}")
    })?;
    Ok((limit, parse_size(number)?))
}

fn parse_size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
    let unit = UNITS.into_iter().find_map(|(name, bytes)| Some((text.strip_suffix(name)?, bytes)));
    let (number, unit) = unit.unwrap_or((text, 1));
    let number: u64 = number.trim().parse().map_err(|error| format!("{text}: {error}"))?;
    number.checked_mul(unit).ok_or_else(|| format!("{text} is more than 2^64 - 1"))
}

fn limit_help() -> String {
    let limits = Limits::default();
    let defaults = Limit::ALL.map(|limit| format!("  {limit}={}", limits.get(limit))).join("\n");
    format!("Limit what the plugin may use: a number, or one with KiB, MiB, GiB or TiB. The defaults:\n{defaults}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_size("17"), Ok(17));
        assert_eq!(parse_size("3KiB"), Ok(3072));
        assert_eq!(parse_size("2 TiB"), Ok(2 << 40));
        for bad in ["", "x", "-1", "1.5GiB", "1GB", "99999999999TiB"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }
}
