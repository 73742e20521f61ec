//! Running other programs, with their output shown only where it is of use.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository").to_owned()
}

/// Where everything is built.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |directory| root().join(directory))
}

/// `cargo`, in a directory of the repository.
pub(crate) fn cargo(directory: impl AsRef<Path>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root().join(directory));
    command
}

/// Whether a program is there: whether it runs, and ends well.
pub(crate) fn answers(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Runs a program to its end; on a terminal it says what it does meanwhile, and if it fails it shows what it printed.
///
/// # Errors
///
/// If the program cannot be run, or fails.
pub(crate) fn quietly(what: &str, command: &mut Command) -> Result<()> {
    let bar = ProgressBar::new_spinner().with_message(what.to_owned());
    bar.set_style(ProgressStyle::with_template("{spinner} {msg} {elapsed}").expect("a template"));
    bar.enable_steady_tick(Duration::from_millis(100));
    let output = command.stdin(Stdio::null()).output();
    bar.finish_and_clear();
    let output = output.with_context(|| format!("cannot run {}", command.get_program().display()))?;
    if !output.status.success() {
        eprint!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("{what} failed: {}", output.status);
    }
    Ok(())
}

/// Runs a step of a longer job with its output shown, and says how long it took.
///
/// # Errors
///
/// If the program cannot be run, or fails.
pub(crate) fn step(what: &str, command: &mut Command) -> Result<()> {
    println!("== {what}");
    let started = Instant::now();
    let status = command.stdin(Stdio::null()).status();
    let status = status.with_context(|| format!("cannot run {}", command.get_program().display()))?;
    if !status.success() {
        bail!("{what} failed: {status}");
    }
    println!("== {what}: {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}
