//! A part of a mapping in other memory: the pages of a window.
//!
//! A shared mapping's file is simply mapped once more, in place of the other memory. A private mapping has pages that exist
//! once: they are moved there, and back again when the part is detached.

use std::ops::Range;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::mm::{MapFlags, ProtFlags};
use wasi_mmap_core::{Error, Result};

use super::fault::Guard;
use super::hold::Place;
use super::page_len;
use crate::stable::Held;
use crate::storage::Native;

/// What keeps the system from reserving memory for pages that may never be touched. FreeBSD has no such flag.
#[cfg(not(target_os = "freebsd"))]
const NO_RESERVE: MapFlags = MapFlags::NORESERVE;
#[cfg(target_os = "freebsd")]
const NO_RESERVE: MapFlags = MapFlags::empty();

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
    /// Whether the bytes are copies, which stand for the mapping's.
    is_copied: bool,
    state: Mutex<Option<State>>,
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
        Self(Arc::new(Part { range, memory, is_moved: false, is_copied: true, state }))
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
    /// `address` is a multiple of the page size, and so many pages from there are mapped, belong to the caller, and are used by
    /// nobody in this process during the call. They stay mapped until [`detach`](Self::detach) or
    /// [`abandon`](Attached::abandon), whichever comes first.
    ///
    /// # Errors
    ///
    /// `unsupported`, where the pages cannot be had apart; `busy`, where some of them are moved already; `out-of-memory`; `io`.
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
        let guard = Guard::new(memory.clone(), pages.file(), offset + range.start as u64).map_err(Error::from)?;
        if is_moved {
            // SAFETY: the caller's promise; the range is within the pages, as just checked.
            unsafe { pages.move_to(range.clone(), memory.clone()) }?;
        } else {
            let Some(file) = pages.file() else {
                return Err(Error::Unsupported("a window of this memory".into()));
            };
            let sharing = if to_write && pages.is_writable() { MapFlags::SHARED } else { MapFlags::PRIVATE };
            let target = ptr::with_exposed_provenance_mut(memory.start);
            // SAFETY: the caller owns the memory, which is replaced by pages that can be read and written all the same.
            unsafe {
                rustix::mm::mmap(
                    target,
                    memory.len(),
                    ProtFlags::READ | ProtFlags::WRITE,
                    sharing | MapFlags::FIXED,
                    file,
                    offset + range.start as u64,
                )
            }
            .map_err(std::io::Error::from)?;
        }
        let state = Mutex::new(Some(State { place: None, guard, _pin: pin }));
        let attached = Attached(Arc::new(Part { range, memory, is_moved, is_copied: false, state }));
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
        if attached.0.is_copied {
            let lost = state.as_ref().map_or(0..0, |state| state.guard.lost_range());
            // SAFETY: the caller's promise; the bytes were copied there from this range.
            unsafe { self.pages_mut()?.copy_back(attached, &lost) };
        }
        if attached.0.is_moved {
            let (lost, fault) = state.as_ref().map_or((0..0, None), |state| {
                let lost = state.guard.lost_range();
                (lost.clone(), state.guard.lost(lost))
            });
            let pages = self.pages_mut()?;
            // SAFETY: the caller's promise; these pages were moved there from this range.
            unsafe { pages.move_back(attached, &lost) };
            if let Some(fault) = fault {
                // What was written there is gone, and where it was is the file again: the mapping must know.
                let home = attached.0.range.start;
                pages.map.note_lost(home + (lost.start - memory.start)..home + (lost.end - memory.start), fault);
            }
        }
        let target = ptr::with_exposed_provenance_mut(memory.start);
        // SAFETY: the caller owns the memory; what is put there can be read and written as what was there before.
        unsafe {
            rustix::mm::mmap_anonymous(
                target,
                memory.len(),
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::FIXED | NO_RESERVE,
            )
        }
        .map_err(std::io::Error::from)?;
        locked.into_iter().for_each(|locked| locked.forget());
        *state = None;
        Ok(())
    }
}
