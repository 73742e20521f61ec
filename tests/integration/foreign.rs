//! The host in a store whose type is somebody else's: it keeps what plugins of the host bring in a map by type, as the
//! hosts of wasmCloud and Spin do, and does not implement our trait.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::path::Path;

use super::support::plugin;
use wasi_mmap_host::{Limit, MmapCtx, MmapCtxView};
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

/// Makes a store for a plugin with these arguments, which can map 1,000 bytes, and the pipe that it prints to.
fn store(engine: &Engine, directory: &Path, arguments: &[&str]) -> (Store<Foreign>, MemoryOutputPipe) {
    let printed = MemoryOutputPipe::new(1 << 16);
    let mut wasi = WasiCtxBuilder::new();
    wasi.args(arguments)
        .stdout(printed.clone())
        .preopened_dir(directory, "/scratch", FsPerms::ReadWrite)
        .expect("a directory");
    let mmap: Box<dyn Any + Send> = Box::new(MmapCtx::builder().limit(Limit::MappedBytes, 1000).build());
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

/// The file, and what the plugin prints.
const CASES: [(&str, &str); 2] = [("/scratch/text", "mapped 10 bytes\n"), ("/scratch/long", "limit-exceeded: ")];

#[test]
fn a_foreign_store_has_mappings() {
    let scratch = scratch();
    for engine in engines() {
        let mut linker = Linker::<Foreign>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker).expect("WASI is linked");
        wasi_mmap_host::add_to_linker_with(&mut linker, view).expect("the host is linked");
        let component = Component::from_binary(&engine, &plugin("probe", "wasm32-wasip2")).expect("a component");
        for (file, expected) in CASES {
            let (mut store, printed) = store(&engine, scratch.path(), &["probe", "map", "write", "0", "0", file]);
            let command = sync::Command::instantiate(&mut store, &component, &linker).expect("an instance");
            let outcome = command.wasi_cli_run().call_run(&mut store).expect("a run");
            let printed = String::from_utf8(printed.contents().to_vec()).expect("UTF-8");
            assert!(printed.starts_with(expected), "{file}: {printed}");
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
    for engine in engines() {
        let mut linker = Linker::<Foreign>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).expect("WASI is linked");
        wasi_mmap_host::add_to_linker_async_with(&mut linker, view).expect("the host is linked");
        let component = Component::from_binary(&engine, &plugin("probe", "wasm32-wasip2")).expect("a component");
        for (file, expected) in CASES {
            let (mut store, printed) = store(&engine, scratch.path(), &["probe", "map", "read", "0", "0", file]);
            let outcome = runtime.block_on(async {
                let command = Command::instantiate_async(&mut store, &component, &linker).await?;
                command.wasi_cli_run().call_run(&mut store).await
            });
            let printed = String::from_utf8(printed.contents().to_vec()).expect("UTF-8");
            assert!(printed.starts_with(expected), "{file}: {printed}");
            assert_eq!(outcome.expect("a run").is_ok(), file == "/scratch/text");
        }
    }
}
