//! The context of a store for its plugin's mappings.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use wasi_mmap_native::Namespace;
use wasmtime::component::ResourceTable;

use crate::audit::MapEvent;
use crate::limits::{Limit, Limits};
use crate::memory::{EngineMemories, GrowingWindows};
use crate::quota::{Account, Quota, Usage};

type Audit = Arc<dyn Fn(&MapEvent<'_>) + Send + Sync>;

/// The context of a store for its plugin's mappings: limits, policy, audit.
///
/// [`MmapCtx::default`] has the default limits, [stable](WindowPolicy::Stable) windows, and a namespace of its own.
#[derive(Default)]
pub struct MmapCtx {
    pub(crate) account: Arc<Account>,
    pub(crate) interrupt: Interrupt,
    pub(crate) namespace: Namespace,
    pub(crate) windows: WindowPolicy,
    pub(crate) growing: GrowingWindows,
    pub(crate) engine_memories: EngineMemories,
    audit: Option<Audit>,
}

impl MmapCtx {
    /// Returns a builder with the defaults.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_host::{MmapCtx, WindowPolicy};
    ///
    /// let ctx = MmapCtx::builder().mapped_bytes(1 << 30).windows(WindowPolicy::Never).build();
    /// assert_eq!(ctx.windows(), WindowPolicy::Never);
    /// ```
    pub fn builder() -> MmapCtxBuilder {
        MmapCtxBuilder::default()
    }

    /// Returns the context in a store's table, if the linker keeps it there:
    /// [`add_to_linker_in_table`](crate::add_to_linker_in_table), which has an example. There is none before the store's
    /// plugin has used the interface.
    pub fn find_in(table: &mut ResourceTable) -> Option<Arc<Self>> {
        table.iter_mut().find_map(|entry| entry.downcast_ref::<Arc<Self>>().cloned())
    }

    /// Returns the present use of the limits. It stays readable while the store runs.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_host::{Limit, MmapCtx};
    ///
    /// let ctx = MmapCtx::default();
    /// let usage = ctx.usage().clone();
    /// assert_eq!(usage.get(Limit::MappedBytes), 0); // from any thread, at any time
    /// ```
    pub fn usage(&self) -> &Arc<Usage> {
        self.account.usage()
    }

    /// Returns the limits.
    pub fn limits(&self) -> &Limits {
        self.account.limits()
    }

    /// Returns a handle that ends long calls from another thread.
    ///
    /// # Example
    ///
    /// ```
    /// let ctx = wasi_mmap_host::MmapCtx::default();
    /// let interrupt = ctx.interrupt_handle();
    /// std::thread::spawn(move || interrupt.set()).join().expect("it does not panic");
    /// assert!(ctx.interrupt_handle().is_set());
    /// ```
    pub fn interrupt_handle(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// Returns which windows the plugin may have.
    pub fn windows(&self) -> WindowPolicy {
        self.windows
    }

    pub(crate) fn report(&self, event: &MapEvent<'_>) {
        event.trace();
        if let Some(audit) = &self.audit {
            audit(event);
        }
    }
}

impl fmt::Debug for MmapCtx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MmapCtx").field("account", &self.account).finish_non_exhaustive()
    }
}

/// The windows that a plugin may have: parts of mappings in its own memory. A plugin that asks for another gets
/// `unsupported`, and the guest library copies.
///
/// The engine and generated bindings rely on a plugin's memory to change only while the plugin runs: a string is
/// validated where it lies, and copied afterwards. If another process writes to it in between, safe code of the host
/// gets a `String` that is not UTF-8.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WindowPolicy {
    /// No windows.
    Never,
    /// Windows whose bytes nobody but the plugin can change while they are attached:
    ///
    /// - anonymous memory, but not named memory, which others may share;
    /// - private copies of files ([`Access::Copy`](wasi_mmap_core::Access::Copy)): the bytes are copied to the plugin's
    ///   memory, and its changes back, unless nobody can write to the file;
    /// - files that are read, if something [keeps](crate::Stability) their bytes: a seal, fs-verity, a read-only file
    ///   system, or a lease. A process that opens a leased file for writing waits until the bytes are copied:
    ///   [`Limit::HeldBytes`].
    ///
    /// A file is never written through such a window. While the bytes of a window are copied at the end of a lease, the
    /// plugin's stores there wait in a handler for SIGSEGV, which is put on top of handlers that were installed after
    /// it.
    #[default]
    Stable,
    /// All windows. For trusted plugins, on files that others leave alone or whose bytes the plugin does not pass on as
    /// strings: otherwise the embedder's own safe code is unsound.
    Any,
}

/// A handle that ends the long calls of a plugin, those in progress and later ones: they trap.
///
/// wasmtime's epochs and fuel do not reach into host calls. This does, between the steps of a long call.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Ends long calls from now on.
    pub fn set(&self) {
        self.0.store(true, Relaxed);
    }

    /// Allows long calls again.
    pub fn clear(&self) {
        self.0.store(false, Relaxed);
    }

    /// Returns whether long calls end.
    pub fn is_set(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// A builder of an [`MmapCtx`].
#[derive(Default)]
#[must_use]
pub struct MmapCtxBuilder {
    ctx: MmapCtx,
    limits: Limits,
    quota: Option<Quota>,
}

impl MmapCtxBuilder {
    /// Sets all limits. [`Limits`] has an example.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets one limit.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_host::{Limit, MmapCtx};
    ///
    /// let ctx = MmapCtx::builder().limit(Limit::Windows, 0).limit(Limit::Mappings, 16).build();
    /// assert_eq!(ctx.limits().get(Limit::Mappings), 16);
    /// ```
    pub fn limit(mut self, limit: Limit, to: u64) -> Self {
        self.limits.set(limit, to);
        self
    }

    /// Limits the bytes of files that are mapped at a time: [`Limit::MappedBytes`].
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_host::{Limit, MmapCtx};
    ///
    /// let ctx = MmapCtx::builder().mapped_bytes(1 << 30).build();
    /// assert_eq!(ctx.limits().get(Limit::MappedBytes), 1 << 30);
    /// ```
    pub fn mapped_bytes(self, bytes: u64) -> Self {
        self.limit(Limit::MappedBytes, bytes)
    }

    /// Makes the store share a quota with others, beside its own limits. [`Quota`] has an example.
    pub fn quota(mut self, quota: &Quota) -> Self {
        self.quota = Some(quota.clone());
        self
    }

    /// Sets which windows the plugin may have.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_host::{MmapCtx, WindowPolicy};
    ///
    /// let trusted = MmapCtx::builder().windows(WindowPolicy::Any).build();
    /// assert_eq!(trusted.windows(), WindowPolicy::Any);
    /// assert_eq!(MmapCtx::default().windows(), WindowPolicy::Stable);
    /// ```
    pub fn windows(mut self, policy: WindowPolicy) -> Self {
        self.ctx.windows = policy;
        self
    }

    /// Allows windows in the memories that the engine makes for itself, beside those of [`configure`](crate::configure):
    /// with the default configuration, copy-on-write images of modules, and the pooling allocator. Instantiating a
    /// plugin then costs what it costs without this crate.
    ///
    /// Windows need a [`Config::memory_reservation`](wasmtime::Config::memory_reservation) of at least 4 GiB, as the
    /// default is, and Linux; otherwise they are `unsupported`. So are windows over the initial data of a module.
    ///
    /// # Safety
    ///
    /// For the engine of the store that the context comes into:
    ///
    /// - [`Config::with_host_memory`](wasmtime::Config::with_host_memory) is not used, unless by
    ///   [`configure`](crate::configure): memories are the engine's or this crate's.
    /// - [`Config::wasm_component_model_memory64`](wasmtime::Config::wasm_component_model_memory64) is off, as it is by
    ///   default. With the pooling allocator, so are
    ///   [memory protection keys](wasmtime::PoolingAllocationConfig::memory_protection_keys).
    ///
    /// For the store:
    ///
    /// - The context and the table of resources stay in the store's data as long as the store exists, and are dropped
    ///   with it. A window's pages are taken out of the plugin's memory then.
    /// - After a plugin has run in it, [`Store::into_data`](wasmtime::Store::into_data) is not called. With the default
    ///   allocator, windows that are neither leased ([`Stability::Leased`](crate::Stability)) nor
    ///   reach past the end of their file are sound even then. With the pooling allocator, a window would stay in memory
    ///   that the next plugin gets: the process is ended.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_host::MmapCtx;
    ///
    /// // SAFETY: the engine has the default configuration, and the store is dropped, as is its data.
    /// let ctx = unsafe { MmapCtx::builder().windows_in_engine_memories() }.build();
    /// # drop(ctx);
    /// ```
    #[expect(unsafe_code, reason = "it passes a contract on, and does nothing itself")]
    pub unsafe fn windows_in_engine_memories(mut self) -> Self {
        // SAFETY: the contract is the caller's.
        self.ctx.engine_memories = unsafe { EngineMemories::allowed() };
        self
    }

    /// Sets the namespace for named memory. Plugins with one namespace share memory by name. By default a plugin has a
    /// namespace of its own.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_host::{MmapCtx, Namespace};
    ///
    /// let namespace = Namespace::default();
    /// let one = MmapCtx::builder().namespace(namespace.clone()).build();
    /// let other = MmapCtx::builder().namespace(namespace).build(); // shares the memory of `one`
    /// # drop((one, other));
    /// ```
    pub fn namespace(mut self, namespace: Namespace) -> Self {
        self.ctx.namespace = namespace;
        self
    }

    /// Sets a function that is called for every mapping that the plugin makes or is refused, before the plugin gets the
    /// result.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_host::MmapCtx;
    ///
    /// let ctx = MmapCtx::builder()
    ///     .audit(|event| match event.outcome {
    ///         Ok(length) => println!("mapped {length} bytes of {:?}", event.source),
    ///         Err(error) => println!("refused {:?}: {error}", event.source),
    ///     })
    ///     .build();
    /// # drop(ctx);
    /// ```
    pub fn audit(mut self, audit: impl Fn(&MapEvent<'_>) + Send + Sync + 'static) -> Self {
        self.ctx.audit = Some(Arc::new(audit));
        self
    }

    /// Returns the context.
    #[must_use]
    pub fn build(self) -> MmapCtx {
        MmapCtx { account: Account::new(self.limits, self.quota.as_ref()), ..self.ctx }
    }
}

impl fmt::Debug for MmapCtxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MmapCtxBuilder")
            .field("limits", &self.limits)
            .field("quota", &self.quota)
            .finish_non_exhaustive()
    }
}

/// The context, and the table of the store's resources, which WASI uses as well.
#[derive(Debug)]
pub struct MmapCtxView<'a> {
    /// The context.
    pub ctx: &'a mut MmapCtx,
    /// The table that contains the plugin's descriptors.
    pub table: &'a mut ResourceTable,
}

/// Access to the [`MmapCtx`] in a store's data. The [crate's example](crate#example) implements it.
pub trait MmapView: Send {
    /// Returns the context and the table.
    fn mmap(&mut self) -> MmapCtxView<'_>;
}
