//! The host in a store whose type is somebody else's, and does not implement our trait. The context is in a map by type,
//! as the hosts of wasmCloud and Spin keep what extensions bring, or in the table of resources.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::path::Path;

use super::support::plugin;
use wasi_mmap_host::{Limit, Limits, MmapCtx, MmapCtxBuilder, MmapCtxView, Quota};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};
use wasmtime_wasi::filesystem::FsPerms;
use wasmtime_wasi::p2::bindings::{Command, sync};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// The data of a store of that host.
struct Foreign {
    wasi: WasiCtx,
    table: ResourceTable,
    /// The state of each extension.
    extensions: HashMap<TypeId, Box<dyn Any + Send>>,
}

impl WasiView for Foreign {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Returns our state in such a store.
fn view(data: &mut Foreign) -> MmapCtxView<'_> {
    let extension = data.extensions.get_mut(&TypeId::of::<MmapCtx>()).expect("it was added with the linker");
    MmapCtxView { ctx: extension.downcast_mut().expect("of this type"), table: &mut data.table }
}

/// A place for the context.
#[derive(Debug, Clone, Copy)]
enum Place {
    Extensions,
    Table,
}

/// Returns a context whose plugin can map 1,000 bytes.
fn ctx() -> MmapCtxBuilder {
    MmapCtx::builder().limit(Limit::MappedBytes, 1000)
}

/// Links the host for synchronous stores. Contexts in the table share the quota.
fn link(linker: &mut Linker<Foreign>, place: Place, quota: Quota) -> wasmtime::Result<()> {
    match place {
        Place::Extensions => wasi_mmap_host::add_to_linker_with(linker, view),
        Place::Table => {
            let make = move |_: &mut Foreign| ctx().quota(&quota).build();
            wasi_mmap_host::add_to_linker_in_table(linker, |data| &mut data.table, make)
        }
    }
}

/// Links the host for async stores.
fn link_async(linker: &mut Linker<Foreign>, place: Place, quota: Quota) -> wasmtime::Result<()> {
    match place {
        Place::Extensions => wasi_mmap_host::add_to_linker_async_with(linker, view),
        Place::Table => {
            let make = move |_: &mut Foreign| ctx().quota(&quota).build();
            wasi_mmap_host::add_to_linker_async_in_table(linker, |data| &mut data.table, make)
        }
    }
}

/// Makes a store for a plugin with these arguments, and the pipe that it prints to.
fn store(engine: &Engine, directory: &Path, arguments: &[&str]) -> (Store<Foreign>, MemoryOutputPipe) {
    let printed = MemoryOutputPipe::new(1 << 16);
    let mut wasi = WasiCtxBuilder::new();
    wasi.args(arguments)
        .stdout(printed.clone())
        .preopened_dir(directory, "/scratch", FsPerms::ReadWrite)
        .expect("a directory");
    let mmap: Box<dyn Any + Send> = Box::new(ctx().build());
    let extensions = HashMap::from([(TypeId::of::<MmapCtx>(), mmap)]);
    (Store::new(engine, Foreign { wasi: wasi.build(), table: ResourceTable::new(), extensions }), printed)
}

/// Returns an engine for each way to allocate instances.
fn engines() -> [Engine; 2] {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_memories(4).total_component_instances(4).total_core_instances(20).total_tables(20);
    let strategies = [InstanceAllocationStrategy::OnDemand, InstanceAllocationStrategy::Pooling(pool)];
    strategies.map(|strategy| {
        let mut config = Config::new();
        wasi_mmap_host::configure(&mut config).allocation_strategy(strategy);
        Engine::new(&config).expect("an engine")
    })
}

/// Makes a directory with a file of 10 bytes, and one that is longer than a store may map.
fn scratch() -> tempfile::TempDir {
    let scratch = tempfile::tempdir().expect("a directory");
    std::fs::write(scratch.path().join("text"), "0123456789").expect("a file");
    std::fs::write(scratch.path().join("long"), [1; 1001]).expect("a file");
    scratch
}

const PLACES: [Place; 2] = [Place::Extensions, Place::Table];

/// The file, and what the plugin prints.
const CASES: [(&str, &str); 2] = [("/scratch/text", "mapped 10 bytes\n"), ("/scratch/long", "limit-exceeded: ")];

/// Checks what a plugin printed, and that the context of its store, if it is in the table, is the one that was made.
#[track_caller]
fn check(place: Place, data: &mut Foreign, printed: &MemoryOutputPipe, expected: &str) {
    let printed = String::from_utf8(printed.contents().to_vec()).expect("UTF-8");
    assert!(printed.starts_with(expected), "{place:?}: {printed}");
    let found = MmapCtx::find_in(&mut data.table);
    assert_eq!(found.map(|ctx| ctx.limits().get(Limit::MappedBytes)), matches!(place, Place::Table).then_some(1000));
}

#[test]
fn a_foreign_store_has_mappings() {
    let scratch = scratch();
    for (engine, place) in engines().iter().flat_map(|engine| PLACES.map(|place| (engine, place))) {
        let mut linker = Linker::<Foreign>::new(engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker).expect("WASI is linked");
        link(&mut linker, place, Quota::new(Limits::unlimited())).expect("the host is linked");
        let component = Component::from_binary(engine, &plugin("probe", "wasm32-wasip2")).expect("a component");
        for (file, expected) in CASES {
            let (mut store, printed) = store(engine, scratch.path(), &["probe", "map", "write", "0", "0", file]);
            let command = sync::Command::instantiate(&mut store, &component, &linker).expect("an instance");
            let outcome = command.wasi_cli_run().call_run(&mut store).expect("a run");
            check(place, store.data_mut(), &printed, expected);
            assert_eq!(outcome.is_ok(), file == "/scratch/text");
        }
    }
    // It was written through a mapping.
    assert_eq!(std::fs::read(scratch.path().join("text")).expect("the file"), b"!123456789");
}

#[test]
fn a_foreign_async_store_has_mappings() {
    let scratch = scratch();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for (engine, place) in engines().iter().flat_map(|engine| PLACES.map(|place| (engine, place))) {
        let mut linker = Linker::<Foreign>::new(engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).expect("WASI is linked");
        link_async(&mut linker, place, Quota::new(Limits::unlimited())).expect("the host is linked");
        let component = Component::from_binary(engine, &plugin("probe", "wasm32-wasip2")).expect("a component");
        for (file, expected) in CASES {
            let (mut store, printed) = store(engine, scratch.path(), &["probe", "map", "read", "0", "0", file]);
            let outcome = runtime.block_on(async {
                let command = Command::instantiate_async(&mut store, &component, &linker).await?;
                command.wasi_cli_run().call_run(&mut store).await
            });
            check(place, store.data_mut(), &printed, expected);
            assert_eq!(outcome.expect("a run").is_ok(), file == "/scratch/text");
        }
    }
}
