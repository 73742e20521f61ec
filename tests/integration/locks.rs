//! Locks: each rule in a plugin, beside other plugins, and beside native processes.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::support::{Ended, Run, any_windows, builder, engine, plugin};
use wasi_mmap::lock::{FileLock, LockKind};
use wasi_mmap::{Error, Rights};
use wasi_mmap_host::{Limit, MmapCtx};
use wasmtime::Result;
use wasmtime::component::Component;

fn scratch() -> tempfile::TempDir {
    let scratch = tempfile::tempdir().expect("a directory");
    fs::write(scratch.path().join("f"), "").expect("a file");
    scratch
}

fn component() -> &'static Component {
    static LOCK: OnceLock<Component> = OnceLock::new();
    LOCK.get_or_init(|| Component::from_binary(engine(), &plugin("lock", "wasm32-wasip2")).expect("a component"))
}

fn run(ctx: MmapCtx, scratch: &Path, check: &str) -> Result<Ended> {
    Run::new(ctx, scratch, &["lock", check])?.call_compiled(component(), true)
}

#[track_caller]
fn passes(ctx: MmapCtx, scratch: &Path, check: &str) -> String {
    let (printed, outcome) = run(ctx, scratch, check).expect("it runs to its end");
    assert!(printed.ends_with(&format!("{check}: done\n")), "{check}: {printed}");
    assert_eq!(outcome, Ok(()));
    printed
}

macro_rules! rules {
    ($($test:ident: $check:literal,)*) => {
        $(
            #[test]
            fn $test() {
                passes(any_windows(), scratch().path(), $check);
            }
        )*
    };
}

rules! {
    locks_of_two_owners_conflict: "conflicts",
    parts_are_unlocked: "parts",
    locks_change_their_kind: "kinds",
    ranges_are_those_of_posix: "ranges",
    a_test_finds_the_conflict: "tests",
    locks_on_the_whole_file_are_of_another_kind: "files",
    the_rights_of_the_descriptor_decide: "rights",
    an_owner_outlives_its_descriptor: "handles",
    locks_do_not_hinder_mappings: "mapping",
}

#[test]
fn a_directory_for_reading_has_shared_locks_alone() {
    let scratch = scratch();
    let mut run = Run::read_only(any_windows(), scratch.path(), &["lock", "read-only"]).expect("a store");
    let (printed, outcome) = run.call_compiled(component(), true).expect("it runs to its end");
    assert_eq!(outcome, Ok(()), "{printed}");
}

#[test]
fn limits_hold() {
    let ctx = builder().limit(Limit::LockOwners, 4).limit(Limit::Locks, 10).build();
    let usage = Arc::clone(ctx.usage());
    passes(ctx, scratch().path(), "limits");
    assert_eq!((usage.get(Limit::LockOwners), usage.get(Limit::Locks)), (0, 0));
}

#[test]
fn the_fallback_has_no_locks() {
    let composed = wasi_mmap_host::fallback::compose(&plugin("lock", "wasm32-wasip2")).expect("a composition");
    let scratch = scratch();
    let mut run = Run::new(any_windows(), scratch.path(), &["lock", "unsupported"]).expect("a store");
    let (printed, outcome) = run.call(&composed, false).expect("it runs to its end");
    assert_eq!(outcome, Ok(()), "{printed}");
}

#[test]
fn forged_handles_trap_only_the_plugin() {
    for trick in ["dropped-handle", "foreign-handle", "unknown-handle"] {
        let ctx = any_windows();
        let usage = Arc::clone(ctx.usage());
        let error = run(ctx, scratch().path(), trick).expect_err("it traps");
        assert!(format!("{error:?}").contains("handle"), "{trick}: {error:?}");
        assert_eq!(usage.get(Limit::LockOwners), 0, "{trick}");
    }
}

#[test]
fn a_dropped_store_releases_its_locks() {
    let scratch = scratch();
    let file = OpenOptions::new().read(true).write(true).open(scratch.path().join("f")).expect("a file");
    let native = FileLock::new(&file).expect("an owner");
    let ctx = any_windows();
    let usage = Arc::clone(ctx.usage());
    let mut store = Run::new(ctx, scratch.path(), &["lock", "leak"]).expect("a store");
    assert_eq!(store.call_compiled(component(), true).expect("it runs to its end").1, Ok(()));
    assert!(!native.try_lock(.., LockKind::Shared).expect("an answer"), "the plugin holds it");
    assert!(!native.try_lock_file(LockKind::Shared).expect("an answer"), "the plugin holds it");
    assert_eq!((usage.get(Limit::LockOwners), usage.get(Limit::Locks)), (2, 1));
    drop(store);
    assert!(native.try_lock(.., LockKind::Exclusive).expect("an answer"));
    assert!(native.try_lock_file(LockKind::Exclusive).expect("an answer"));
    assert_eq!((usage.get(Limit::LockOwners), usage.get(Limit::Locks)), (0, 0));
}

/// A process of Python, whose module `fcntl` has the locks of POSIX and BSD.
struct Python {
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Python {
    /// Starts it on the file of a directory, open as `file`.
    fn on(scratch: &Path) -> Self {
        let program = "
import fcntl, sys
file = open(sys.argv[1], 'r+b')
def attempt(lock, *arguments):
    try:
        lock(file, *arguments)
        return True
    except BlockingIOError:
        return False
for line in sys.stdin:
    print(eval(line), flush=True)
";
        let mut process = Command::new("python3")
            .args(["-c", program])
            .arg(scratch.join("f"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python");
        let commands = process.stdin.take().expect("a pipe");
        let answers = BufReader::new(process.stdout.take().expect("a pipe"));
        Self { process, commands, answers }
    }

    fn ask(&mut self, expression: &str) -> String {
        writeln!(self.commands, "{expression}").expect("it listens");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("it answers");
        answer.trim_end().to_owned()
    }

    /// Tries to lock a range as `F_SETLK` does. `kind` is `EX`, `SH` or `UN`.
    fn lock(&mut self, kind: &str, start: u64, length: u64) -> bool {
        self.ask(&format!("attempt(fcntl.lockf, {}, {length}, {start})", operation(kind))) == "True"
    }

    /// Tries to lock the file as `flock` does.
    fn lock_file(&mut self, kind: &str) -> bool {
        self.ask(&format!("attempt(fcntl.flock, {})", operation(kind))) == "True"
    }
}

/// Returns Python's expression for an operation that does not wait.
fn operation(kind: &str) -> String {
    if kind == "UN" { "fcntl.LOCK_UN".to_owned() } else { format!("fcntl.LOCK_{kind} | fcntl.LOCK_NB") }
}

impl Drop for Python {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_native_process_keeps_a_plugin_out() {
    let scratch = scratch();
    let mut python = Python::on(scratch.path());
    assert!(python.lock("EX", 100, 100));
    let process = python.process.id();
    let printed = passes(any_windows(), scratch.path(), "take");
    let held = format!("Some((Exclusive, 100, 100, Some({process})))");
    assert_eq!(printed.lines().next(), Some(format!("{held} [true, false, true] false true").as_str()));
    assert!(python.lock("UN", 0, 0) && python.lock("SH", 100, 100) && python.lock_file("SH"));
    let printed = passes(any_windows(), scratch.path(), "take");
    let held = format!("Some((Shared, 100, 100, Some({process})))");
    assert_eq!(printed.lines().next(), Some(format!("{held} [true, false, true] true false").as_str()));
    drop(python);
    let printed = passes(any_windows(), scratch.path(), "take");
    assert_eq!(printed.lines().next(), Some("None [true, true, true] true true"));
}

#[test]
fn a_plugin_keeps_native_processes_and_other_plugins_out() {
    let scratch = scratch();
    let path = scratch.path().join("f");
    std::thread::scope(|scope| {
        let holder = scope.spawn(|| passes(any_windows(), scratch.path(), "hold"));
        while !scratch.path().join("held").exists() {
            assert!(!holder.is_finished(), "the plugin has failed");
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut python = Python::on(scratch.path());
        assert!(python.lock("EX", 0, 100) && python.lock("EX", 200, 100));
        assert!(!python.lock("SH", 199, 1) && !python.lock("EX", 300, 1) && !python.lock("EX", 1 << 62, 1));
        assert!(python.lock("SH", 300, 0));
        assert!(!python.lock_file("SH"));
        // The plugin's lock is not the process's: it keeps this process out as well.
        let file = OpenOptions::new().read(true).write(true).open(&path).expect("a file");
        assert!(matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)));
        let own = rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive);
        assert_eq!(own, Err(rustix::io::Errno::AGAIN));
        let native = FileLock::new(&file).expect("an owner");
        assert!(!native.try_lock(150..151, LockKind::Shared).expect("an answer"));
        let printed = passes(any_windows(), scratch.path(), "take");
        assert!(printed.contains("[false, false, false] false false"), "{printed}");
        fs::write(scratch.path().join("release"), "").expect("a file");
        holder.join().expect("the plugin ends");
        assert!(python.lock("EX", 100, 100) && python.lock_file("EX"));
    });
}

#[test]
fn a_wait_ends_with_the_lock() {
    for (check, kind) in [("wait", "range"), ("wait-file", "file")] {
        let scratch = scratch();
        let mut python = Python::on(scratch.path());
        assert!(if kind == "range" { python.lock("SH", 150, 1) } else { python.lock_file("SH") });
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| passes(any_windows(), scratch.path(), check));
            while !scratch.path().join("waiting").exists() {
                assert!(!waiter.is_finished(), "the plugin has failed");
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(100));
            assert!(!waiter.is_finished(), "{check}: it was granted");
            assert!(python.lock("UN", 0, 0) && python.lock_file("UN"));
            waiter.join().expect("it is granted");
        });
    }
}

#[test]
fn an_interrupt_ends_a_wait() {
    for check in ["wait", "wait-file"] {
        let scratch = scratch();
        let file = OpenOptions::new().read(true).write(true).open(scratch.path().join("f")).expect("a file");
        let native = FileLock::new(&file).expect("an owner");
        native.lock(.., LockKind::Exclusive).expect("a lock");
        native.lock_file(LockKind::Exclusive).expect("a lock");
        let ctx = any_windows();
        let (interrupt, usage) = (ctx.interrupt_handle(), Arc::clone(ctx.usage()));
        let stopper = std::thread::spawn({
            let waiting = scratch.path().join("waiting");
            move || {
                while !waiting.exists() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                std::thread::sleep(Duration::from_millis(20));
                interrupt.set();
            }
        });
        let error = run(ctx, scratch.path(), check).expect_err("it is ended");
        stopper.join().expect("a thread");
        assert!(format!("{error:?}").contains("waiting for a lock"), "{error:?}");
        assert_eq!((usage.get(Limit::LockOwners), usage.get(Limit::Locks)), (0, 0));
        drop(native);
        let native = FileLock::new(&file).expect("an owner");
        assert!(native.try_lock(.., LockKind::Exclusive).expect("an answer"), "the plugin has left nothing");
    }
}

/// The holder runs on the same thread as the plugin that waits.
#[test]
fn a_wait_lets_others_run_in_an_async_store() {
    let scratch = scratch();
    let file = OpenOptions::new().read(true).write(true).open(scratch.path().join("f")).expect("a file");
    let native = FileLock::new(&file).expect("an owner");
    native.lock(.., LockKind::Exclusive).expect("a lock");
    let mut run = Run::new(any_windows(), scratch.path(), &["lock", "wait"]).expect("a store");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let waiting = scratch.path().join("waiting");
    let ended = runtime.block_on(async {
        tokio::spawn(async move {
            while !waiting.exists() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            drop(native);
        });
        run.call_async(&plugin("lock", "wasm32-wasip2")).await
    });
    assert_eq!(ended.expect("it runs to its end").1, Ok(()));
}

/// Two plugins and a native thread add to one number.
#[test]
fn no_addition_is_lost() {
    let scratch = scratch();
    let path = scratch.path().join("f");
    fs::write(&path, "0").expect("a file");
    std::thread::scope(|scope| {
        let plugins = [(); 2].map(|()| scope.spawn(|| passes(any_windows(), scratch.path(), "count")));
        let file = OpenOptions::new().read(true).write(true).open(&path).expect("a file");
        let native = FileLock::new(&file).expect("an owner");
        for _ in 0..500 {
            native.lock(.., LockKind::Exclusive).expect("it is granted");
            let number: u64 = fs::read_to_string(&path).expect("a number").parse().expect("a number");
            fs::write(&path, (number + 1).to_string()).expect("it writes");
            native.unlock(..).expect("it is unlocked");
            std::thread::yield_now();
        }
        for plugin in plugins {
            plugin.join().expect("it ends");
        }
    });
    assert_eq!(fs::read_to_string(&path).expect("a number"), "1500");
}

#[test]
fn native_locks_follow_the_file() {
    let scratch = scratch();
    let path = scratch.path().join("f");
    let file = OpenOptions::new().read(true).write(true).open(&path).expect("a file");
    fs::remove_file(&path).expect("it has no name any more");
    let (one, other) = (FileLock::new(&file).expect("an owner"), FileLock::new(&file).expect("an owner"));
    one.lock(.., LockKind::Exclusive).expect("a lock");
    assert!(!other.try_lock(5..6, LockKind::Shared).expect("an answer"));
    // Less than the descriptor has.
    let less = FileLock::with_rights(&file, Rights::READ).expect("an owner");
    assert!(matches!(less.try_lock(.., LockKind::Exclusive), Err(Error::NotPermitted(_))));
    assert!(matches!(FileLock::with_rights(&file, Rights::empty()), Err(Error::NotPermitted(_))));
    assert!(matches!(FileLock::new(&File::open("/dev/null").expect("a device")), Err(Error::Unsupported(_))));
    drop(one);
    assert!(other.try_lock(.., LockKind::Exclusive).expect("an answer"));
}
