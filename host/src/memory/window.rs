//! Windows: a mapping's pages in place of a plugin's memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasi_mmap_core::{Error, FlushFlags, Internals, Result, Storage, part_of_window};
use wasi_mmap_native::{OsStorage, Window};

use super::linear::Memory;
use crate::ctx::{MmapCtx, WindowPolicy};
use crate::limits::{Limit, Taken};
use crate::mapping::HostMapping;

/// A plugin's window.
///
/// Dropping this leaves the plugin's memory alone: the memory may be gone. Only [`detach`](Self::detach), which the plugin
/// itself calls or whose handle it drops, takes the file out of it.
#[derive(Debug)]
pub(crate) struct HostWindow {
    mapping: Arc<HostMapping>,
    attached: Window,
    /// Given back when the window is detached.
    taken: Mutex<Vec<Taken>>,
}

/// What a plugin asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// The address of the memory that is to be replaced; `None` for an empty anchor.
    pub(crate) anchor: Option<usize>,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) to_write: bool,
}

impl HostWindow {
    /// Attaches a part of a mapping. To be called by a host function that the plugin has called, with an anchor of its memory.
    pub(crate) fn attach(mapping: &Arc<HostMapping>, place: Place, ctx: &MmapCtx) -> Result<Self> {
        let MmapCtx { limits, usage, windows, .. } = ctx;
        let Place { anchor, offset, length, to_write } = place;
        let mut guard = mapping.lock();
        let range = guard.window_range(offset, length, to_write)?;
        let Some(address) = anchor else {
            return Err(Error::invalid("anchor", "it is empty, and has no place in the plugin's memory"));
        };
        if *windows == WindowPolicy::Never {
            return Err(no_windows());
        }
        let Some(memory) = Memory::find(address) else {
            return Err(Error::Unsupported("windows in a memory that the host has not made for them".into()));
        };
        let page = OsStorage::page_size();
        if !(address as u64).is_multiple_of(page) {
            return Err(Error::invalid("anchor", format!("it does not start with a page of {page} bytes")));
        }
        let whole = length.checked_next_multiple_of(page).and_then(|whole| usize::try_from(whole).ok());
        let end = whole.and_then(|whole| address.checked_add(whole));
        let end = end.ok_or_else(|| Error::out_of_range("length", "past the end of all memory"))?;
        memory.check_free(&(address..end))?;
        if guard.file_len()?.next_multiple_of(page) < guard.storage()?.file_offset() + range.end {
            return Err(Error::Truncated);
        }
        let bytes = (end - address) as u64;
        let mut taken =
            vec![Taken::new(usage, limits, Limit::Windows, 1)?, Taken::new(usage, limits, Limit::WindowBytes, bytes)?];
        // SAFETY, for both calls below: the anchor is in a linear memory of ours that is alive, since it was looked up just now and
        // the plugin, whose call this is, runs in it. All of the place lies in that memory, on page borders, and no other window
        // does. The plugin does not run during the call, and the list that the anchor was read from is not used any more. The memory
        // stays until it is dropped, which abandons the window first, and nobody but the window replaces it.
        let attached = if *windows == WindowPolicy::Any {
            // SAFETY: as said above.
            unsafe { guard.storage_mut()?.attach_window(range, address, to_write) }?
        } else {
            let plan = guard.storage_mut()?.plan_stable_window(to_write)?;
            if plan.is_leased() {
                taken.push(Taken::new(usage, limits, Limit::HeldBytes, bytes)?);
            }
            // SAFETY: as said above.
            unsafe { guard.storage_mut()?.attach_stable_window(plan, range, address) }?
        };
        memory.note(attached.clone());
        Ok(Self { mapping: Arc::clone(mapping), attached, taken: Mutex::new(taken) })
    }

    /// Takes the file out of the plugin's memory, which is zeros afterwards. To be called by a host function that the plugin has
    /// called.
    pub(crate) fn detach(&self) -> Result<()> {
        if self.taken().is_empty() {
            // It was detached before; the mapping may be closed by now.
            return Ok(());
        }
        let mut guard = self.mapping.lock();
        // SAFETY: the plugin called this, so that it does not run, and knows that the file is gone from there. If its memory
        // had gone instead, the window would be abandoned, and nothing happens.
        unsafe { guard.storage_mut()?.detach_window(&self.attached) }?;
        self.taken().clear();
        Ok(())
    }

    /// Writes changes in a part of the window back.
    pub(crate) fn flush(&self, offset: u64, length: Option<u64>) -> Result<()> {
        self.attached.check()?;
        let window = self.attached.range();
        let part = part_of_window(window.end - window.start, offset, length)?;
        let mut mapping = self.mapping.lock();
        mapping.flush_range(window.start + part.start..window.start + part.end, FlushFlags::SYNC)
    }

    /// Whether all that was read from the window was the file's.
    pub(crate) fn check(&self) -> Result<()> {
        self.attached.check()
    }

    fn taken(&self) -> MutexGuard<'_, Vec<Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a plugin is answered that may have no windows.
pub(crate) fn no_windows() -> Error {
    Error::Unsupported("windows, which the host does not allow this plugin".into())
}
