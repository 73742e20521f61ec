//! Windows: each rule in a plugin, under hosts that have them, limit them, or do not have them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::support::{Ended, Run, any_windows, builder, engine, is_long, plugin};
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions};
use wasi_mmap_host::{Limit, MmapCtx};
use wasmtime::component::ResourceTable;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result};

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

fn check_in(engine: &Engine, ctx: MmapCtx, scratch: &Path, check: &str) -> Result<Ended> {
    let mut run = Run::in_engine(engine, ctx, scratch, &["window", check])?;
    run.call(&plugin("window", "wasm32-wasip2"), true)
}

/// Expects that a rule holds in an engine that is configured for windows.
#[track_caller]
fn holds(check: &str) {
    let scratch = scratch();
    let ended = check_in(engine(), any_windows(), scratch.path(), check);
    let (printed, outcome) = ended.unwrap_or_else(|error| panic!("{check}: {error:?}"));
    assert_eq!((printed.lines().last(), outcome), (Some(format!("{check}: done").as_str()), Ok(())));
}

macro_rules! rules {
    ($($test:ident: $check:literal,)*) => {
        /// The rules that hold wherever there are windows.
        pub const RULES: &[&str] = &[$($check),*];

        $(
            #[test]
            fn $test() {
                holds($check);
            }
        )*
    };
}

rules! {
    the_granularity_is_the_page_size: "granularity",
    places_are_checked: "refused-places",
    parts_are_checked: "refused-parts",
    the_last_page_may_be_shorter: "last-page",
    windows_do_not_overlap: "overlap",
    a_mapping_with_a_window_is_busy: "busy",
    detaching_twice_is_no_error: "detach-twice",
    detaching_after_the_mapping_was_closed_is_no_error: "detach-after-close",
    a_flush_stays_in_the_window: "flush-range",
    a_shorter_file_reads_as_zeros_and_is_reported: "shorter-file",
    a_shared_window_is_the_file: "shared",
    a_store_into_a_window_to_read_stays_there: "read-only-store",
    a_copy_and_its_window_are_one_memory: "copy-is-one-memory",
    a_copy_keeps_what_its_windows_changed: "copy-keeps-changes",
    a_copy_loses_what_its_file_lost: "copy-loses-what-the-file-lost",
    memory_without_a_file_has_windows: "anonymous",
    wasi_reads_and_writes_windows: "wasi-buffers",
    the_host_takes_its_bytes_from_windows: "host-buffers",
    a_memory_grows_with_a_window_in_it: "grow",
    views_are_windows: "views-are-zero-copy",
    many_views_take_the_memory_of_one: "many-views",
    a_mutable_view_is_written: "mutable-view",
    a_window_changes_its_mode: "set-mode",
    a_window_of_a_mapping_for_reading_is_never_for_writing: "set-mode-refused",
    a_window_that_lost_bytes_says_so_in_every_mode: "set-mode-lost",
    windows_of_memory_change_their_mode: "set-mode-memory",
}

#[test]
fn a_window_over_data_harms_the_plugin_alone() {
    holds("over-data");
}

#[test]
fn limits_hold() {
    let scratch = scratch();
    let ctx = builder().limit(Limit::Windows, 3).limit(Limit::WindowBytes, 5 * 4096).build();
    let usage = Arc::clone(ctx.usage());
    check_in(engine(), ctx, scratch.path(), "limits").expect("the rule holds").1.expect("it ends well");
    assert_eq!((usage.get(Limit::Windows), usage.get(Limit::WindowBytes)), (0, 0));
}

/// Checks that windows are refused as unsupported, and that views are copies.
#[track_caller]
pub fn has_no_windows(engine: &Engine, ctx: fn() -> MmapCtx) {
    let scratch = scratch();
    for check in ["unsupported", "views-are-copies", "mutable-view"] {
        let ended = check_in(engine, ctx(), scratch.path(), check);
        ended.unwrap_or_else(|error| panic!("{check}: {error:?}")).1.expect("it ends well");
    }
}

#[test]
fn the_pooling_allocator_has_no_windows() {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_memories(4).total_component_instances(4).total_core_instances(20).total_tables(20);
    let mut config = Config::new();
    wasi_mmap_host::configure(&mut config).allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    has_no_windows(&Engine::new(&config).expect("an engine"), any_windows);
}

#[test]
fn a_memory_that_may_move_has_no_windows() {
    let mut config = Config::new();
    wasi_mmap_host::configure(&mut config).memory_reservation(1 << 20);
    has_no_windows(&Engine::new(&config).expect("an engine"), any_windows);
}

#[test]
fn an_engine_that_was_not_configured_has_no_windows() {
    has_no_windows(&Engine::new(&Config::new()).expect("an engine"), any_windows);
}

#[test]
fn the_fallback_has_no_windows() {
    let scratch = scratch();
    let composed = wasi_mmap_host::fallback::compose(&plugin("window", "wasm32-wasip2")).expect("a composition");
    for check in ["unsupported", "views-are-copies", "mutable-view"] {
        let mut run = Run::new(any_windows(), scratch.path(), &["window", check]).expect("a store");
        run.call(&composed, false).unwrap_or_else(|error| panic!("{check}: {error:?}")).1.expect("it ends well");
    }
}

/// Returns the number of memory areas of this process that map a file.
pub fn areas(file: &Path) -> usize {
    let name = file.display().to_string();
    fs::read_to_string("/proc/self/maps").expect("Linux").matches(&name).count()
}

/// Checks what a plugin leaves that ended with windows attached: the files are unchanged, except for what a shared
/// window wrote, and nothing stays mapped.
pub fn check_leaked(scratch: &Path) {
    for (name, expected) in [("leaked-write", b'!'), ("leaked-read", b'a'), ("leaked-copy", b'a')] {
        let path = scratch.join(name);
        assert_eq!(fs::read(&path).expect("a file")[0], expected, "{name}");
        assert_eq!(areas(&path), 0, "{name}");
    }
}

#[test]
fn a_store_may_be_dropped_with_windows_in_it() {
    for resources_first in [false, true] {
        let scratch = scratch();
        let ctx = any_windows();
        let usage = Arc::clone(ctx.usage());
        let mut run = Run::new(ctx, scratch.path(), &["window", "leak"]).expect("a store");
        run.call(&plugin("window", "wasm32-wasip2"), true).expect("it runs").1.expect("it ends well");
        assert_eq!(usage.get(Limit::Windows), 3);
        assert!(areas(&scratch.path().join("leaked-write")) >= 2);
        if resources_first {
            // The mappings and windows go, and the plugin's memory stays for a while.
            drop(std::mem::replace(&mut run.store.data_mut().table, ResourceTable::new()));
        }
        drop(run);
        check_leaked(scratch.path());
        assert_eq!((usage.get(Limit::Windows), usage.get(Limit::Mappings)), (0, 0));
    }
}

#[test]
fn a_plugin_may_trap_with_windows_attached() {
    let scratch = scratch();
    let mut run = Run::new(any_windows(), scratch.path(), &["window", "trap"]).expect("a store");
    run.call(&plugin("window", "wasm32-wasip2"), true).expect_err("it traps");
    drop(run);
    check_leaked(scratch.path());
    holds("nobody");
}

#[test]
fn a_window_over_the_stack_harms_only_the_plugin() {
    let scratch = scratch();
    // It may trap, or go on with a stack of letters.
    let ended = check_in(engine(), any_windows(), scratch.path(), "over-the-stack");
    println!("{ended:?}");
    holds("nobody");
}

/// One component with two plugins in it, each with its own memory: the windows of one are not the other's.
#[test]
fn two_memories_in_one_component_have_their_own_windows() {
    let scratch = scratch();
    let mut graph = CompositionGraph::new();
    let window = plugin("window", "wasm32-wasip2");
    let package = Package::from_bytes("test:window", None, window, graph.types_mut()).expect("a package");
    let exports = &graph.types()[package.ty()].exports;
    let run = exports.keys().find(|name| name.starts_with("wasi:cli/run@")).expect("a command").clone();
    let package = graph.register_package(package).expect("a package");
    for name in ["first", "second"] {
        let instance = graph.instantiate(package);
        let run = graph.alias_instance_export(instance, &run).expect("an export");
        graph.export(run, name).expect("a name");
    }
    let component = graph.encode(EncodeOptions::default()).expect("a component");
    let mut run = Run::new(any_windows(), scratch.path(), &["window", "leak"]).expect("a store");
    for name in ["first", "second"] {
        run.call_export(&component, name).expect("it runs").expect("it ends well");
    }
    assert_eq!(run.store.data().mmap.usage().get(Limit::Windows), 6);
    drop(run);
    check_leaked(scratch.path());
}

/// A file of many times the plugin's memory, in windows of 64 MiB.
#[test]
fn a_file_larger_than_the_memory_is_scanned() {
    let scratch = scratch();
    let gibibytes = if is_long() { 20 } else { 5 };
    let file = fs::File::create(scratch.path().join("large")).expect("a file");
    file.set_len(gibibytes << 30).expect("a sparse file");
    std::os::unix::fs::FileExt::write_all_at(&file, &[7], (gibibytes << 30) - 1).expect("its last byte");
    let (printed, outcome) = check_in(engine(), any_windows(), scratch.path(), "scan").expect("it runs");
    assert_eq!((printed.lines().next(), outcome), (Some((7u64 << 56).to_string().as_str()), Ok(())));
}
