//! Windows in memories that the engine makes for itself, unmapped or used again when a store ends.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use super::child;
use super::stable::{folders, make};
use super::support::{Run, builder, is_long, plugin};
use super::window::{RULES, areas, check_leaked, has_no_windows};
use wasi_mmap_host::{Limit, MmapCtx, WindowPolicy};
use wasmtime::component::{Component, ResourceTable};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Returns a context that allows every window, in the engine's memories, too.
fn ctx() -> MmapCtx {
    // SAFETY: the engines of these tests have no host memory and no protection keys, and their stores are dropped with
    // their data, but where a test is about that.
    unsafe { builder().windows_in_engine_memories() }.build()
}

/// Returns a context that allows windows whose bytes nobody changes, in the engine's memories, too.
fn stable_ctx() -> MmapCtx {
    // SAFETY: as for `ctx`.
    unsafe { MmapCtx::builder().windows(WindowPolicy::Stable).windows_in_engine_memories() }.build()
}

/// Returns an engine that unmaps its memories.
fn on_demand() -> Engine {
    Engine::new(&Config::new()).expect("an engine")
}

/// Returns an engine that has a single memory for one plugin after the other, of which it clears `resident` bytes by
/// hand.
fn pooling(resident: usize) -> Engine {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_memories(1).total_component_instances(4).total_core_instances(20).total_tables(20);
    pool.linear_memory_keep_resident(resident);
    let mut config = Config::new();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config).expect("an engine")
}

/// The window program, in an engine.
struct Plugin {
    engine: Engine,
    component: Component,
    scratch: tempfile::TempDir,
}

impl Plugin {
    fn new(engine: Engine) -> Self {
        let component = Component::new(&engine, plugin("window", "wasm32-wasip2")).expect("a component");
        Self { engine, component, scratch: tempfile::tempdir().expect("a directory") }
    }

    /// Runs a check in a store that remains, and requires that it succeeds.
    #[track_caller]
    fn run(&self, ctx: MmapCtx, check: &str) -> Run {
        self.run_in(self.scratch.path(), ctx, check)
    }

    #[track_caller]
    fn run_in(&self, scratch: &Path, ctx: MmapCtx, check: &str) -> Run {
        let mut run = Run::in_engine(&self.engine, ctx, scratch, &["window", check]).expect("a store");
        let (printed, outcome) =
            run.call_compiled(&self.component, true).unwrap_or_else(|error| panic!("{check}: {error:?}"));
        assert_eq!((printed.lines().last(), outcome), (Some(format!("{check}: done").as_str()), Ok(())));
        run
    }
}

fn rules_hold(engine: Engine) {
    let plugin = Plugin::new(engine);
    for rule in RULES {
        drop(plugin.run(ctx(), rule));
    }
}

#[test]
fn the_rules_hold_where_the_engine_unmaps_its_memories() {
    rules_hold(on_demand());
}

#[test]
fn the_rules_hold_where_memories_are_used_again() {
    rules_hold(pooling(0));
}

#[test]
fn a_memory_that_may_move_has_no_windows() {
    let mut config = Config::new();
    config.memory_reservation(1 << 20);
    has_no_windows(&Engine::new(&config).expect("an engine"), ctx);
}

#[test]
fn initial_data_is_not_replaced() {
    for engine in [on_demand(), pooling(0)] {
        let plugin = Plugin::new(engine);
        for check in ["over-data-refused", "data-is-whole"] {
            drop(plugin.run(ctx(), check));
        }
    }
}

#[test]
fn the_next_plugin_in_a_memory_sees_nothing() {
    for engine in [pooling(0), pooling(1 << 20), pooling(1 << 30)] {
        let plugin = Plugin::new(engine);
        for resources_first in [false, true] {
            let ctx = ctx();
            let usage = Arc::clone(ctx.usage());
            let mut run = plugin.run(ctx, "leave-secret");
            let file = plugin.scratch.path().join("leaked-secret");
            assert_eq!(usage.get(Limit::Windows), 4);
            assert!(areas(&file) >= 4, "the windows are there");
            if resources_first {
                drop(std::mem::replace(&mut run.store.data_mut().table, ResourceTable::new()));
                assert_eq!(areas(&file), 0, "the windows went with their handles");
            }
            drop(run);
            assert_eq!(areas(&file), 0);
            assert_eq!((usage.get(Limit::Windows), usage.get(Limit::Mappings)), (0, 0));
            drop(plugin.run(self::ctx(), "find-no-secret"));
            drop(plugin.run(self::ctx(), "shared"));
        }
    }
}

#[test]
fn a_plugin_may_trap_with_windows_attached() {
    for engine in [on_demand(), pooling(0)] {
        let plugin = Plugin::new(engine);
        let mut run =
            Run::in_engine(&plugin.engine, ctx(), plugin.scratch.path(), &["window", "trap"]).expect("a store");
        run.call_compiled(&plugin.component, true).expect_err("it traps");
        drop(run);
        check_leaked(plugin.scratch.path());
        drop(plugin.run(ctx(), "nobody"));
    }
}

/// The data of a store outlives its memories, whose addresses another plugin may have by then.
#[test]
fn data_may_outlive_memories_that_are_unmapped() {
    let plugin = Plugin::new(on_demand());
    for _ in 0..5 {
        let ctx = ctx();
        let usage = Arc::clone(ctx.usage());
        let run = plugin.run(ctx, "leak");
        assert_eq!(usage.get(Limit::Windows), 3);
        let data = run.store.into_data();
        let file = plugin.scratch.path().join("leaked-write");
        // The mapping itself.
        assert_eq!(areas(&file), 1, "the window went with the memory");
        let second = plugin.run(self::ctx(), "leak");
        let with_second = areas(&file);
        assert!(with_second >= 2);
        drop(data);
        assert_eq!(usage.get(Limit::Windows), 0);
        // The windows of the second plugin are in place, wherever they are.
        assert!(areas(&file) >= 2, "{} of {with_second}", areas(&file));
        drop(second);
        check_leaked(plugin.scratch.path());
    }
}

/// Runs checks of windows whose bytes nobody changes, in a process of its own, in the engines that `which` names.
pub fn meet_stable(scratch: &Path, which: &str, checks: &[&str]) {
    for name in ["on-demand", "pooling"].into_iter().filter(|name| which.is_empty() || which.ends_with(name)) {
        let engine = if name == "pooling" { pooling(0) } else { on_demand() };
        let plugin = Plugin::new(engine);
        for check in checks {
            let ctx = stable_ctx();
            let usage = Arc::clone(ctx.usage());
            drop(plugin.run_in(scratch, ctx, check));
            assert_eq!((usage.get(Limit::HeldBytes), usage.get(Limit::Windows)), (0, 0), "{check}");
        }
    }
}

/// Stores go with their windows, and memories back to the pool, while the leases that hold the bytes end.
#[test]
fn stores_are_dropped_while_others_write() {
    for folder in folders() {
        let path = make(folder.path(), "text");
        let plugin = Plugin::new(pooling(0));
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    drop(File::options().write(true).open(&path).expect("it opens"));
                    std::thread::sleep(Duration::from_micros(300));
                }
            });
            let checked = catch_unwind(AssertUnwindSafe(|| {
                for _ in 0..if is_long() { 500 } else { 30 } {
                    drop(plugin.run_in(folder.path(), stable_ctx(), "stable-leak"));
                    drop(plugin.run(ctx(), "data-is-whole"));
                }
            }));
            done.store(true, Relaxed);
            checked.unwrap_or_else(|panic| resume_unwind(panic));
        });
    }
}

/// A process of its own: it takes a store apart whose memory goes back to the pool with windows in it.
pub fn take_apart(scratch: &Path) {
    let engine = pooling(0);
    let component = Component::new(&engine, plugin("window", "wasm32-wasip2")).expect("a component");
    let mut run = Run::in_engine(&engine, ctx(), scratch, &["window", "leave-secret"]).expect("a store");
    run.call_compiled(&component, true).expect("it runs").1.expect("it ends well");
    println!("windows are attached");
    drop(run.store.into_data());
    println!("the process goes on");
}

#[test]
fn data_that_would_leave_a_file_in_the_pool_ends_the_process() {
    let scratch = tempfile::tempdir().expect("a directory");
    let output = child::command("into-data", &[scratch.path().to_str().expect("UTF-8")]).output().expect("a process");
    let (printed, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(printed.contains("windows are attached") && !printed.contains("goes on"), "{printed}");
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{said}");
    assert!(said.contains("Store::into_data"), "{said}");
}
