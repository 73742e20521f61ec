//! Windows: pages of a mapping in place of a plugin's memory.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasi_mmap_core::{Error, FlushFlags, Internals, Result, Storage, part_of_window};
use wasi_mmap_native::{OsStorage, Window};

use super::linear::Memory;
use crate::ctx::{MmapCtx, WindowPolicy};
use crate::limits::Limit;
use crate::mapping::HostMapping;
use crate::quota::Permit;

/// A plugin's window.
///
/// Dropping this leaves the plugin's memory alone, because the memory may be gone. Only [`detach`](Self::detach), which
/// runs when the plugin calls it, and [`release`](Self::release), which runs when it drops its handle, take the file out
/// of the memory.
#[derive(Debug)]
pub(crate) struct HostWindow {
    mapping: Arc<HostMapping>,
    window: Window,
    /// Returned when the window is detached; empty from then on.
    permits: Mutex<Vec<Permit>>,
}

/// A plugin's request to attach a window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttachRequest {
    /// The address of the memory to be replaced; `None` for an empty anchor.
    pub(crate) anchor: Option<usize>,
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
}

impl HostWindow {
    /// Attaches a window. To be called by a host function that the plugin has called, with an anchor in its memory.
    pub(crate) fn attach(mapping: &Arc<HostMapping>, request: AttachRequest, ctx: &MmapCtx) -> Result<Self> {
        let MmapCtx { account, windows, growing, .. } = ctx;
        let AttachRequest { anchor, offset, length, writable } = request;
        let mut guard = mapping.lock();
        let range = guard.window_range(offset, length, writable)?;
        let Some(address) = anchor else {
            return Err(Error::invalid("anchor", "it is empty, and has no place in the plugin's memory"));
        };
        if *windows == WindowPolicy::Never {
            return Err(windows_not_allowed());
        }
        let Some(memory) = Memory::find(address) else {
            return Err(Error::Unsupported("windows in a memory that the host has not made for them".into()));
        };
        let addresses = request.addresses(address)?;
        memory.check_free(&addresses)?;
        let page = OsStorage::page_size();
        let is_whole = guard.file_len()?.next_multiple_of(page) >= guard.storage()?.file_offset() + range.end;
        if !is_whole && !guard.storage()?.may_reach_beyond_end() {
            return Err(Error::Truncated);
        }
        let bytes = addresses.len() as u64;
        let mut permits =
            vec![Permit::new(account, Limit::Windows, 1)?, Permit::new(account, Limit::WindowBytes, bytes)?];
        // SAFETY, for both calls below: the anchor is in a linear memory of ours that is alive, since it was looked up
        // just now and the plugin, whose call this is, runs in it. All the addresses are in that memory, on page
        // borders, and no other window is there. The plugin does not run during the call, and the list that the anchor
        // was read from is not used any more. The memory stays until it is dropped, which abandons the window first,
        // and nothing else replaces these pages.
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
        memory.add_window(window.clone());
        Ok(Self { mapping: Arc::clone(mapping), window, permits: Mutex::new(permits) })
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
        self.permits().clear();
        Ok(())
    }

    /// Drops the window with the plugin's handle, and takes the file out of its memory first. If that fails, the window
    /// stays in the memory, and goes with it: until then, it counts towards the limits, and its mapping stays open. To
    /// be called by a host function that the plugin has called.
    pub(crate) fn release(self) -> Result<()> {
        self.detach().inspect_err(|_| {
            if let Some(memory) = Memory::find(self.window.addresses().start) {
                memory.keep(self);
            }
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

/// Returns the error for a plugin that may have no windows.
pub(crate) fn windows_not_allowed() -> Error {
    Error::Unsupported("windows, which the host does not allow this plugin".into())
}
