//! Parts of tests that need a process of their own: one that another process is to see, that is to be killed, or that
//! may die.
//!
//! Such a process is this program, which runs the one test below.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{
    databases, durable, engine_memories, failures, faults, file_size, full_disk, growth, huge, names, scale, stable,
    stable_attacks, stable_breaks, stable_windows, stale, window_modes,
};
use wasi_mmap_conformance::storm;

/// The environment variable with the name of the part.
const PART: &str = "WASI_MMAP_TEST_PART";
/// The environment variable with the arguments of the part, one per line.
const ARGUMENTS: &str = "WASI_MMAP_TEST_ARGUMENTS";

/// Returns the command that runs a part in a process of its own.
pub fn command(part: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["child::part_of_another_test", "--exact", "--ignored", "--nocapture", "--quiet"]);
    command.env(PART, part).env(ARGUMENTS, arguments.join("\n")).stdin(Stdio::null());
    command
}

/// A running process that is killed when it is dropped.
pub struct Running(pub Child);

impl Running {
    pub fn start(part: &str, arguments: &[&str], stdout: Stdio) -> Self {
        Self(command(part, arguments).stdout(stdout).spawn().expect("a process"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "run by other tests, in a process of its own"]
fn part_of_another_test() {
    let Ok(part) = std::env::var(PART) else { return };
    let arguments = std::env::var(ARGUMENTS).expect("arguments");
    let arguments: Vec<&str> = arguments.lines().collect();
    match (part.as_str(), &arguments[..]) {
        ("shrink", [file, count, seed]) => {
            let (count, seed) = (count.parse().expect("a number"), seed.parse().expect("a number"));
            storm::shrink_and_grow(Path::new(file), count, seed).expect("a file");
        }
        ("record", [backend, file, from, compiled]) => {
            durable::record(backend, Path::new(file), from.parse().expect("a number"), Path::new(compiled));
        }
        ("c-program", [folder, compiled, arguments @ ..]) => databases::run(folder, compiled, arguments),
        ("into-data", [scratch]) => engine_memories::take_apart(Path::new(scratch)),
        ("stable", [action, file]) => stable::act(action, Path::new(file)),
        ("soak", [count]) => scale::soak(count.parse().expect("a number")),
        ("leak", [stores]) => scale::leak(stores.parse().expect("a number")),
        ("many", [mappings, plugins]) => {
            scale::many(mappings.parse().expect("a number"), plugins.parse().expect("a number"));
        }
        ("append", [file, times]) => growth::append(Path::new(file), times.parse().expect("a number")),
        ("limits-of-the-process", _) => scale::meet_the_limits_of_the_process(),
        (stolen, [file]) if stolen.starts_with("stolen-") => failures::lose_memory(stolen, Path::new(file)),
        ("lose-pages", _) => full_disk::lose_pages(),
        ("huge-pages", _) => huge::resize(),
        ("huge-files", _) => huge::map_files(),
        ("squat", [object, lock]) => names::squat(object, lock),
        (part, [scratch]) if part.starts_with("file-size") => file_size::meet(part, Path::new(scratch)),
        (part, [folder]) if part.starts_with("stable-") => stable_windows::meet(part, Path::new(folder)),
        (part, [file]) if part.starts_with("break-") => stable_breaks::meet(part, Path::new(file)),
        (part, [file]) if part.starts_with("attack-") => stable_attacks::meet(part, Path::new(file)),
        (part, [file]) if part.starts_with("mode-") => window_modes::meet(part, Path::new(file)),
        (part, [file]) if part.starts_with("stale") => stale::meet(part, Path::new(file)),
        (fault, [file]) => faults::meet(fault, Path::new(file)),
        other => panic!("no such part: {other:?}"),
    }
}
