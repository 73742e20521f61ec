//! Windows whose bytes nobody changes, in a plugin, under each policy.

use std::fs::{self, File};
use std::panic::{catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use super::child;
use super::stable::{LEN, act_elsewhere, folders, make};
use super::support::{Run, engine, is_long, plugin};
use wasi_mmap_host::{Limit, MmapCtx, WindowPolicy};
use wasmtime::component::Component;

/// Runs a check of the plugin `window`.
fn check(policy: Option<WindowPolicy>, limit: Option<u64>, scratch: &Path, check: &str) -> Arc<wasi_mmap_host::Usage> {
    let mut ctx = MmapCtx::builder();
    if let Some(policy) = policy {
        ctx = ctx.windows(policy);
    }
    if let Some(limit) = limit {
        ctx = ctx.limit(Limit::HeldBytes, limit);
    }
    let ctx = ctx.build();
    let usage = Arc::clone(ctx.usage());
    let mut run = Run::new(ctx, scratch, &["window", check]).expect("a store");
    let window = component();
    let (printed, outcome) = run.call_compiled(window, true).unwrap_or_else(|error| panic!("{check}: {error:?}"));
    assert_eq!((printed.lines().last(), outcome), (Some(format!("{check}: done").as_str()), Ok(())));
    usage
}

fn component() -> &'static Component {
    static WINDOW: std::sync::OnceLock<Component> = std::sync::OnceLock::new();
    WINDOW.get_or_init(|| Component::from_binary(engine(), &plugin("window", "wasm32-wasip2")).expect("a component"))
}

#[test]
fn a_plugin_that_may_have_no_windows_copies() {
    let scratch = tempfile::tempdir().expect("a directory");
    for one in ["unsupported", "views-are-copies", "mutable-view"] {
        check(Some(WindowPolicy::Never), None, scratch.path(), one);
    }
}

#[test]
fn stable_windows_are_the_default() {
    in_a_process_of_its_own("stable-default");
}

#[test]
fn held_bytes_are_limited_and_given_back() {
    in_a_process_of_its_own("stable-limit");
}

/// Runs a part of a test where no other test starts processes: one that is being started has all open files of this one
/// for a moment, and no lease is to be had on a file that is open for writing.
fn in_a_process_of_its_own(part: &str) {
    for folder in folders() {
        let output = child::command(part, &[folder.path().to_str().expect("UTF-8")]).output().expect("a process");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The parts of the tests of this module that run in processes of their own.
pub fn meet(part: &str, folder: &Path) {
    if part == "stable-limit" {
        let usage = check(Some(WindowPolicy::Stable), Some(5 * 4096), folder, "held-limit");
        assert_eq!((usage.get(Limit::HeldBytes), usage.get(Limit::Windows)), (0, 0));
        return;
    }
    assert_eq!(part, "stable-default", "no such part");
    for one in [
        "stable-kinds",
        "anonymous",
        "copy-is-one-memory",
        "copy-keeps-changes",
        "mutable-view",
        "many-views",
        "nobody",
    ] {
        let usage = check(None, None, folder, one);
        assert_eq!(usage.get(Limit::HeldBytes), 0, "{one}");
    }
}

/// A plugin reads strings from its windows, while another process writes to their file.
#[test]
fn strings_in_a_stable_window_stay_what_they_are() {
    let rounds = if is_long() { 100 } else { 5 };
    for folder in folders() {
        let path = folder.path().join("text");
        for round in 0..rounds {
            let action = if round % 2 == 0 { "write" } else { "write-anew" };
            fs::write(&path, "ä€😀 ".repeat(LEN / 10)).expect("a file");
            let _ = fs::remove_file(folder.path().join("stop"));
            let _ = fs::remove_file(folder.path().join("ready"));
            std::thread::scope(|scope| {
                let plugin = scope.spawn(|| check(None, None, folder.path(), "stable-strings"));
                while !folder.path().join("ready").exists() && !plugin.is_finished() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                act_elsewhere(action, &path);
                fs::write(folder.path().join("stop"), "").expect("a file");
                assert_eq!(plugin.join().expect("the plugin sees what it saw").get(Limit::HeldBytes), 0);
            });
        }
    }
}

/// A store goes with its windows, while the leases that hold them end.
#[test]
fn a_store_is_dropped_while_others_write() {
    for folder in folders() {
        let path = make(folder.path(), "text");
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    drop(File::options().write(true).open(&path).expect("it opens"));
                    std::thread::sleep(Duration::from_micros(300));
                }
            });
            let checked = catch_unwind(|| {
                for _ in 0..if is_long() { 500 } else { 30 } {
                    check(None, None, folder.path(), "stable-leak");
                }
            });
            done.store(true, Relaxed);
            checked.unwrap_or_else(|panic| resume_unwind(panic));
        });
    }
}
