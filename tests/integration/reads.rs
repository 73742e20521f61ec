//! Small reads and lines in a plugin: the same bytes with windows and without, and calls only where there are none.

use std::sync::Arc;

use super::support::{Run, any_windows, builder, plugin};
use wasi_mmap_host::{Limit, MmapCtx, WindowPolicy};

/// The checks of the plugin, and whether windows serve some of their reads where there are any.
const CHECKS: &[&str] = &[
    "reads-of-a-changing-file",
    "reads-of-a-shorter-file",
    "reads-of-zeros",
    "reads-and-own-writes",
    "reads-then-resize-and-close",
    "reads-of-many-mappings",
    "reads-leave-windows-for-views",
    "reads-in-both-directions",
    "lines-across-windows",
];

/// Runs a check, and returns the number of bytes that were attached as windows, and that were copied.
#[track_caller]
fn run(check: &str, ctx: MmapCtx, plugin: &[u8], with_host: bool) -> (u64, u64) {
    let scratch = tempfile::tempdir().expect("a directory");
    let usage = Arc::clone(ctx.usage());
    let mut run = Run::new(ctx, scratch.path(), &["window", check]).expect("a store");
    let (printed, outcome) = run.call(plugin, with_host).unwrap_or_else(|error| panic!("{check}: {error:?}"));
    assert_eq!((printed.lines().last(), outcome), (Some(format!("{check}: done").as_str()), Ok(())));
    for limit in [Limit::Mappings, Limit::Windows, Limit::WindowBytes] {
        assert_eq!(usage.get(limit), 0, "{check} leaves {limit:?}");
    }
    (usage.attached_bytes(), usage.copied_bytes())
}

#[test]
fn windows_serve_small_reads() {
    for check in CHECKS {
        let (attached, _) = run(check, any_windows(), &plugin("window", "wasm32-wasip2"), true);
        assert!(attached > 0, "{check}: nothing was attached");
    }
}

#[test]
fn one_window_is_enough() {
    for check in CHECKS {
        let ctx = builder().limit(Limit::Windows, 1).build();
        let (attached, _) = run(check, ctx, &plugin("window", "wasm32-wasip2"), true);
        assert!(attached > 0, "{check}: nothing was attached");
    }
}

#[test]
fn without_windows_calls_read() {
    for check in CHECKS {
        let ctx = MmapCtx::builder().windows(WindowPolicy::Never).build();
        assert_eq!(run(check, ctx, &plugin("window", "wasm32-wasip2"), true).0, 0, "{check}");
    }
}

/// A window that holds bytes still would be stale, and its lease in the way of writers.
#[test]
fn windows_that_hold_bytes_still_do_not_serve_reads() {
    for check in CHECKS.iter().filter(|check| !check.contains("views")) {
        assert_eq!(run(check, MmapCtx::default(), &plugin("window", "wasm32-wasip2"), true).0, 0, "{check}");
    }
}

#[test]
fn the_fallback_reads_the_same() {
    let composed = wasi_mmap_host::fallback::compose(&plugin("window", "wasm32-wasip2")).expect("a composition");
    for check in CHECKS {
        run(check, any_windows(), &composed, false);
    }
}
