//! Tests that end their process, and so have one of their own.

use std::process::Command;

/// The environment variable that tells a test that it runs alone.
const ALONE: &str = "WASI_MMAP_ALONE";

/// The outcome of a test that ran alone.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) succeeded: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a test in a process of its own. Returns `None` in that process.
pub(crate) fn run(name: &str) -> Option<Output> {
    if std::env::var_os(ALONE).is_some() {
        return None;
    }
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    let output = command.args(["--exact", name, "--nocapture"]).env(ALONE, "").output().expect("a process");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Some(Output { succeeded: output.status.success(), stdout: text(output.stdout), stderr: text(output.stderr) })
}
