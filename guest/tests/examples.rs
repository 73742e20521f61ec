//! Runs the examples natively, as their documentation says. `tests/integration/examples.rs` runs them as plugins.

#![cfg(not(target_family = "wasm"))]

use std::ffi::OsStr;
use std::fs;
use std::process::{Command, Stdio};

/// Runs an example, which must succeed, and returns its output.
fn run<A: AsRef<OsStr>>(example: &str, arguments: &[A]) -> String {
    // `cargo test` builds the examples, too: in the folder `examples` beside that of this test, `deps`.
    let test = std::env::current_exe().expect("a program");
    let folder = test.ancestors().nth(2).expect("the folder of the profile").join("examples");
    let program = folder.join(format!("{example}{}", std::env::consts::EXE_SUFFIX));
    let output = Command::new(&program).args(arguments).stdin(Stdio::null()).output();
    let output =
        output.unwrap_or_else(|error| panic!("{}: {error}; `cargo test -p wasi-mmap` builds it", program.display()));
    assert!(output.status.success(), "{example}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn grep_prints_the_lines_that_match() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("text");
    fs::write(&path, "one mmap\ntwo\nmmap, mmap\nlast mmap").expect("a file");
    let text: &OsStr = "mmap".as_ref();
    assert_eq!(run("grep", &[text, path.as_ref()]), "one mmap\nmmap, mmap\nlast mmap\n");
    assert_eq!(run("grep", &["nothing".as_ref(), path.as_os_str()]), "");
    assert_eq!(run("grep", &["".as_ref(), path.as_os_str()]), "one mmap\ntwo\nmmap, mmap\nlast mmap\n");
}

#[test]
fn edit_replaces_in_place() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("essay");
    fs::write(&path, "colour, colour").expect("a file");
    let printed = run("edit", &[path.as_os_str(), "colour".as_ref(), "color".as_ref()]);
    assert_eq!(printed, "replaced 2 times in 14 bytes\n");
    assert_eq!(fs::read_to_string(&path).expect("a file"), "color , color ");
}

#[test]
fn views_compute_the_checksum() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("text");
    fs::write(&path, "Wikipedia").expect("a file");
    // The example of Wikipedia's article on Adler-32.
    assert_eq!(run("views", &[&path]), "11e60398 zero-copy\n");
}

/// On other systems, a mapping cannot be resized.
#[test]
#[cfg(any(target_os = "linux", windows))]
fn a_log_grows() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("log");
    let long = "long ".repeat(2000);
    assert_eq!(run("log", &[path.as_os_str(), "one".as_ref(), long.as_ref()]), format!("one\n{long}\n"));
    assert_eq!(run("log", &[path.as_os_str(), "two".as_ref()]), format!("one\n{long}\ntwo\n"));
    assert!(fs::metadata(&path).expect("a file").len() > 8192);
}

/// On other systems, memory has no names.
#[test]
#[cfg(any(target_os = "linux", windows))]
fn programs_share_memory() {
    let name = format!("board-{}", std::process::id());
    let board = wasi_mmap::Mapping::options().length(4096).named(&name).expect("memory");
    assert_eq!(run("shared_memory", &[&name[..], "hello"]), "press Enter to leave the board\n");
    assert_eq!(run("shared_memory", &[&name[..], "goodbye"]), "hello\npress Enter to leave the board\n");
    assert_eq!(board.read_range(..14).expect("the board"), b"hello\ngoodbye\n");
}
