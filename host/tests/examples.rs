//! Runs the examples as their documentation says, with the examples of `wasi-mmap` as plugins.

#![cfg(target_os = "linux")]

use std::fs;
use std::process::{Command, Output};

use wasi_mmap_test_support::plugin_path;

/// Runs an example with a plugin, in a folder that has the file `text`.
fn run(example: &str, plugin: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a directory");
    fs::write(folder.path().join("text"), "one mmap\ntwo\nlast mmap\n").expect("a file");
    let large = fs::File::create(folder.path().join("large")).expect("a file");
    large.set_len(2 << 20).expect("a sparse file");
    // `cargo test` builds the examples, too: in the folder `examples` beside that of this test, `deps`.
    let test = std::env::current_exe().expect("a program");
    let program = test.ancestors().nth(2).expect("the folder of the profile").join("examples").join(example);
    let mut command = Command::new(&program);
    command.arg(plugin_path(plugin, "wasm32-wasip2")).args(arguments).current_dir(folder.path());
    command
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; `cargo test -p wasi-mmap-host` builds it", program.display()))
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn embed_runs_a_plugin() {
    let output = run("embed", "grep", &[".", "mmap", "text"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "one mmap\nlast mmap\n");
    assert!(!run("embed", "grep", &[".", "mmap", "no such file"]).status.success());
}

#[test]
fn async_store_runs_a_plugin() {
    let output = run("async_store", "grep", &[".", "mmap", "text"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "one mmap\nlast mmap\n");
}

#[test]
fn limits_refuses_what_is_too_large_and_reports_every_mapping() {
    let output = run("limits", "grep", &[".", "mmap", "text"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "one mmap\nlast mmap\n");
    let audit = "audit: mapped 23 bytes, access Read\naudit: 0 mappings are left\n";
    assert_eq!(text(&output.stderr), audit);
    let output = run("limits", "grep", &[".", "mmap", "large"]);
    assert!(!output.status.success());
    let audit = "audit: refused: limit exceeded: mapped-bytes is 1048576, and 2097152 would be needed\n";
    assert!(text(&output.stderr).contains(audit), "{}", text(&output.stderr));
}

#[test]
fn two_plugins_share_memory() {
    let output = run("two_plugins", "shared_memory", &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "hello from one\nhello from the other\n");
}
