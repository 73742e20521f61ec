//! A program that maps files with memmap2 and knows nothing of this project, which takes memmap2's place.

use std::fs;
use std::path::Path;

use super::support::{Run, any_windows, compile_and_run_module, plugin, run_component};
use wasi_mmap_host::fallback::compose;
use wasi_mmap_host::{MmapCtx, WindowPolicy};

/// Runs the program, and checks that all of its checks have run, and what it has left behind.
fn check(run: impl FnOnce(&Path) -> String) {
    let scratch = tempfile::tempdir().expect("a directory");
    let printed = run(scratch.path());
    assert!(printed.ends_with("24 checks\n"), "{printed}");
    // The mapping was leaked.
    let name = printed.lines().position(|line| line.starts_with("what is leaked")).expect("the check");
    let leaked = fs::read(scratch.path().join(name.to_string()).join("leaked")).expect("the file");
    assert_eq!(leaked, b"was written");
}

/// Returns the arguments of the program: mappings are `pages` of the files, or `copies`.
fn arguments(backend: &str) -> [&str; 3] {
    ["memmap2-files", "/scratch", backend]
}

fn component() -> Vec<u8> {
    plugin("memmap2-files", "wasm32-wasip2")
}

#[test]
fn on_the_host() {
    check(|scratch| run_component(&component(), true, scratch, &arguments("pages")).expect("a run"));
}

#[test]
fn on_the_fallback() {
    let composed = compose(&component()).expect("a composition");
    check(|scratch| run_component(&composed, false, scratch, &arguments("copies")).expect("a run"));
}

#[test]
fn as_a_module() {
    let module = plugin("memmap2-files", "wasm32-wasip1");
    check(|scratch| compile_and_run_module(&module, scratch, &arguments("copies")).expect("a run"));
}

/// A host that has mappings, and no windows.
#[test]
fn without_windows() {
    check(|scratch| {
        let context = MmapCtx::builder().windows(WindowPolicy::Never).build();
        let mut run = Run::new(context, scratch, &arguments("copies")).expect("a store");
        let (printed, outcome) = run.call(&component(), true).expect("a run");
        assert_eq!(outcome, Ok(()), "{printed}");
        printed
    });
}

/// Whatever becomes of its mappings, the store keeps none of them.
#[test]
fn nothing_stays_in_the_store() {
    let scratch = tempfile::tempdir().expect("a directory");
    let mut run = Run::new(any_windows(), scratch.path(), &arguments("pages")).expect("a store");
    let (printed, outcome) = run.call(&component(), true).expect("a run");
    assert_eq!(outcome, Ok(()), "{printed}");
    // The leaked one.
    assert_eq!(run.store.data().mmap.usage().get(wasi_mmap_host::Limit::Mappings), 1);
}
