//! The examples of `wasi-mmap` as plugins, on the host and on the fallback. `guest/tests/examples.rs` runs them
//! natively.

use std::fs;

use super::support::{plugin, run_component};

/// Runs an example on the host and on the fallback, each time with a new folder that has a file `text`, and returns
/// what it printed and what is in the file then, which must be the same.
fn run(example: &[u8], text: &str, arguments: &[&str]) -> [(String, String); 2] {
    let composed = wasi_mmap_host::fallback::compose(example).expect("a composition");
    [(example, true), (&composed, false)].map(|(component, with_host)| {
        let scratch = tempfile::tempdir().expect("a directory");
        let path = scratch.path().join("text");
        if !text.is_empty() {
            fs::write(&path, text).expect("a file");
        }
        let arguments = [&["example"], arguments].concat();
        let printed = run_component(component, with_host, scratch.path(), &arguments).expect("the example runs");
        (printed, fs::read_to_string(&path).unwrap_or_default())
    })
}

#[test]
fn grep_prints_the_lines_that_match() {
    let text = "one mmap\ntwo\nmmap, mmap\nlast mmap";
    for (printed, _) in run(&plugin("grep", "wasm32-wasip2"), text, &["mmap", "/scratch/text"]) {
        assert_eq!(printed, "one mmap\nmmap, mmap\nlast mmap\n");
    }
}

#[test]
fn edit_replaces_in_place() {
    let arguments = ["/scratch/text", "colour", "color"];
    for (printed, text) in run(&plugin("edit", "wasm32-wasip2"), "colour, colour", &arguments) {
        assert_eq!(printed, "replaced 2 times in 14 bytes\n");
        assert_eq!(text, "color , color ");
    }
}

#[test]
fn views_are_windows_on_the_host_and_copies_on_the_fallback() {
    let printed = run(&plugin("views", "wasm32-wasip2"), "Wikipedia", &["/scratch/text"]).map(|(printed, _)| printed);
    assert_eq!(printed, ["11e60398 zero-copy\n", "11e60398 copied\n"]);
}

#[test]
fn a_log_grows() {
    let long = "long ".repeat(2000);
    for (printed, text) in run(&plugin("log", "wasm32-wasip2"), "", &["/scratch/text", "one", &long, "two"]) {
        assert_eq!(printed, format!("one\n{long}\ntwo\n"));
        assert!(text.len() > 8192);
    }
}

/// `host/examples/two_plugins.rs` runs it in two plugins, which share the memory.
#[test]
fn memory_has_a_name() {
    for (printed, _) in run(&plugin("shared_memory", "wasm32-wasip2"), "", &["board", "hello"]) {
        assert_eq!(printed, "press Enter to leave the board\n");
    }
}
