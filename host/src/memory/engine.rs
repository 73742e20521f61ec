//! Windows in memories that the engine makes for itself.
//!
//! Nobody tells the host when such a memory goes. What is known is the order in which a store is dropped: first its data,
//! and with it the plugin's windows, which are detached then; next the memories, which are unmapped, or returned to the
//! pool; last what else the store owns. A function that the store owns says that this has come ([`StoreEnd`]).
//!
//! [`Store::into_data`](wasmtime::Store::into_data) leaves out the first step. A memory that is unmapped takes its
//! windows with it, and they are abandoned afterwards. One that is returned to the pool would show a file to the next
//! plugin: embedders promise not to do that, and those that do lose the process.

use std::ops::Range;
use std::process::abort;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use wasi_mmap_core::{Error, Result};
use wasmtime::{AsContext, AsContextMut, Func, StoreContextMut};

use super::areas;
use super::linear::WHOLE;
use super::list::WindowList;

/// Whether a store's plugin may have windows in memories of the engine, and those that it has.
#[derive(Debug, Clone, Default)]
pub(crate) struct EngineMemories(Option<Arc<OfStore>>);

/// The windows of the store that the context is in, once there are any.
#[derive(Debug, Default)]
struct OfStore(Mutex<Option<Arc<StoreWindows>>>);

/// A store's windows in memories of the engine.
#[derive(Debug)]
pub(crate) struct StoreWindows {
    /// The address of the store's data, by which the store is known.
    data: usize,
    /// Whether its memories are used again for others.
    is_pooling: bool,
    windows: WindowList,
    /// Ranges of the plugin's memory that are known to be private memory without a file.
    anonymous: Mutex<areas::Ranges>,
    has_ended: Mutex<bool>,
}

impl EngineMemories {
    /// Allows windows in memories of the engine.
    ///
    /// # Safety
    ///
    /// That of [`MmapCtxBuilder::windows_in_engine_memories`](crate::MmapCtxBuilder::windows_in_engine_memories).
    pub(crate) unsafe fn allowed() -> Self {
        Self(Some(Arc::default()))
    }

    /// Returns whether a store's plugin can have windows in memories of the engine.
    pub(crate) fn are_allowed(&self, store: impl AsContext) -> bool {
        // A shorter one would move when it grows.
        let never_move = store.as_context().engine().get_memory_reservation() >= WHOLE;
        self.0.is_some() && never_move && areas::CAN_BE_KNOWN
    }

    /// Returns the windows of the store that this context is in, or `None` if there can be none.
    pub(crate) fn of_store<T>(&self, store: &mut StoreContextMut<'_, T>) -> Option<Arc<StoreWindows>> {
        let own = self.0.as_ref().filter(|_| self.are_allowed(&*store))?;
        let data = ptr::from_ref(store.data()).addr();
        let mut own = own.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(windows) = own.as_ref().filter(|windows| !windows.has_ended()) {
            return (windows.data == data).then(|| Arc::clone(windows));
        }
        let windows = Arc::new(StoreWindows {
            data,
            is_pooling: store.engine().pooling_allocator_metrics().is_some(),
            windows: WindowList::default(),
            anonymous: Mutex::default(),
            has_ended: Mutex::new(false),
        });
        let end = StoreEnd(Arc::clone(&windows));
        // The store keeps it as long as its memories, or longer. If there is no memory for it, there are no windows.
        Func::try_wrap(store.as_context_mut(), move || {
            let _ = &end;
        })
        .ok()?;
        *own = Some(Arc::clone(&windows));
        Some(windows)
    }
}

impl Drop for OfStore {
    /// Runs when the store's data is dropped.
    fn drop(&mut self) {
        if let Some(windows) = self.0.get_mut().unwrap_or_else(PoisonError::into_inner) {
            // Each is detached.
            windows.windows.drop_kept();
        }
    }
}

impl StoreWindows {
    pub(super) fn list(&self) -> &WindowList {
        &self.windows
    }

    fn has_ended(&self) -> bool {
        *self.has_ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks that a window can be at some addresses, which are the plugin's.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`]; [`Error::Unsupported`].
    pub(super) fn check_free(&self, addresses: &Range<usize>) -> Result<()> {
        self.windows.check_free(addresses)?;
        let mut anonymous = self.anonymous.lock().unwrap_or_else(PoisonError::into_inner);
        if !anonymous.contain(addresses) {
            // The pool would not restore the initial data, from which the next plugin starts.
            if !areas::are_anonymous(addresses)? {
                return Err(Error::Unsupported("windows over the initial data of a memory of the engine's".into()));
            }
            anonymous.add(addresses.clone());
        }
        Ok(())
    }

    /// Ends the process if a window that could not be detached is in memory that others would get.
    pub(super) fn refuse_to_leave(&self, error: &Error) {
        if self.is_pooling {
            eprintln!("wasi-mmap: a window could not be taken out of a memory that others will use: {error}");
            abort();
        }
    }

    /// Runs when the store's memories are gone.
    fn end(&self) {
        *self.has_ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        if self.is_pooling && !self.windows.is_empty() {
            eprintln!("wasi-mmap: Store::into_data left a window in a memory that others will use");
            abort();
        }
        self.windows.abandon_all();
    }
}

/// Tells that the memories of a store are gone, when it is dropped.
struct StoreEnd(Arc<StoreWindows>);

impl Drop for StoreEnd {
    fn drop(&mut self) {
        self.0.end();
    }
}
