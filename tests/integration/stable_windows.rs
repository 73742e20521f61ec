//! Windows whose bytes nobody changes, in a plugin, under each policy.

use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::panic::{catch_unwind, resume_unwind};
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::child::{self, Running};
use super::engine_memories;
use super::stable::{LEN, act_elsewhere, folders, make};
use super::stable_attacks::Target;
use super::support::{Run, engine, is_long, plugin};
use wasi_mmap::Mapping;
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
fn stable_windows_are_the_default_in_memories_of_the_engine() {
    in_a_process_of_its_own("stable-engine");
}

#[test]
fn held_bytes_are_limited_and_given_back() {
    in_a_process_of_its_own("stable-limit");
}

/// Runs a part of a test where no other test starts processes: one that is being started has all open files of this one
/// for a moment, and no lease is to be had on a file that is open for writing.
fn in_a_process_of_its_own(part: &str) {
    for folder in folders() {
        let output = in_a_host_of_its_own(part, folder.path(), || {});
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The checks that hold with the default policy.
const DEFAULT: &[&str] = &[
    "stable-kinds",
    "stable-overlap",
    "set-mode-stable",
    "set-mode-memory",
    "anonymous",
    "copy-is-one-memory",
    "copy-keeps-changes",
    "mutable-view",
    "many-views",
    "nobody",
];

/// The parts of the tests of this module that run in processes of their own.
pub fn meet(part: &str, folder: &Path) {
    if part == "stable-limit" {
        let usage = check(Some(WindowPolicy::Stable), Some(5 * 4096), folder, "held-limit");
        assert_eq!((usage.get(Limit::HeldBytes), usage.get(Limit::Windows)), (0, 0));
        return;
    }
    if part == "stable-trap" {
        return check_trap(folder);
    }
    if part == "stable-late-engine" {
        // Our handler for SIGSEGV comes first, and the engine's, which is installed when it is made, lies over it.
        let mut mapping = Mapping::open(folder.join("text")).expect("a mapping");
        let target = Target::new(LEN);
        let window = target.attach_soon(&mut mapping, 0..LEN as u64);
        Target::detach(&mut mapping, &window);
        mapping.close().expect("it closes");
        check(None, None, folder, "stable-stores");
        return check_trap(folder);
    }
    if let Some(engine) = part.strip_prefix("stable-engine") {
        let checks = if engine.starts_with("-stores") { &["stable-stores"] } else { DEFAULT };
        engine_memories::meet_stable(folder, engine, checks);
        return;
    }
    if let Some(one) = part.strip_prefix("stable-only-") {
        check(None, None, folder, one);
        return;
    }
    assert_eq!(part, "stable-default", "no such part");
    for one in DEFAULT {
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

/// Runs a plugin that accesses an address outside of its memory after it had windows.
fn check_trap(folder: &Path) {
    let mut run = Run::new(MmapCtx::builder().build(), folder, &["window", "stable-trap"]).expect("a store");
    let error = run.call_compiled(component(), true).expect_err("it traps");
    assert!(format!("{error:?}").contains("out of bounds"), "{error:?}");
}

/// Runs a plugin in a host of its own, and does something when the plugin is ready.
fn in_a_host_of_its_own(part: &str, folder: &Path, meanwhile: impl FnOnce()) -> Output {
    for file in ["ready", "stop"] {
        let _ = fs::remove_file(folder.join(file));
    }
    let mut command = child::command(part, &[folder.to_str().expect("UTF-8")]);
    let mut host = Running(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("a process"));
    let started = Instant::now();
    let mut has_ended = || {
        assert!(started.elapsed() < Duration::from_secs(200), "{part} hangs");
        std::thread::sleep(Duration::from_millis(1));
        host.0.try_wait().expect("a process").is_some()
    };
    while !folder.join("ready").exists() && !has_ended() {}
    meanwhile();
    while !has_ended() {}
    let status = host.0.wait().expect("a process");
    let mut stderr = Vec::new();
    let mut pipe = host.0.stderr.take().expect("a pipe");
    std::io::Read::read_to_end(&mut pipe, &mut stderr).expect("it reads");
    Output { status, stdout: Vec::new(), stderr }
}

/// The engine does not see zeros in place of a file that another process cuts without telling the host.
#[test]
fn a_cut_that_no_lease_announces_ends_the_host_before_a_zero_is_seen() {
    for folder in folders() {
        let path = make(folder.path(), "text");
        let output = in_a_host_of_its_own("stable-only-stable-cut", folder.path(), || {
            drop(File::options().read(true).custom_flags(libc::O_TRUNC).open(&path).expect("it opens"));
        });
        let stderr = String::from_utf8_lossy(&output.stderr);
        let has_aborted = output.status.signal() == Some(libc::SIGABRT);
        assert!(has_aborted && stderr.contains("wasi-mmap: "), "{}: {stderr}", output.status);
    }
}

/// Runs a plugin that stores to its window while another process writes to the file.
fn store_while_another_writes(part: &str) {
    for folder in folders() {
        for _ in 0..if is_long() { 100 } else { 5 } {
            let path = folder.path().join("text");
            fs::write(&path, vec![b'a'; 16 * LEN]).expect("a file");
            let output = in_a_host_of_its_own(part, folder.path(), || {
                act_elsewhere("write", &path);
                fs::write(folder.path().join("stop"), "").expect("a file");
            });
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[test]
fn a_plugins_store_to_a_window_is_never_undone() {
    store_while_another_writes("stable-only-stable-stores");
}

#[test]
fn a_plugins_store_to_a_window_in_memory_of_the_engine_is_never_undone() {
    for folder in folders() {
        let path = folder.path().join("text");
        for engine in ["on-demand", "pooling"] {
            fs::write(&path, vec![b'a'; 16 * LEN]).expect("a file");
            let output = in_a_host_of_its_own(&format!("stable-engine-stores-{engine}"), folder.path(), || {
                act_elsewhere("write", &path);
                fs::write(folder.path().join("stop"), "").expect("a file");
            });
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[test]
fn a_plugin_of_an_engine_that_was_made_late_stores_to_its_windows() {
    store_while_another_writes("stable-late-engine");
}

#[test]
fn an_access_outside_of_memory_traps_after_windows_were_held() {
    in_a_process_of_its_own("stable-trap");
}

#[test]
fn a_file_with_holes_in_memory_is_not_a_window_of_a_plugin() {
    for folder in folders().iter().filter(|folder| folder.path().starts_with("/dev/shm")) {
        let path = folder.path().join("sparse");
        fs::write(&path, vec![b'a'; 4 * 4096]).expect("a file");
        File::options().write(true).open(&path).and_then(|file| file.set_len(LEN as u64)).expect("it is longer");
        let output = in_a_host_of_its_own("stable-only-stable-holes", folder.path(), || {});
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
