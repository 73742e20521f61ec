//! Runs other programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

/// Returns the root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository").to_owned()
}

/// Returns the target folder.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |directory| root().join(directory))
}

/// Returns the command `cargo`, to be run in a folder of the repository.
pub(crate) fn cargo(folder: impl AsRef<Path>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root().join(folder));
    command
}

/// Returns the command `cargo` of the nightly compiler, to be run in a folder of the repository.
pub(crate) fn nightly_cargo(folder: impl AsRef<Path>) -> Command {
    let mut command = Command::new("cargo");
    command.arg("+nightly").current_dir(root().join(folder));
    command
}

/// Returns a command from its words, to be run in the root of the repository.
pub(crate) fn words(command: &str) -> Command {
    let mut words = command.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).current_dir(root());
    command
}

/// Returns whether a program can be run and succeeds.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Runs a program and returns its output.
///
/// # Errors
///
/// Fails if the program cannot be run, fails, or prints something other than UTF-8.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| cannot_run(command))?;
    let program = command.get_program().display();
    ensure!(output.status.success(), "{program}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).with_context(|| format!("{program} does not print UTF-8"))
}

/// Makes sure that a program is there: if `probe` fails, runs `install`.
///
/// # Errors
///
/// Fails if the program is missing and cannot be installed.
pub(crate) fn provide(what: &str, probe: &str, install: &str) -> Result<()> {
    if succeeds(&mut words(probe)) {
        return Ok(());
    }
    step(&format!("installing {what}"), &mut words(install))
        .with_context(|| format!("{what} is missing; `{install}` installs it"))
}

/// Makes sure that the standard library for a target is installed.
///
/// # Errors
///
/// Fails if it is missing and cannot be installed.
pub(crate) fn provide_target(target: &str) -> Result<()> {
    let libraries = output(&mut words(&format!("rustc --print target-libdir --target {target}")))?;
    if Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    step(&format!("installing the target {target}"), &mut words(&format!("rustup target add {target}")))
}

/// Runs a step of a longer job: prints the command line and, afterwards, the time that it took.
///
/// # Errors
///
/// Fails if the program cannot be run, or fails.
pub(crate) fn step(what: &str, command: &mut Command) -> Result<()> {
    println!("== {what}\n   {}", line(command));
    let started = Instant::now();
    let status = command.stdin(Stdio::null()).status().with_context(|| cannot_run(command))?;
    if !status.success() {
        bail!("{what} failed: {status}");
    }
    println!("== {what}: {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

pub(crate) fn cannot_run(command: &Command) -> String {
    format!("cannot run {}", command.get_program().display())
}

/// Formats a command as a line for a shell in the root of the repository.
fn line(command: &Command) -> String {
    let root = root();
    let mut line = String::new();
    if let Some(folder) = command.get_current_dir().and_then(|folder| folder.strip_prefix(&root).ok())
        && !folder.as_os_str().is_empty()
    {
        line += &format!("cd {} && ", quoted(&folder.to_string_lossy()));
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => line += &format!("{}={} ", name.display(), quoted(&value.to_string_lossy())),
            None => line += &format!("{}= ", name.display()),
        }
    }
    // The path of cargo is of no interest.
    let program = Path::new(command.get_program());
    line += &program.file_stem().unwrap_or_default().to_string_lossy();
    for argument in command.get_args() {
        line += " ";
        line += &quoted(&argument.to_string_lossy());
    }
    line
}

/// Quotes a word for a shell, if it has to be.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=+,@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) { word.to_owned() } else { format!("'{word}'") }
}
