//! A part of a mapping in other memory: the pages of a window.
//!
//! A shared mapping's file is simply mapped once more, in place of the other memory. A private mapping has pages that exist
//! once: they are moved there, and back again when the part is detached.

use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasi_mmap_core::{Error, Result};

use super::fault::Guard;
use super::hold::Place;
use super::page_len;
use super::replace::{self, Sharing};
use crate::stable::Held;
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
    content: Content,
    /// Whether what was in place of the mapping's pages is in the mapping again, and what it left is still to be replaced.
    is_back: AtomicBool,
    state: Mutex<Option<State>>,
}

/// What lies there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// The file, mapped once more.
    File,
    /// The mapping's own pages, which are not at home.
    Moved,
    /// Copies, which stand for the mapping's own pages.
    Copied,
}

/// What there is while it is attached.
#[derive(Debug)]
struct State {
    /// What holds the file's bytes still there, if anything does. Dropped first: after that, nothing but us touches the memory.
    place: Option<Place>,
    guard: Guard,
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

    /// What holds the bytes there still, if anything does.
    pub fn held(&self) -> Option<Held> {
        let state = self.state();
        let place = state.as_ref()?.place.as_ref()?;
        Some(place.held())
    }

    /// A part whose bytes were copied to the memory.
    pub(super) fn copied(range: Range<usize>, memory: Range<usize>, guard: Guard, pin: Arc<()>) -> Self {
        let state = Mutex::new(Some(State { place: None, guard, _pin: pin }));
        Self(Arc::new(Part { range, memory, content: Content::Copied, is_back: AtomicBool::new(false), state }))
    }

    /// Keeps what holds the bytes there still, for as long as it is attached.
    pub(super) fn hold_by(&self, place: Place) {
        if let Some(state) = &mut *self.state() {
            state.place = Some(place);
        }
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
            let sharing = if is_shared { Sharing::Shared } else { Sharing::PrivateUnreserved };
            // SAFETY: the caller owns the memory, which is replaced by pages that can be read and written all the same.
            unsafe { replace::put_file(&memory, file, offset + range.start as u64, sharing, true) }?;
        }
        let state = Mutex::new(Some(State { place: None, guard, _pin: pin }));
        let content = if is_moved { Content::Moved } else { Content::File };
        let attached = Attached(Arc::new(Part { range, memory, content, is_back: AtomicBool::new(false), state }));
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
        // The end of a lease must not replace the memory while this does.
        let locked = state.as_ref().and_then(|state| state.place.as_ref()).map(Place::lock);
        if let Some(state) = state.as_ref().filter(|_| !attached.0.is_back.load(Relaxed)) {
            let lost = || state.guard.lost_range();
            match attached.0.content {
                Content::File => {}
                // SAFETY: the caller's promise; these pages were moved there from this range.
                Content::Moved => unsafe { self.pages_mut()?.move_back(attached, lost) },
                // SAFETY: the caller's promise; the bytes were copied there from this range.
                Content::Copied => unsafe { self.pages_mut()?.copy_back(attached, &lost()) },
            }
            attached.0.is_back.store(true, Relaxed);
            if attached.0.content == Content::Moved
                && let Some(fault) = state.guard.lost(lost())
            {
                // What was written there is gone, and where it was is the file again: the mapping must know.
                let (home, lost) = (attached.0.range.start, lost());
                let place = home + (lost.start - memory.start)..home + (lost.end - memory.start);
                self.pages_mut()?.map.note_lost(place, fault);
            }
        }
        // SAFETY: the caller owns the memory; what is put there can be read and written as what was there before. On failure it is
        // as it was, guarded, and stays attached.
        unsafe { replace::put_zeros(&memory) }?;
        locked.into_iter().for_each(|locked| locked.forget());
        *state = None;
        Ok(())
    }
}
