//! Workloads in a sandbox: the plugin `bench` over the host, composed with the fallback, and as a module of preview 1,
//! in which the fallback is a library; and a program in C over the emulation of `mmap` that comes with its C library.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use wasi_mmap_host::{Limit, MmapCtx, WindowPolicy};
use wasmtime::component::Component;
use wasmtime::error::Context as _;
use wasmtime::{Config, Engine, Module, Result, ensure};

use crate::measure::Sample;
use crate::support::{Run, any_windows, builder, engine, plugin, run_module};

/// The plugin, ready to run.
pub(crate) struct Plugins {
    folder: PathBuf,
    plain: Component,
    /// The same in an engine with memories of its own.
    in_engine_memory: Component,
    composed: Component,
    module: Module,
    emulation: Option<Module>,
}

/// The output of the plugin.
#[derive(Debug, Deserialize)]
struct Done {
    result: u64,
    seconds: f64,
    memory_bytes: u64,
}

/// The measurements of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Measure {
    Seconds,
    /// The size of the plugin's memory at the end.
    Memory,
}

impl Measure {
    fn of(self, printed: &str) -> Result<Sample> {
        let done: Done = serde_json::from_str(printed).with_context(|| format!("the plugin printed {printed:?}"))?;
        #[expect(clippy::cast_precision_loss, reason = "a memory of 4 GiB at most")]
        let amount = match self {
            Self::Seconds => done.seconds,
            Self::Memory => done.memory_bytes as f64,
        };
        Ok(Sample { result: done.result, amount })
    }
}

impl Plugins {
    /// Compiles everything for plugins that see `folder`.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let component = plugin("bench", "wasm32-wasip2");
        let composed = wasi_mmap_host::fallback::compose(&component)?;
        let emulation = match crate::c::emulation() {
            Ok(path) => Some(Module::from_file(engine(), path)?),
            Err(error) => {
                eprintln!("The rows against wasi-libc are left out: {error:#}");
                None
            }
        };
        Ok(Self {
            folder: folder.to_owned(),
            plain: Component::from_binary(engine(), &component)?,
            in_engine_memory: Component::from_binary(&Engine::new(&Config::new())?, &component)?,
            composed: Component::from_binary(engine(), &composed)?,
            module: Module::from_binary(engine(), &plugin("bench", "wasm32-wasip1"))?,
            emulation,
        })
    }

    /// Runs a workload as a component, over the host's mappings where it uses any.
    pub(crate) fn host(&self, workload: &str, file: &str, numbers: &[u64]) -> Result<Sample> {
        self.host_and_then(workload, file, numbers, |_, sample| Ok(sample))
    }

    /// Does the same, and calls a function while the plugin's store is still alive.
    pub(crate) fn host_and_then(
        &self,
        workload: &str,
        file: &str,
        numbers: &[u64],
        look: impl FnOnce(&Run, Sample) -> Result<Sample>,
    ) -> Result<Sample> {
        let arguments = arguments(workload, file, numbers);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut run = Run::new(any_windows(), &self.folder, &arguments)?;
        let (printed, outcome) = run.call_compiled(&self.plain, true)?;
        ensure!(outcome == Ok(()), "the plugin failed");
        let sample = Measure::Seconds.of(&printed)?;
        look(&run, sample)
    }

    /// Runs a workload over the host's mappings, with windows only of files that are held still.
    pub(crate) fn stable(&self, workload: &str, file: &str, numbers: &[u64]) -> Result<Sample> {
        self.host_with(MmapCtx::default(), workload, file, numbers)
    }

    /// Runs a workload over the host's mappings, without windows.
    pub(crate) fn without_windows(&self, workload: &str, file: &str, numbers: &[u64]) -> Result<Sample> {
        self.host_with(MmapCtx::builder().windows(WindowPolicy::Never).build(), workload, file, numbers)
    }

    /// Runs a workload over the host's mappings, in a memory of the engine's own.
    pub(crate) fn in_engine_memory(&self, workload: &str, file: &str, numbers: &[u64]) -> Result<Sample> {
        // SAFETY: the engine has no host memory, and the store is dropped with its data.
        let ctx = unsafe { builder().limit(Limit::Windows, u64::MAX).windows_in_engine_memories() }.build();
        self.run_with(&self.in_engine_memory, ctx, workload, file, numbers)
    }

    /// Runs a workload over the host's mappings, with any number of windows.
    pub(crate) fn unlimited(&self, workload: &str, file: &str, numbers: &[u64]) -> Result<Sample> {
        self.host_with(builder().limit(Limit::Windows, u64::MAX).build(), workload, file, numbers)
    }

    fn host_with(&self, ctx: MmapCtx, workload: &str, file: &str, numbers: &[u64]) -> Result<Sample> {
        self.run_with(&self.plain, ctx, workload, file, numbers)
    }

    fn run_with(
        &self,
        component: &Component,
        ctx: MmapCtx,
        workload: &str,
        file: &str,
        numbers: &[u64],
    ) -> Result<Sample> {
        let arguments = arguments(workload, file, numbers);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut run = Run::in_engine(component.engine(), ctx, &self.folder, &arguments)?;
        let (printed, outcome) = run.call_compiled(component, true)?;
        ensure!(outcome == Ok(()), "the plugin failed");
        Measure::Seconds.of(&printed)
    }

    /// Runs a workload composed with the fallback.
    pub(crate) fn composed(&self, workload: &str, file: &str, numbers: &[u64]) -> Result<Sample> {
        let arguments = arguments(workload, file, numbers);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (printed, outcome) =
            Run::new(any_windows(), &self.folder, &arguments)?.call_compiled(&self.composed, false)?;
        ensure!(outcome == Ok(()), "the plugin failed");
        Measure::Seconds.of(&printed)
    }

    /// Runs a workload as a module of preview 1, in which the mapping is the fallback's library.
    pub(crate) fn module(&self, measure: Measure, workload: &str, file: &str, numbers: &[u64]) -> Result<Sample> {
        self.run_module(&self.module, measure, workload, file, numbers)
    }

    /// Returns whether the program over the emulated `mmap` is available.
    pub(crate) fn has_emulation(&self) -> bool {
        self.emulation.is_some()
    }

    /// Runs a workload over the emulated `mmap`.
    pub(crate) fn emulation(&self, measure: Measure, workload: &str, file: &str, numbers: &[u64]) -> Result<Sample> {
        let emulation = self.emulation.as_ref().context("there is none")?;
        self.run_module(emulation, measure, workload, file, numbers)
    }

    fn run_module(
        &self,
        module: &Module,
        measure: Measure,
        workload: &str,
        file: &str,
        numbers: &[u64],
    ) -> Result<Sample> {
        let arguments = arguments(workload, file, numbers);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        measure.of(&run_module(module, &self.folder, &arguments)?)
    }
}

fn arguments(workload: &str, file: &str, numbers: &[u64]) -> Vec<String> {
    let mut arguments = vec!["bench".to_owned(), workload.to_owned(), format!("/scratch/{file}")];
    arguments.extend(numbers.iter().map(u64::to_string));
    arguments
}
