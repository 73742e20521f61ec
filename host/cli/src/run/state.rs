//! The data of the store: what the plugin is given, and counters.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use wasi_mmap_host::{MmapCtx, MmapCtxView, MmapView};
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, Result, bail};
use wasmtime_wasi::filesystem::FsPerms;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::arguments::{Directory, RunOptions};
use crate::{cache, memories};

/// The store's data.
pub(super) struct State {
    wasi: WasiCtx,
    pub(super) mmap: MmapCtx,
    table: ResourceTable,
    pub(super) memory: Memory,
    pub(super) mapped: Arc<Mapped>,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl MmapView for State {
    fn mmap(&mut self) -> MmapCtxView<'_> {
        MmapCtxView { ctx: &mut self.mmap, table: &mut self.table }
    }
}

/// Counts the plugin's linear memory. Memories never shrink, so the sum is also the peak.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) bytes: u64,
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.bytes += desired.saturating_sub(current) as u64;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
}

/// Counts the mappings that the plugin makes, and their bytes.
#[derive(Debug, Default)]
pub(super) struct Mapped {
    pub(super) mappings: AtomicU64,
    pub(super) bytes: AtomicU64,
}

/// Returns the data of a store for a plugin that gets what the options say.
///
/// # Errors
///
/// Fails if a directory cannot be opened, or an environment variable is not set.
pub(super) fn state(options: &RunOptions) -> Result<State> {
    let mut wasi = WasiCtxBuilder::new();
    wasi.inherit_stdio().arg(options.plugin.to_string_lossy()).args(&options.arguments);
    // This process runs a single plugin, so its file I/O does not need another thread.
    wasi.allow_blocking_current_thread(true);
    for variable in &options.environment {
        match variable.split_once('=') {
            Some((name, value)) => wasi.env(name, value),
            None => match std::env::var(variable) {
                Ok(value) => wasi.env(variable, value),
                Err(error) => bail!("--env {variable}: {error}"),
            },
        };
    }
    let read_only = options.read_only_directories.iter().map(|directory| (directory, FsPerms::ReadOnly));
    let writable = options.directories.iter().map(|directory| (directory, FsPerms::ReadWrite));
    for (Directory { host, guest }, permissions) in writable.chain(read_only) {
        if permissions == FsPerms::ReadWrite {
            cache::check_separate(host)?;
        }
        wasi.preopened_dir(host, guest, permissions).map_err(|error| {
            wasmtime::format_err!("cannot open the directory {} for the plugin: {error}", host.display())
        })?;
    }
    // Without these, the plugin has no right to use the network.
    if options.tcp || options.udp {
        wasi.inherit_network().allow_tcp(options.tcp).allow_udp(options.udp);
    } else {
        wasi.allow_tcp(false).allow_udp(false);
    }
    wasi.allow_ip_name_lookup(options.tcp || options.udp);
    let mapped = Arc::new(Mapped::default());
    let counters = Arc::clone(&mapped);
    let mut mmap = MmapCtx::builder().windows(options.windows.into()).audit(move |event| {
        if let Ok(bytes) = event.outcome {
            counters.mappings.fetch_add(1, Relaxed);
            counters.bytes.fetch_add(bytes, Relaxed);
        }
    });
    for &(limit, to) in &options.limits {
        mmap = mmap.limit(limit, to);
    }
    let mmap = memories::allow_windows(mmap);
    Ok(State { wasi: wasi.build(), mmap: mmap.build(), table: ResourceTable::new(), memory: Memory::default(), mapped })
}
