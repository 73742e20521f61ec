//! Windows: pages of a mapping in place of a plugin's memory.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasi_mmap_core::{Error, FlushFlags, Internals, Result, Storage, part_of_window};
use wasi_mmap_native::{OsStorage, Window};

use super::engine::StoreWindows;
use super::linear::Memory;
use super::list::WindowList;
use crate::ctx::{MmapCtx, WindowPolicy};
use crate::limits::Limit;
use crate::mapping::HostMapping;
use crate::quota::Permit;

/// A plugin's window.
///
/// [`detach`](Self::detach), which runs when the plugin calls it, and [`release`](Self::release), which runs when it
/// drops its handle, take the file out of the plugin's memory. Dropping this, which happens when the store's data is
/// dropped, does so in a memory of the engine's, because it may be used again for another plugin. One of ours is left
/// alone: it goes with its windows.
#[derive(Debug)]
pub(crate) struct HostWindow {
    mapping: Arc<HostMapping>,
    window: Window,
    memory: PluginMemory,
    /// Returned when the window is detached; empty from then on.
    permits: Mutex<Vec<Permit>>,
}

/// The plugin's memory that a window is in.
#[derive(Debug, Clone)]
enum PluginMemory {
    Own(Arc<Memory>),
    Engine(Arc<StoreWindows>),
}

impl PluginMemory {
    /// Returns the memory at an address. `store_windows` are those in memories of the engine, if there can be some.
    fn find(address: usize, store_windows: Option<&Arc<StoreWindows>>) -> Result<Self> {
        match (Memory::find(address), store_windows) {
            (Some(memory), _) => Ok(Self::Own(memory)),
            (None, Some(windows)) => Ok(Self::Engine(Arc::clone(windows))),
            (None, None) => Err(Error::Unsupported("windows in a memory that the host has not made for them".into())),
        }
    }

    /// Checks that addresses are in this memory, as far as its size is known.
    fn check_inside(&self, addresses: &Range<usize>) -> Result<()> {
        match self {
            Self::Own(memory) => memory.check_inside(addresses),
            Self::Engine(_) => Ok(()),
        }
    }

    /// Checks that a window can be at some addresses, which are the plugin's.
    fn check_free(&self, addresses: &Range<usize>) -> Result<()> {
        match self {
            Self::Own(memory) => memory.list().check_free(addresses),
            Self::Engine(windows) => windows.check_free(addresses),
        }
    }

    fn list(&self) -> &WindowList {
        match self {
            Self::Own(memory) => memory.list(),
            Self::Engine(windows) => windows.list(),
        }
    }
}

/// A plugin's request to attach a window.
#[derive(Debug, Clone)]
pub(crate) struct AttachRequest {
    /// The addresses of the first bytes of the memory to be replaced; `None` for an empty anchor.
    pub(crate) anchor: Option<Range<usize>>,
    /// The addresses of its last bytes, or of some after them; `None` for an empty list. Both are in the plugin's memory,
    /// and so is what is between them.
    pub(crate) end: Option<Range<usize>>,
    /// The offset in the mapping, in bytes.
    pub(crate) offset: u64,
    /// The length of the window, in bytes.
    pub(crate) length: u64,
    /// Whether stores to the window are to reach the mapping.
    pub(crate) writable: bool,
}

impl AttachRequest {
    /// Returns the addresses of the pages to be replaced.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] (`anchor`); [`Error::OutOfRange`] (`length`).
    fn addresses(&self, address: usize) -> Result<Range<usize>> {
        let page = OsStorage::page_size();
        if !(address as u64).is_multiple_of(page) {
            return Err(Error::invalid("anchor", format!("it does not start with a page of {page} bytes")));
        }
        let whole = self.length.checked_next_multiple_of(page).and_then(|whole| usize::try_from(whole).ok());
        let end = whole.and_then(|whole| address.checked_add(whole));
        let end = end.ok_or_else(|| Error::out_of_range("length", "past the end of all memory"))?;
        Ok(address..end)
    }

    /// Checks that all of a range that starts with the anchor is the plugin's.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] and [`Error::OutOfRange`] (`end`).
    fn check_end(&self, addresses: &Range<usize>) -> Result<()> {
        match &self.end {
            None => Err(Error::invalid("end", "it is empty, and has no place in the plugin's memory")),
            Some(end) if end.start >= addresses.start && end.end >= addresses.end => Ok(()),
            Some(_) => {
                let reason = format!("the {} bytes of the window's pages reach past it", addresses.len());
                Err(Error::out_of_range("end", reason))
            }
        }
    }
}

impl HostWindow {
    /// Attaches a window. To be called by a host function that the plugin has called, with an anchor in its memory.
    /// `store_windows` are those in memories of the engine, if there can be some.
    pub(crate) fn attach(
        mapping: &Arc<HostMapping>,
        request: &AttachRequest,
        ctx: &MmapCtx,
        store_windows: Option<&Arc<StoreWindows>>,
    ) -> Result<Self> {
        let MmapCtx { account, windows, growing, .. } = ctx;
        let &AttachRequest { offset, length, writable, .. } = request;
        let mut guard = mapping.lock();
        let range = guard.window_range(offset, length, writable)?;
        let Some(address) = request.anchor.as_ref().map(|anchor| anchor.start) else {
            return Err(Error::invalid("anchor", "it is empty, and has no place in the plugin's memory"));
        };
        if *windows == WindowPolicy::Never {
            return Err(windows_not_allowed());
        }
        let memory = PluginMemory::find(address, store_windows)?;
        let addresses = request.addresses(address)?;
        request.check_end(&addresses)?;
        memory.check_inside(&addresses)?;
        memory.check_free(&addresses)?;
        let page = OsStorage::page_size();
        let is_whole = guard.file_len()?.next_multiple_of(page) >= guard.storage()?.file_offset() + range.end;
        if !is_whole && !guard.storage()?.may_reach_beyond_end() {
            return Err(Error::Truncated);
        }
        let bytes = addresses.len() as u64;
        let mut permits =
            vec![Permit::new(account, Limit::Windows, 1)?, Permit::new(account, Limit::WindowBytes, bytes)?];
        // SAFETY, for both calls below: the anchor and the end are in one linear memory, which the engine has checked,
        // and which is alive, since the plugin, whose call this is, runs in it. So is all that is between them: the
        // addresses, which are on page borders, and where no other window is. The plugin does not run during the call,
        // and the lists that the anchor and the end were read from are not used any more. A memory of ours stays until
        // it is dropped, which abandons the window first. One of the engine's never moves, since it is reserved whole,
        // and stays until the store is dropped: the store's data, and this window with it, goes first, unless the
        // embedder breaks the contract of `windows_in_engine_memories`. These pages are private memory without a file,
        // and nothing else replaces them.
        let window = if *windows == WindowPolicy::Any {
            // SAFETY: as said above.
            unsafe { guard.storage_mut()?.attach_window(range, address, writable) }?
        } else {
            let plan = guard.storage_mut()?.plan_stable_window(writable)?;
            if plan.is_leased() {
                permits.push(Permit::new(account, Limit::HeldBytes, bytes)?);
            }
            // SAFETY: as said above.
            unsafe { guard.storage_mut()?.attach_stable_window(plan, range, address) }?
        };
        growing.add(&window);
        memory.list().add(window.clone());
        account.usage().count_attached(bytes);
        Ok(Self { mapping: Arc::clone(mapping), window, memory, permits: Mutex::new(permits) })
    }

    /// Takes the file out of the plugin's memory, which is zeros afterwards. To be called by a host function that the
    /// plugin has called.
    pub(crate) fn detach(&self) -> Result<()> {
        if self.permits().is_empty() {
            // It was detached before; the mapping may be closed by now.
            return Ok(());
        }
        let mut guard = self.mapping.lock();
        // SAFETY: the plugin called this, so that it does not run, and knows that the file is gone from there. If its
        // memory were gone, the window would be abandoned, and this does nothing.
        unsafe { guard.storage_mut()?.detach_window(&self.window) }?;
        self.memory.list().remove(&self.window);
        self.permits().clear();
        Ok(())
    }

    /// Drops the window with the plugin's handle, and takes the file out of its memory first. If that fails, the window
    /// stays in the memory, and goes with it: until then, it counts towards the limits, and its mapping stays open. To
    /// be called by a host function that the plugin has called.
    pub(crate) fn release(self) -> Result<()> {
        self.detach().inspect_err(|_| {
            let memory = self.memory.clone();
            memory.list().keep(self);
        })
    }

    /// Sets whether stores to the window reach the mapping. To be called by a host function that the plugin has called.
    pub(crate) fn set_mode(&self, writable: bool) -> Result<()> {
        if self.permits().is_empty() {
            return Err(Error::Closed);
        }
        let mut guard = self.mapping.lock();
        guard.check_window_mode(writable)?;
        // SAFETY: the window is one of this mapping, which it keeps open. The plugin, whose memory this is, called this
        // without a list, so that the host has no reference into its memory. If the memory were gone, the window would
        // be abandoned, and this does nothing. On failure, the memory is as it was.
        unsafe { guard.storage_mut()?.set_window_mode(&self.window, writable) }
    }

    /// Writes the changes in a part of the window back.
    pub(crate) fn flush(&self, offset: u64, length: Option<u64>) -> Result<()> {
        self.window.check()?;
        let window = self.window.range();
        let part = part_of_window(window.end - window.start, offset, length)?;
        let mut mapping = self.mapping.lock();
        mapping.flush_range(window.start + part.start..window.start + part.end, FlushFlags::SYNC)
    }

    /// Checks that all bytes that were read from the window were the file's.
    pub(crate) fn check(&self) -> Result<()> {
        self.window.check()
    }

    fn permits(&self) -> MutexGuard<'_, Vec<Permit>> {
        self.permits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for HostWindow {
    fn drop(&mut self) {
        if let PluginMemory::Engine(windows) = &self.memory
            && let Err(error) = self.detach()
        {
            windows.refuse_to_leave(&error);
        }
    }
}

/// Returns the error for a plugin that may have no windows.
pub(crate) fn windows_not_allowed() -> Error {
    Error::Unsupported("windows, which the host does not allow this plugin".into())
}
