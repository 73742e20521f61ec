//! The host as an embedder sees it: limits, the audit hook, interrupts, async stores, and what remains when a store
//! goes.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::support::{Ended, Run, any_windows, builder, plugin};
use wasi_mmap_core::{Access, MapFlags};
use wasi_mmap_host::{Limit, MapSource, MmapCtx, Usage};
use wasmtime::Result;

fn scratch() -> tempfile::TempDir {
    let scratch = tempfile::tempdir().expect("a directory");
    fs::write(scratch.path().join("text"), "0123456789").expect("a file");
    scratch
}

/// A sparse file that takes seconds to search.
fn large(scratch: &Path) {
    let file = fs::File::create(scratch.join("large")).expect("a file");
    file.set_len(64 << 30).expect("a sparse file");
}

fn probe(mmap: MmapCtx, scratch: &Path, arguments: &[&str]) -> Result<Ended> {
    let arguments = [&["probe"], arguments].concat();
    Run::new(mmap, scratch, &arguments)?.call(&plugin("probe", "wasm32-wasip2"), true)
}

#[test]
fn every_mapping_is_audited() {
    let scratch = scratch();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ctx = || {
        let heard = Arc::clone(&heard);
        let audit = move |event: &wasi_mmap_host::MapEvent<'_>| {
            assert_eq!(event.source, MapSource::File);
            let outcome = event.outcome.map_err(|error| error.name());
            heard.lock().expect("a lock").push((event.options.offset, event.options.requested_length(), outcome));
        };
        builder().audit(audit).build()
    };
    for (offset, length) in [("0", "0"), ("4096", "1"), ("0", "7")] {
        let (_, outcome) =
            probe(ctx(), scratch.path(), &["map", "read", offset, length, "/scratch/text"]).expect("a run");
        assert_eq!(outcome.is_ok(), offset == "0");
    }
    let heard = heard.lock().expect("a lock");
    assert_eq!(*heard, [(0, None, Ok(10)), (4096, Some(1), Err("beyond-end-of-file")), (0, Some(7), Ok(7))]);
}

/// A reader that asks for the widest access has one event, for the access that it got, and is never refused.
#[test]
fn the_widest_access_is_audited_as_the_access_it_is() {
    let scratch = scratch();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let mut printed = String::new();
    for rights in ["reading", "both"] {
        let heard = Arc::clone(&heard);
        let audit = move |event: &wasi_mmap_host::MapEvent<'_>| {
            let outcome = event.outcome.map_err(|error| error.name());
            heard.lock().expect("a lock").push((event.options.access, event.options.flags, outcome));
        };
        let ctx = builder().audit(audit).build();
        let (text, outcome) = probe(ctx, scratch.path(), &["widest", rights, "text"]).expect("a run");
        assert_eq!(outcome, Ok(()), "{text}");
        printed.push_str(&text);
    }
    assert_eq!(printed, "Read\nWrite\n");
    assert_eq!(fs::read(scratch.path().join("text")).expect("a file"), b"!123456789");
    let heard = heard.lock().expect("a lock");
    let flags = MapFlags::WIDEST_ACCESS;
    assert_eq!(*heard, [(Access::Read, flags, Ok(10)), (Access::Write, flags, Ok(10))]);
}

#[test]
fn limits_apply_to_the_store_and_are_given_back() {
    let scratch = scratch();
    let arguments = ["probe", "anonymous", "1000", "50"];
    let ctx = builder().limit(Limit::Mappings, 50).limit(Limit::AnonymousBytes, 50_000).build();
    let usage = Arc::clone(ctx.usage());
    let mut run = Run::new(ctx, scratch.path(), &arguments).expect("a store");
    // The plugin drops its mappings at its end: a second run in the same store has the whole limit again.
    for _ in 0..2 {
        let (printed, outcome) = run.call(&plugin("probe", "wasm32-wasip2"), true).expect("a run");
        assert!(printed.ends_with("50 of 50\n"), "{printed}");
        assert_eq!(outcome, Ok(()));
        assert_eq!((usage.get(Limit::Mappings), usage.get(Limit::AnonymousBytes)), (0, 0));
    }
}

#[test]
fn a_dropped_store_leaves_nothing_behind() {
    let scratch = scratch();
    let held =
        |usage: &Usage| [Limit::Mappings, Limit::MappedBytes, Limit::AnonymousBytes].map(|limit| usage.get(limit));
    let ctx = any_windows();
    let usage = Arc::clone(ctx.usage());
    let mut run = Run::new(ctx, scratch.path(), &["probe", "leak", "/scratch/text", "20"]).expect("a store");
    assert_eq!(run.call(&plugin("probe", "wasm32-wasip2"), true).expect("a run").1, Ok(()));
    assert_eq!(held(&usage), [40, 200, 20 * 4096]);
    // Other tests of this process map other files: only those of this one are counted.
    let name = scratch.path().join("text").display().to_string();
    let mapped = || fs::read_to_string("/proc/self/maps").expect("Linux").matches(&name).count();
    let open = || {
        let links =
            fs::read_dir("/proc/self/fd").expect("Linux").filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        links.filter(|link| link.display().to_string() == name).count()
    };
    assert_eq!((mapped(), open()), (20, 20));
    drop(run);
    assert_eq!(held(&usage), [0, 0, 0]);
    assert_eq!((mapped(), open()), (0, 0));
}

#[test]
fn an_interrupt_ends_a_long_call() {
    let scratch = scratch();
    large(scratch.path());
    let ctx = any_windows();
    let interrupt = ctx.interrupt_handle();
    let stopper = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        interrupt.set();
    });
    let ended = probe(ctx, scratch.path(), &["find", "/scratch/large"]);
    stopper.join().expect("a thread");
    let error = format!("{:?}", ended.expect_err("the plugin is ended"));
    assert!(error.contains("the embedder interrupted the plugin in a search"), "{error}");
}

#[test]
fn a_long_call_lets_others_run_in_an_async_store() {
    let scratch = scratch();
    large(scratch.path());
    let ctx = any_windows();
    let interrupt = ctx.interrupt_handle();
    let mut run = Run::new(ctx, scratch.path(), &["probe", "find", "/scratch/large"]).expect("a store");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let ended = runtime.block_on(async {
        // On the same thread: it can only run when the search gives way.
        tokio::spawn(async move {
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            interrupt.set();
        });
        run.call_async(&plugin("probe", "wasm32-wasip2")).await
    });
    let error = ended.expect_err("the plugin is ended");
    assert!(format!("{error:?}").contains("interrupted"), "{error:?}");
}

#[test]
fn an_async_store_runs_the_same_plugins() {
    let scratch = scratch();
    let arguments = ["probe", "map", "write", "0", "0", "/scratch/text"];
    let mut run = Run::new(any_windows(), scratch.path(), &arguments).expect("a store");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let ended = runtime.block_on(run.call_async(&plugin("probe", "wasm32-wasip2"))).expect("a run");
    assert_eq!(ended, ("mapped 10 bytes\n".to_owned(), Ok(())));
    assert_eq!(fs::read(scratch.path().join("text")).expect("a file"), b"!123456789");
}
