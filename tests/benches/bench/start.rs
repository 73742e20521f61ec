//! Starting a plugin: its instance in memories of the engine's own, against the same engine without a context of the
//! interface.

use wasi_mmap_host::{MmapCtx, MmapCtxView, MmapView};
use wasmtime::component::{Component, InstancePre, Linker, ResourceTable};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::measure::{Comparison, Peer, Sample, Subject, peer, timed};
use crate::support::plugin;
use crate::window::anonymous;

/// The number of instances of one measurement of time, one after the other.
const STARTS: usize = 2_000;
/// The number of instances of one measurement of memory, all alive.
const ALIVE: usize = 200;

/// The data of a store with a context of the interface.
struct Ours {
    plain: Plain,
    mmap: MmapCtx,
}

/// The data of a store without it.
struct Plain {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Plain {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiView for Ours {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.plain.ctx()
    }
}

impl MmapView for Ours {
    fn mmap(&mut self) -> MmapCtxView<'_> {
        MmapCtxView { ctx: &mut self.mmap, table: &mut self.plain.table }
    }
}

/// A plugin in an engine, with and without a context of the interface.
struct Started {
    ours: InstancePre<Ours>,
    plain: InstancePre<Plain>,
    in_engine_memories: bool,
}

impl Started {
    fn new(config: &Config, in_engine_memories: bool) -> Result<Self> {
        let engine = Engine::new(config)?;
        let component = Component::from_binary(&engine, &plugin("bench", "wasm32-wasip2"))?;
        let mut linker = Linker::<Ours>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
        wasi_mmap_host::add_to_linker(&mut linker)?;
        let ours = linker.instantiate_pre(&component)?;
        let mut linker = Linker::<Plain>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
        // A context is made for plugins that use the interface, and these are not run.
        wasi_mmap_host::add_to_linker_in_table(&mut linker, |plain| &mut plain.table, |_| MmapCtx::default())?;
        Ok(Self { ours, plain: linker.instantiate_pre(&component)?, in_engine_memories })
    }

    fn start(&self) -> Result<Store<Ours>> {
        let mut mmap = MmapCtx::builder();
        if self.in_engine_memories {
            // SAFETY: these engines have no host memory, and their stores are dropped with their data.
            mmap = unsafe { mmap.windows_in_engine_memories() };
        }
        let mut store = Store::new(self.ours.engine(), Ours { plain: plain(), mmap: mmap.build() });
        self.ours.instantiate(&mut store)?;
        Ok(store)
    }

    fn start_plain(&self) -> Result<Store<Plain>> {
        let mut store = Store::new(self.plain.engine(), plain());
        self.plain.instantiate(&mut store)?;
        Ok(store)
    }
}

fn plain() -> Plain {
    Plain { wasi: WasiCtx::builder().build(), table: ResourceTable::new() }
}

/// Returns the microseconds for an instance.
#[expect(clippy::cast_precision_loss, reason = "a small number")]
fn time<S>(start: impl Fn() -> Result<S>) -> Result<Sample> {
    let sample = timed(|| {
        for _ in 0..STARTS {
            drop(start()?);
        }
        Ok(0)
    })?;
    Ok(sample.times(1e6 / STARTS as f64))
}

/// Returns the private memory of an instance in KiB.
#[expect(clippy::cast_precision_loss, reason = "a small number")]
fn memory<S>(start: impl Fn() -> Result<S>) -> Result<Sample> {
    // What the first ones leave to the allocator is not counted.
    let first: Vec<S> = (0..ALIVE).map(|_| start()).collect::<Result<_>>()?;
    drop(first);
    let before = anonymous()?;
    let alive: Vec<S> = (0..ALIVE).map(|_| start()).collect::<Result<_>>()?;
    let after = anonymous()?;
    drop(alive);
    Ok(Sample { result: 0, amount: ((after - before) / ALIVE as f64).max(1.0) })
}

pub(crate) fn comparisons<'a>() -> Result<Vec<Comparison<'a>>> {
    let mut pool = PoolingAllocationConfig::new();
    let most = u32::try_from(ALIVE)? + 1;
    pool.total_memories(most).total_component_instances(most).total_core_instances(10 * most).total_tables(10 * most);
    let (default, mut pooling, mut configured) = (Config::new(), Config::new(), Config::new());
    pooling.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    wasi_mmap_host::configure(&mut configured);
    let mut comparisons = Vec::new();
    for (name, config, in_engine_memories) in
        [("start", &default, true), ("start-pooling", &pooling, true), ("start-configured", &configured, false)]
    {
        // Only what was configured for windows costs more.
        let bar = in_engine_memories.then_some(1.1);
        let started = std::rc::Rc::new(Started::new(config, in_engine_memories)?);
        let default = if in_engine_memories {
            std::rc::Rc::clone(&started)
        } else {
            std::rc::Rc::new(Started::new(&Config::new(), false)?)
        };
        let against = if in_engine_memories {
            "the same engine without a context of the interface"
        } else {
            "the default engine"
        };
        let of = |measure: fn(&Started) -> Result<Sample>, peer_measure: fn(&Started) -> Result<Sample>| {
            let (ours, theirs) = (std::rc::Rc::clone(&started), std::rc::Rc::clone(&default));
            let ours: Subject<'a> = Box::new(move || measure(&ours));
            let theirs: Subject<'a> = Box::new(move || peer_measure(&theirs));
            (ours, vec![Peer { bar, ..peer(against, None, theirs) }])
        };
        let (ours, peers) = of(|one| time(|| one.start()), |one| time(|| one.start_plain()));
        comparisons.push(Comparison::new(name, "µs for an instance of a plugin", ours, peers));
        let (ours, peers) = of(|one| memory(|| one.start()), |one| memory(|| one.start_plain()));
        comparisons.push(Comparison::new(
            format!("{name}-memory"),
            "KiB for an instance of a plugin, at least 1",
            ours,
            peers,
        ));
    }
    Ok(comparisons)
}
