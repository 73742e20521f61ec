//! A window and its state.

use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use wasi_mmap_core::{Error, Result};

use crate::stability::{Stability, StablePages};
use crate::sys::{Fault, FaultGuard, GrowingFile, Sharing};

/// A part of a mapping placed in other memory. Clones are handles to the same window.
///
/// While it is attached, the mapping can be neither closed nor resized.
#[derive(Debug, Clone)]
pub struct Window(Arc<Inner>);

/// A window that may be gone.
#[derive(Debug)]
pub(super) struct WeakWindow(Weak<Inner>);

impl WeakWindow {
    pub(super) fn upgrade(&self) -> Option<Window> {
        self.0.upgrade().map(Window)
    }

    pub(super) fn may_reach_beyond_end(&self) -> bool {
        self.upgrade().is_some_and(|window| window.may_reach_beyond_end())
    }
}

#[derive(Debug)]
struct Inner {
    /// The part of the mapping.
    range: Range<usize>,
    /// The addresses of the window: whole pages.
    addresses: Range<usize>,
    content: Content,
    /// Whether the mapping has its own pages back, and only the window's memory is still to be replaced.
    is_returned: AtomicBool,
    state: Mutex<Option<State>>,
}

/// The content of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// The file, mapped a second time.
    File,
    /// The mapping's own pages, moved there.
    MovedPages,
    /// Copies, which stand for the mapping's own pages.
    Copies,
}

/// The state of an attached window.
#[derive(Debug)]
pub(crate) struct State {
    /// Keeps the file's bytes there from changing, if anything does. Dropped first: after that, only the window's owner
    /// touches the memory.
    pub(crate) stable: Option<StablePages>,
    pub(crate) guard: FaultGuard,
    /// The file, if the window may reach past its end.
    pub(crate) growing: Option<GrowingFile>,
    /// Whether stores to a window of the [file](Content::File) reach it.
    pub(crate) is_shared: bool,
    /// Keeps the mapping busy.
    _token: Arc<()>,
}

impl Window {
    pub(crate) fn new(
        range: Range<usize>,
        addresses: Range<usize>,
        content: Content,
        guard: FaultGuard,
        is_shared: bool,
        token: Arc<()>,
    ) -> Self {
        let state = Mutex::new(Some(State { stable: None, guard, growing: None, is_shared, _token: token }));
        Self(Arc::new(Inner { range, addresses, content, is_returned: AtomicBool::new(false), state }))
    }

    pub(super) fn downgrade(&self) -> WeakWindow {
        WeakWindow(Arc::downgrade(&self.0))
    }

    /// Returns the part of the mapping, in bytes.
    pub fn range(&self) -> Range<u64> {
        self.0.range.start as u64..self.0.range.end as u64
    }

    /// Returns the addresses of the window: whole pages.
    pub fn addresses(&self) -> Range<usize> {
        self.0.addresses.clone()
    }

    /// Returns whether the window was neither detached nor abandoned.
    pub(crate) fn is_attached(&self) -> bool {
        self.state().is_some()
    }

    /// Checks that all bytes read from the window until now were the file's. Also [shows](Self::show_growth) what the file
    /// has grown by.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if the window is no longer attached; [`Error::Truncated`]; [`Error::NoSpace`].
    pub fn check(&self) -> Result<()> {
        self.show_growth()?;
        self.check_addresses(self.addresses())
    }

    /// Returns the reason why the window's bytes do not change, if there is one.
    pub fn stability(&self) -> Option<Stability> {
        let state = self.state();
        let stable = state.as_ref()?.stable.as_ref()?;
        Some(stable.stability())
    }

    /// Forgets the window's memory and does not touch it any more. Must be called before memory goes away whose window
    /// was not detached.
    pub fn abandon(&self) {
        *self.state() = None;
    }

    /// Ends the process at the next fault in the window, as long as it is attached, instead of repairing it: a repair
    /// would put other bytes there.
    pub(crate) fn forbid_repairs(&self) {
        if let Some(state) = &*self.state() {
            state.guard.set_stable();
        }
    }

    /// Keeps the window's bytes from changing for as long as it is attached.
    pub(crate) fn set_stable(&self, stable: StablePages) {
        if let Some(state) = &mut *self.state() {
            state.stable = Some(stable);
        }
    }

    /// Shows zeros past the end of a file that may grow, as long as the window is attached.
    pub(crate) fn set_growing(&self, file: Option<GrowingFile>) {
        if let Some(state) = &mut *self.state() {
            state.growing = file;
        }
    }

    /// Returns whether a window of this process may show zeros past the end of its file at present.
    #[inline]
    pub fn any_shows_zeros() -> bool {
        FaultGuard::has_zeros_anywhere()
    }

    /// Returns whether the window may reach past the end of its file.
    pub fn may_reach_beyond_end(&self) -> bool {
        self.state().as_ref().is_some_and(|state| state.growing.is_some())
    }

    /// Shows the file where the window shows zeros because the file ended before, if the file has grown. Stores to the
    /// zeros are discarded. Does nothing if the window is no longer attached.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfMemory`]; [`Error::Io`]. The pages are still zeros, and count as lost.
    pub fn show_growth(&self) -> Result<()> {
        self.state().as_ref().map_or(Ok(()), |state| self.put_back(state, false))
    }

    /// Puts the file back in the place of zeros past its end: if it has grown, or else if it is to be done `always`.
    pub(crate) fn put_back(&self, state: &State, always: bool) -> Result<()> {
        let State { guard, growing: Some(file), is_shared, .. } = state else { return Ok(()) };
        let memory = self.addresses();
        let sharing = if *is_shared { Sharing::Shared } else { Sharing::PrivateUnreserved };
        // SAFETY: the window is attached, and its memory maps the file in this way. Its owner accesses it by raw
        // pointers, like memory that other processes change.
        unsafe { file.put_back(guard, &memory, sharing, true, always) }.inspect_err(|_| {
            let from = guard.zeros_from().unwrap_or(memory.start);
            guard.lose(from..memory.end, Fault::Truncated);
        })?;
        Ok(())
    }

    /// Returns the state; `None` after the window was detached or abandoned.
    pub(crate) fn state(&self) -> MutexGuard<'_, Option<State>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn content(&self) -> Content {
        self.0.content
    }

    /// Returns whether the mapping has its own pages back.
    pub(crate) fn is_returned(&self) -> bool {
        self.0.is_returned.load(Relaxed)
    }

    /// Records that the mapping has its own pages back.
    pub(crate) fn set_returned(&self) {
        self.0.is_returned.store(true, Relaxed);
    }

    /// Returns an error if bytes at `addresses`, which lie in the window, were lost. Must be called after the access
    /// that it is to vouch for.
    pub(crate) fn check_addresses(&self, addresses: Range<usize>) -> Result<()> {
        match &*self.state() {
            None => Err(Error::Closed),
            Some(state) => state.guard.check(addresses),
        }
    }

    /// Returns the part of `range` that lies in the window; it may be empty.
    pub(crate) fn intersection(&self, range: &Range<usize>) -> Range<usize> {
        range.start.max(self.0.range.start)..range.end.min(self.0.range.end)
    }

    /// Returns the offset in the mapping of an address in the window.
    pub(crate) fn offset_of(&self, address: usize) -> usize {
        self.0.range.start + (address - self.0.addresses.start)
    }

    /// Returns a pointer to the byte at `offset` in the mapping, which must lie in the window.
    pub(crate) fn pointer(&self, offset: usize) -> *mut u8 {
        ptr::with_exposed_provenance_mut(self.0.addresses.start + (offset - self.0.range.start))
    }
}
