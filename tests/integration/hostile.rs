//! Plugins that attack their host, each other, or files that are not theirs.

use std::fs;
use std::mem::MaybeUninit;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::neighbours::Neighbours;
use super::support::{Ended, Run, any_windows, builder, engine, is_long, plugin};
use wasi_mmap_host::{Interrupt, Limit, MmapCtx};
use wasmtime::Result;
use wasmtime::component::Component;

/// The length of the sparse file in bytes: to populate it would take seconds, and to search it forever.
const LARGE: u64 = 64 << 30;

/// A directory with a sparse file.
fn scratch() -> tempfile::TempDir {
    let scratch = tempfile::tempdir().expect("a directory");
    fs::File::create(scratch.path().join("large")).expect("a file").set_len(LARGE).expect("a sparse file");
    scratch
}

fn hostile() -> &'static Component {
    static HOSTILE: OnceLock<Component> = OnceLock::new();
    let compile = || Component::from_binary(engine(), &plugin("hostile", "wasm32-wasip2")).expect("a component");
    HOSTILE.get_or_init(compile)
}

fn try_in(ctx: MmapCtx, scratch: &Path, trick: &str) -> Result<Ended> {
    Run::new(ctx, scratch, &["hostile", trick])?.call_compiled(hostile(), true)
}

/// Checks the output of a trick under limits.
#[track_caller]
fn prints_under(limits: &[(Limit, u64)], trick: &str, expected: &str) {
    let scratch = scratch();
    let ctx = limits.iter().fold(builder(), |ctx, &(limit, to)| ctx.limit(limit, to));
    let (printed, outcome) = try_in(ctx.build(), scratch.path(), trick).expect("it runs to its end");
    assert_eq!((printed.trim_end(), outcome), (expected, Ok(())), "{trick} under {limits:?}");
}

#[track_caller]
fn prints(trick: &str, expected: &str) {
    prints_under(&[], trick, expected);
}

#[test]
fn forged_handles_trap_only_the_plugin() {
    let scratch = scratch();
    for trick in ["dropped-handle", "foreign-handle", "unknown-handle"] {
        let ctx = any_windows();
        let usage = Arc::clone(ctx.usage());
        let error = try_in(ctx, scratch.path(), trick).expect_err("it traps");
        let error = format!("{error:?}");
        assert!(error.contains("handle"), "{trick}: {error}");
        assert_eq!((usage.get(Limit::Mappings), usage.get(Limit::Windows)), (0, 0), "{trick}");
        prints("copy-much", "copied");
    }
    prints("closed-handle", "Err(\"closed\")");
}

#[test]
fn swapped_links_do_not_lead_out_of_the_directory() {
    let plain = plugin("hostile", "wasm32-wasip2");
    let composed = wasi_mmap_host::fallback::compose(&plain).expect("a composition");
    for (component, with_host) in [(plain, true), (composed, false)] {
        let (scratch, outside) = (scratch(), tempfile::tempdir().expect("a directory"));
        let directory = scratch.path();
        fs::write(outside.path().join("secret"), "outside").expect("a file");
        fs::write(directory.join("inside"), "inside").expect("a file");
        symlink("inside", directory.join("link")).expect("a link");
        let back = format!("../{}/secret", outside.path().file_name().expect("a name").display());
        let secret = outside.path().join("secret").display().to_string();
        let targets = ["inside", secret.as_str(), back.as_str(), "/proc/self/mem"];
        let tries = if is_long() { "100000" } else { "5000" };
        let done = AtomicBool::new(false);
        let (printed, outcome, swaps) = std::thread::scope(|scope| {
            let swapper = scope.spawn(|| {
                let targets = targets.iter().cycle().zip(0u64..).take_while(|_| !done.load(Relaxed));
                targets.fold(0, |_, (target, swap)| {
                    let new = directory.join("new-link");
                    symlink(target, &new).expect("a link");
                    fs::rename(&new, directory.join("link")).expect("a swap");
                    swap
                })
            });
            let arguments = ["hostile", "swapped-links", tries];
            let mut run = Run::new(any_windows(), directory, &arguments).expect("a store");
            let ended = run.call(&component, with_host);
            done.store(true, Relaxed);
            let (printed, outcome) = ended.expect("it runs to its end");
            (printed, outcome, swapper.join().expect("a thread"))
        });
        assert_eq!(outcome, Ok(()));
        let counts: Vec<u64> = printed.split_whitespace().map(|count| count.parse().expect(&printed)).collect();
        println!("host {with_host}: {swaps} swaps, {} times inside, {} times refused", counts[0], counts[1]);
        assert!(counts[0] > 0 && counts[1] > 0, "both were met: {counts:?}");
    }
}

#[test]
fn files_that_the_system_generates_are_refused() {
    for (directory, files) in
        [("/proc", ["self/maps", "self/mem", "self/environ"]), ("/dev", ["zero", "null", "random"])]
    {
        for file in files {
            for access in ["read", "copy", "write"] {
                let arguments = ["probe", "map", access, "0", "4096", &format!("/scratch/{file}")];
                let mut run = Run::new(any_windows(), Path::new(directory), &arguments).expect("a store");
                let (printed, outcome) = run.call(&plugin("probe", "wasm32-wasip2"), true).expect("the host survives");
                println!("{directory}/{file} to {access}: {printed}");
                assert_eq!(outcome, Err(()), "{directory}/{file} was mapped: {printed}");
            }
        }
    }
}

/// Every limit has an error that names it, what it is, and what would be needed.
#[test]
fn every_limit_is_named() {
    let names = [(Limit::Mappings, 10)];
    prints_under(&names, "many-names", "10: limit exceeded: mappings is 10, and 11 would be needed");
    let memory = [(Limit::AnonymousBytes, 10 * 4096)];
    prints_under(&memory, "many-names", "10: limit exceeded: anonymous-bytes is 40960, and 45056 would be needed");
    let memory = [(Limit::AnonymousBytes, 1 << 20)];
    let needed = "limit exceeded: anonymous-bytes is 1048576, and 2097152 would be needed";
    prints_under(&memory, "a-huge-page-for-a-byte", needed);
    let file = [(Limit::MappedBytes, 64 << 20)];
    let needed = "limit exceeded: mapped-bytes is 67108864, and 68719476736 would be needed";
    prints_under(&file, "populate", needed);

    let bytes = [(Limit::BytesPerCall, (1 << 20) - 1)];
    let needed = "limit exceeded: bytes-per-call is 1048575, and 1048576 would be needed";
    for trick in ["read-much", "read-ranges", "long-line"] {
        prints_under(&bytes, trick, needed);
    }
    prints_under(&[(Limit::BytesPerCall, 1 << 20)], "read-much", "1048576 bytes");
    prints_under(&[(Limit::BytesPerCall, 1 << 20)], "read-ranges", "1048576 bytes");

    let work = [(Limit::WorkPerCall, (1 << 20) - 1)];
    let needed = "limit exceeded: work-per-call is 1048575, and 1048576 would be needed";
    for trick in ["fill-much", "copy-much"] {
        prints_under(&work, trick, needed);
    }
    prints_under(&[(Limit::WorkPerCall, 1 << 20)], "fill-much", "filled");
    prints_under(&[(Limit::WorkPerCall, 1 << 20)], "copy-much", "copied");
    let work = [(Limit::WorkPerCall, 1 << 30)];
    let needed = "limit exceeded: work-per-call is 1073741824, and 67645734913 would be needed";
    prints_under(&work, "long-steps", needed);
    let needed = "limit exceeded: work-per-call is 1073741824, and 67645734913 would be needed";
    prints_under(&work, "long-steps-to-write", needed);
    prints("long-steps", "64 bytes");
    prints("long-steps-to-write", "64 bytes");
}

#[test]
fn advice_does_not_exhaust_the_hosts_memory_areas() {
    let needed = "1024: limit exceeded: partial-advice is 1024, and 1025 would be needed";
    prints("advise-every-page", needed);
    prints("harmful-advice", "not permitted");
    prints("remove-pages", "true");
}

#[test]
fn calls_that_could_take_forever_end() {
    prints("populate", "68719476736 bytes");
    prints("long-needle", "None");
    prints("copy-pieces", "true true");
    let scratch = scratch();
    let neighbours = Neighbours::new();
    let (printed, outcome) = try_in(any_windows(), scratch.path(), "numbers").expect("it runs to its end");
    println!("{} pieces of memory of the neighbours", neighbours.dismiss());
    assert_eq!(outcome, Ok(()));
    assert!(printed.ends_with("results\n"), "{printed}");
}

#[test]
fn an_interrupt_ends_fills_and_copies() {
    for (trick, what) in [("fill-all", "in a fill"), ("copy-all", "in a copy")] {
        let scratch = scratch();
        let ctx = any_windows();
        let interrupt = ctx.interrupt_handle();
        let stopper = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            interrupt.set();
        });
        let error = try_in(ctx, scratch.path(), trick).expect_err("it is ended");
        stopper.join().expect("a thread");
        assert!(format!("{error:?}").contains(what), "{error:?}");
    }
}

#[test]
fn a_long_fill_lets_others_run_in_an_async_store() {
    let scratch = scratch();
    let ctx = any_windows();
    let interrupt = ctx.interrupt_handle();
    let mut run = Run::new(ctx, scratch.path(), &["hostile", "fill-all"]).expect("a store");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let ended = runtime.block_on(async {
        // On the same thread: it can only run when the fill gives way.
        tokio::spawn(async move {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            interrupt.set();
        });
        run.call_async(&plugin("hostile", "wasm32-wasip2")).await
    });
    let error = ended.expect_err("it is ended");
    assert!(format!("{error:?}").contains("in a fill"), "{error:?}");
}

/// Calls that can take any time, and the operation that the error of an interrupt names.
const LONG: [(&str, &str); 10] = [
    ("read-steps", "reading a slice"),
    ("read-backwards", "reading a slice"),
    ("write-steps", "writing a slice"),
    ("read-all", "a read"),
    ("read-all-at", "a read"),
    ("read-endless-line", "reading a line"),
    ("read-many-ranges", "reading ranges"),
    ("write-all", "a write"),
    ("write-all-at", "a write"),
    ("compare-all", "a comparison"),
];

/// Returns a context whose embedder acts when the plugin makes its mapping.
fn when_mapped(act: impl Fn(&Interrupt) + Send + Sync + 'static) -> MmapCtx {
    let interrupt = Arc::new(OnceLock::<Interrupt>::new());
    let inside = Arc::clone(&interrupt);
    let ctx = MmapCtx::builder().audit(move |_| act(inside.get().expect("it was just set"))).build();
    interrupt.set(ctx.interrupt_handle()).expect("it is set once");
    ctx
}

#[test]
fn an_interrupt_ends_every_long_call() {
    for (trick, what) in LONG {
        let scratch = scratch();
        let ended = try_in(when_mapped(Interrupt::set), scratch.path(), trick);
        let error = format!("{:?}", ended.expect_err(trick));
        assert!(error.contains(&format!("interrupted the plugin in {what}")), "{trick}: {error}");
    }
}

/// In an async store, others on the same thread run between the pieces of each long call: here, one that ends the call.
#[test]
fn every_long_call_lets_others_run_in_an_async_store() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for (trick, what) in LONG {
        let scratch = scratch();
        let mapped = Arc::new(AtomicBool::new(false));
        let is_mapped = Arc::clone(&mapped);
        let ctx = when_mapped(move |_| mapped.store(true, Relaxed));
        let interrupt = ctx.interrupt_handle();
        let mut run = Run::new(ctx, scratch.path(), &["hostile", trick]).expect("a store");
        let ended = runtime.block_on(async {
            tokio::spawn(async move {
                let mut pieces = 0;
                while pieces < 3 {
                    tokio::task::yield_now().await;
                    pieces += usize::from(is_mapped.load(Relaxed));
                }
                interrupt.set();
            });
            run.call_async(&plugin("hostile", "wasm32-wasip2")).await
        });
        let error = format!("{:?}", ended.expect_err(trick));
        assert!(error.contains(&format!("interrupted the plugin in {what}")), "{trick}: {error}");
    }
}

#[test]
fn calls_in_chunks_have_the_same_result() {
    prints("pieces-of-slices", "same");
    prints("pieces-of-the-rest", "same");
}

/// Returns the processor time of this thread in milliseconds, which the load on the machine does not change.
fn worked() -> i64 {
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: the structure is large enough.
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) }, 0);
    // SAFETY: the call succeeded, so it has written all of it.
    let usage = unsafe { usage.assume_init() };
    let milliseconds = |time: libc::timeval| time.tv_sec * 1000 + time.tv_usec / 1000;
    milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime)
}

/// A search past a window reads at most twice what a search without one reads: not the whole needle for each step.
#[test]
fn a_long_needle_takes_no_more_work_beside_a_window() {
    let (scratch, component) = (scratch(), hostile());
    let [without, with] = ["none", "window"].map(|window| {
        let mut run =
            Run::new(any_windows(), scratch.path(), &["hostile", "needle-beside-a-window", window]).expect("a store");
        let before = worked();
        let (printed, outcome) = run.call_compiled(component, true).expect("it runs to its end");
        assert_eq!((printed.trim_end(), outcome), ("[None, None]", Ok(())));
        worked() - before
    });
    println!("{without} ms of work without a window, {with} ms with one");
    // It was a thousand times as much.
    assert!(with < 20 * without.max(100), "{with} ms, and {without} ms without a window");
}

/// If the pool of huge pages is empty and nothing was reserved, the access faults. The host must survive this.
#[test]
fn missing_huge_pages_do_not_crash_the_host() {
    let scratch = scratch();
    let (printed, outcome) = try_in(any_windows(), scratch.path(), "missing-huge-pages").expect("it runs to its end");
    println!("{printed}");
    assert_eq!((printed.lines().last(), outcome), (Some("still there"), Ok(())));
}
