//! The context that a store has for its plugin's mappings.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use wasi_mmap_native::Namespace;
use wasmtime::component::ResourceTable;

use crate::audit::MapEvent;
use crate::limits::{Limit, Limits, Usage};

type Audit = Arc<dyn Fn(&MapEvent<'_>) + Send + Sync>;

/// What a store has for its plugin's mappings: limits, and what the embedder wants to know.
#[derive(Default)]
pub struct MmapCtx {
    pub(crate) limits: Limits,
    pub(crate) usage: Arc<Usage>,
    pub(crate) interrupt: Interrupt,
    pub(crate) namespace: Namespace,
    pub(crate) windows: WindowPolicy,
    audit: Option<Audit>,
}

impl MmapCtx {
    /// Builds a context.
    pub fn builder() -> MmapCtxBuilder {
        MmapCtxBuilder::default()
    }

    /// What the plugin's mappings use now.
    pub fn usage(&self) -> &Arc<Usage> {
        &self.usage
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A handle that ends a long call from another thread.
    pub fn interrupt_handle(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// Which windows the plugin may have.
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
        f.debug_struct("MmapCtx").field("limits", &self.limits).field("usage", &self.usage).finish_non_exhaustive()
    }
}

/// Which windows a plugin may have: parts of mappings in its own memory. Where it may have none, it is answered `unsupported`, and the
/// guest library copies.
///
/// The engine, and what is generated for an interface, take a plugin's memory for memory that changes only when the plugin runs: a
/// string is looked at where it lies, and taken for UTF-8 when it is copied. If another process writes to it in between, safe code of the
/// host has a `String` that is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WindowPolicy {
    /// None.
    Never,
    /// Those whose bytes nobody but the plugin can change while they are attached:
    ///
    /// - anonymous memory, but not memory with a name, which others may share;
    /// - copies of files: the bytes are copied to the plugin's memory, and what was changed back, unless nobody can write to the file;
    /// - files that are read, if something [holds](crate::Stability) their bytes: a seal, fs-verity, a file system that is not
    ///   written, or a lease. With a lease, who wants to write waits until the bytes are copied: [`Limit::HeldBytes`].
    ///
    /// A file is never written through a window. While the bytes of a window are copied at the end of a lease, the plugin's
    /// stores there wait in a handler for SIGSEGV, which is put on top of those that were installed after it.
    #[default]
    Stable,
    /// All. For plugins that are trusted, on files that others leave alone or that the plugin does not pass on as strings: the embedder's
    /// own code is unsound otherwise.
    Any,
}

/// Ends the calls that a plugin has under way, and those that it makes later: they trap.
///
/// wasmtime's epochs and fuel do not reach into host calls; this does, between the pieces that a long call works in.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Ends long calls from now on.
    pub fn set(&self) {
        self.0.store(true, Relaxed);
    }

    /// Lets calls go on again.
    pub fn clear(&self) {
        self.0.store(false, Relaxed);
    }

    /// Whether calls are to end.
    pub fn is_set(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// Builds an [`MmapCtx`].
#[derive(Default)]
#[must_use]
pub struct MmapCtxBuilder {
    ctx: MmapCtx,
}

impl MmapCtxBuilder {
    /// Sets all limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.ctx.limits = limits;
        self
    }

    /// Sets one limit.
    pub fn limit(mut self, limit: Limit, to: u64) -> Self {
        self.ctx.limits.set(limit, to);
        self
    }

    /// Limits how many bytes of files may be mapped at a time: [`Limit::MappedBytes`].
    pub fn mapped_bytes(self, bytes: u64) -> Self {
        self.limit(Limit::MappedBytes, bytes)
    }

    /// Sets which windows the plugin may have.
    pub fn windows(mut self, policy: WindowPolicy) -> Self {
        self.ctx.windows = policy;
        self
    }

    /// Gives the plugin a namespace for memory with names. Plugins that have one namespace share memory by its names; a
    /// plugin that is given none has one of its own.
    pub fn namespace(mut self, namespace: Namespace) -> Self {
        self.ctx.namespace = namespace;
        self
    }

    /// Calls a function for every mapping that the plugin makes or is refused, before the plugin hears of it.
    pub fn audit(mut self, audit: impl Fn(&MapEvent<'_>) + Send + Sync + 'static) -> Self {
        self.ctx.audit = Some(Arc::new(audit));
        self
    }

    /// The context.
    #[must_use]
    pub fn build(self) -> MmapCtx {
        self.ctx
    }
}

impl fmt::Debug for MmapCtxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MmapCtxBuilder").field("ctx", &self.ctx).finish()
    }
}

/// The context, and the table of the store's resources, which is the one that WASI uses.
#[derive(Debug)]
pub struct MmapCtxView<'a> {
    /// The context.
    pub ctx: &'a mut MmapCtx,
    /// The table that the plugin's descriptors are in.
    pub table: &'a mut ResourceTable,
}

/// Gives access to the [`MmapCtx`] in a store's data.
pub trait MmapView: Send {
    /// The context and the table.
    fn mmap(&mut self) -> MmapCtxView<'_>;
}
