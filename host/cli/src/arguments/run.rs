//! The options of `wasi-mmap run`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use wasi_mmap_host::{Limit, Limits, WindowPolicy};

/// Run a plugin: a component that exports wasi:cli/run, or a module for WASI preview 1, such as wasm32-wasip1
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wasi-mmap run --dir . wc.wasm README.md               give the plugin this directory, under the same name
  wasi-mmap run --dir /var/log::/logs wc.wasm /logs/x   … under another name
  wasi-mmap run --read-only-dir . wc.wasm README.md     … to read only
  wasi-mmap run --backend fallback --dir . wc.wasm x    without real mappings, as on any other engine
  wasi-mmap run --limit mapped-bytes=10GiB --dir . wc.wasm x
  wasi-mmap run --windows stable --dir . wc.wasm x      a plugin that you do not trust
  wasi-mmap run - <wc.wasm                              the plugin from standard input
  wasi-mmap run --stats - --dir . wc.wasm README.md     what did the mapping do for the plugin?

The plugin is compiled at the first start, and kept for the next: see `wasi-mmap cache`.

Exit status:
  0    the plugin succeeded
  1    the plugin failed; most plugins can return no other status
  N    the plugin called exit-with-code of wasi:cli/exit, which WASI has since 0.2.12
  2    the command line is invalid
  125  the plugin could not be run: the file is missing, is not a plugin, is not a command, or has unknown imports
  134  the plugin trapped")]
pub struct RunOptions {
    /// Let the plugin read and write a directory, which it sees as GUEST, or else under the same name
    #[arg(long = "dir", value_name = "HOST[::GUEST]", value_parser = parse_directory)]
    pub directories: Vec<Directory>,

    /// Let the plugin read a directory
    #[arg(long = "read-only-dir", value_name = "HOST[::GUEST]", value_parser = parse_directory)]
    pub read_only_directories: Vec<Directory>,

    /// Set an environment variable of the plugin; without a value, copy it from this environment
    #[arg(long = "env", value_name = "NAME[=VALUE]")]
    pub environment: Vec<String>,

    /// Choose what implements the mappings
    #[arg(long, value_enum, default_value_t)]
    pub backend: Backend,

    /// Choose which parts of files the plugin may have in its own memory
    #[arg(long, value_enum, default_value_t, long_help = WINDOWS_HELP)]
    pub windows: Windows,

    /// Limit what the plugin may use; a number may end in KiB, MiB, GiB or TiB
    #[arg(long = "limit", value_name = "NAME=NUMBER", value_parser = parse_limit, long_help = limit_help())]
    pub limits: Vec<(Limit, u64)>,

    /// Let the plugin use TCP, and look up names of hosts
    #[arg(long)]
    pub tcp: bool,

    /// Let the plugin use UDP, and look up names of hosts
    #[arg(long)]
    pub udp: bool,

    /// Write what the run took, and what the mappings did, to a file, or with - to standard error: times, memory, page
    /// faults, bytes that were mapped, in windows, and copied
    #[arg(long, value_name = "FILE")]
    pub stats: Option<PathBuf>,

    /// Write the statistics as JSON
    #[arg(long, requires = "stats")]
    pub json: bool,

    /// Compile the plugin anew, and do not keep it
    #[arg(long)]
    pub no_cache: bool,

    /// Run a compiled plugin, whose code no sandbox confines: you trust whoever made the file
    #[arg(long)]
    pub allow_compiled: bool,

    /// The plugin's file, or - for standard input
    pub plugin: PathBuf,

    /// The plugin's arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<String>,
}

/// An implementation of mappings.
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
Choose which parts of files the plugin may have in its own memory, where it reads and writes them without copying. It
copies the rest. The default suits plugins that you trust, on files that nobody else writes to while the plugin runs";

/// The windows that a plugin may have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Windows {
    /// None
    Never,
    /// Those whose bytes no other process can change: of memory, of copies, and of files that can be protected while
    /// they are read
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

/// A directory that the plugin may use.
#[derive(Debug, Clone)]
pub struct Directory {
    /// Its path on the host.
    pub host: PathBuf,
    /// Its path in the plugin.
    pub guest: String,
}

fn parse_directory(text: &str) -> Result<Directory, String> {
    let (host, guest) = text.split_once("::").unwrap_or((text, text));
    if host.is_empty() || guest.is_empty() {
        return Err("the path is empty".into());
    }
    Ok(Directory { host: host.into(), guest: guest.into() })
}

fn parse_limit(text: &str) -> Result<(Limit, u64), String> {
    let (name, number) = text.split_once('=').ok_or("expected NAME=NUMBER")?;
    let limit = Limit::ALL.into_iter().find(|limit| limit.name() == name).ok_or_else(|| {
        let names = Limit::ALL.map(Limit::name).join(", ");
        format!("unknown limit {name}; the limits are {names}")
    })?;
    Ok((limit, parse_size(number)?))
}

fn parse_size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
    let unit = UNITS.into_iter().find_map(|(name, bytes)| Some((text.strip_suffix(name)?, bytes)));
    let (number, unit) = unit.unwrap_or((text, 1));
    let number: u64 = number.trim().parse().map_err(|error| format!("{text}: {error}"))?;
    number.checked_mul(unit).ok_or_else(|| format!("{text} is greater than 2^64 - 1"))
}

fn limit_help() -> String {
    let limits = Limits::default();
    let defaults = Limit::ALL.map(|limit| format!("  {limit}={}", limits.get(limit))).join("\n");
    format!("Limit what the plugin may use; a number may end in KiB, MiB, GiB or TiB. The defaults:\n{defaults}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_may_have_units() {
        assert_eq!(parse_size("17"), Ok(17));
        assert_eq!(parse_size("3KiB"), Ok(3072));
        assert_eq!(parse_size("2 TiB"), Ok(2 << 40));
        for bad in ["", "x", "-1", "1.5GiB", "1GB", "99999999999TiB"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }
}
