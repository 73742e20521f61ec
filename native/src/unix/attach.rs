//! A part of a mapping in other memory: the pages of a window.
//!
//! A shared mapping's file is simply mapped once more, in place of the other memory. A private mapping has pages that exist
//! once: they are moved there, and back again when the part is detached.

use std::ops::Range;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasi_mmap_core::{Error, Result};

use super::fault::Guard;
use super::page_len;
use super::replace::{self, Sharing};
use crate::storage::Native;

/// A part of a mapping that lies in place of other memory. Clones are handles to the same part.
///
/// While it does, the mapping can be neither closed nor resized.
#[derive(Debug, Clone)]
pub struct Attached(Arc<Part>);

#[derive(Debug)]
struct Part {
    /// Which part of the mapping.
    range: Range<usize>,
    /// Where it lies: whole pages.
    memory: Range<usize>,
    /// Whether the pages were taken out of the mapping.
    is_moved: bool,
    state: Mutex<Option<State>>,
}

/// What there is while it is attached.
#[derive(Debug)]
struct State {
    guard: Guard,
    /// Whether pages that were moved are in the mapping again, and what they left is still to be replaced.
    is_back: bool,
    /// Keeps the mapping busy.
    _pin: Arc<()>,
}

impl Attached {
    /// Which part of the mapping it is.
    pub fn range(&self) -> Range<u64> {
        self.0.range.start as u64..self.0.range.end as u64
    }

    /// The addresses that it lies at: whole pages.
    pub fn memory(&self) -> Range<usize> {
        self.0.memory.clone()
    }

    /// Whether all that was read from there was the file's.
    ///
    /// # Errors
    ///
    /// `closed`, if it is not attached any more; `truncated`; `no-space`.
    pub fn check(&self) -> Result<()> {
        self.check_memory(self.memory())
    }

    /// Forgets the memory, which is not touched any more: for when it goes away by itself, before it does.
    pub fn abandon(&self) {
        *self.state() = None;
    }

    fn state(&self) -> MutexGuard<'_, Option<State>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An error if a part of what lies at `memory` was lost. To be called after the access that it speaks of.
    pub(crate) fn check_memory(&self, memory: Range<usize>) -> Result<()> {
        match &*self.state() {
            None => Err(Error::Closed),
            Some(state) => state.guard.check(memory),
        }
    }

    /// The part of `range`, if any, that lies here.
    pub(crate) fn part_of(&self, range: &Range<usize>) -> Range<usize> {
        range.start.max(self.0.range.start)..range.end.min(self.0.range.end)
    }

    /// Where a place in the mapping lies.
    pub(crate) fn pointer(&self, place: usize) -> *mut u8 {
        ptr::with_exposed_provenance_mut(self.0.memory.start + (place - self.0.range.start))
    }
}

impl Native {
    /// Puts a part of the mapping in place of the memory from `address` on: whole pages, `range` rounded up.
    ///
    /// With `to_write`, writes there reach what the mapping's own writes reach; without, they stay there, unless the mapping is
    /// private anyway.
    ///
    /// # Safety
    ///
    /// `address` is a multiple of the page size, and so many pages from there are mapped as private memory without a file, can be
    /// read and written, belong to the caller, and are used by nobody in this process during the call. They stay mapped until
    /// [`detach`](Self::detach) or [`abandon`](Attached::abandon), whichever comes first.
    ///
    /// # Errors
    ///
    /// `unsupported`, where the pages cannot be had apart; `busy`, where some of them are moved already; `out-of-memory`; `io`. The
    /// mapping is as it was then. So is the memory, unless the system failed after it had taken it away: then it is zeros.
    ///
    /// # Panics
    ///
    /// If the range is outside the mapping, or does not start with a page.
    pub unsafe fn attach(&mut self, range: Range<u64>, address: usize, to_write: bool) -> Result<Attached> {
        let index = |at: u64| usize::try_from(at).expect("within the mapping");
        let range = index(range.start)..index(range.end);
        let (pin, offset) = (Arc::clone(&self.pin), self.file_offset());
        let pages = self.pages_mut()?;
        let page = page_len();
        assert!(range.start.is_multiple_of(page) && range.end <= pages.len() && address.is_multiple_of(page));
        let memory = address..address + range.len().next_multiple_of(page);
        let is_moved = pages.is_private() && pages.is_writable();
        // First the guard: from the first access on, faults there must be repaired.
        let is_shared = to_write && pages.is_writable() && !is_moved;
        let guard = match pages.file() {
            Some(file) => Guard::new(memory.clone(), file, offset + range.start as u64, !is_shared),
            None => Guard::without_file(memory.clone(), page),
        };
        let guard = guard.map_err(Error::from)?;
        if is_moved {
            // SAFETY: the caller's promise; the range is within the pages, as just checked.
            unsafe { pages.move_to(range.clone(), &memory) }?;
        } else {
            let Some(file) = pages.file() else {
                return Err(Error::Unsupported("a window of this memory".into()));
            };
            let sharing = if is_shared { Sharing::Shared } else { Sharing::Private };
            // SAFETY: the caller owns the memory, which is replaced by pages that can be read and written all the same.
            unsafe { replace::put_file(&memory, file, offset + range.start as u64, sharing, true) }?;
        }
        let state = Mutex::new(Some(State { guard, is_back: false, _pin: pin }));
        let attached = Attached(Arc::new(Part { range, memory, is_moved, state }));
        if is_moved {
            pages.note_moved(attached.clone());
        }
        Ok(attached)
    }

    /// Takes a part out of the memory that it lies in, which is zeros afterwards. Nothing happens if it was detached or abandoned.
    ///
    /// # Safety
    ///
    /// Nobody in this process uses the memory during the call, or means to find the file there afterwards.
    ///
    /// # Errors
    ///
    /// `busy`; `out-of-memory`; `io`. The part stays attached.
    pub unsafe fn detach(&mut self, attached: &Attached) -> Result<()> {
        let mut state = attached.state();
        if state.is_none() {
            return Ok(());
        }
        let memory = attached.memory();
        if let Some(state) = state.as_mut().filter(|state| attached.0.is_moved && !state.is_back) {
            let pages = self.pages_mut()?;
            // SAFETY: the caller's promise; these pages were moved there from this range. On failure they still are there.
            unsafe { pages.move_back(attached, || state.guard.lost_range()) }?;
            state.is_back = true;
            let lost = state.guard.lost_range();
            if let Some(fault) = state.guard.lost(lost.clone()) {
                // What was written there is gone, and where it was is the file again: the mapping must know.
                let home = attached.0.range.start;
                pages.map.note_lost(home + (lost.start - memory.start)..home + (lost.end - memory.start), fault);
            }
        }
        // SAFETY: the caller owns the memory; what is put there can be read and written as what was there before. On failure it is
        // as it was, guarded, and stays attached.
        unsafe { replace::put_zeros(&memory) }?;
        *state = None;
        Ok(())
    }
}
