//! Small reads of the host's mapping without a call of the host: from a window, which is moved along with them.
//!
//! A window is the mapping's own pages, so nothing goes stale, as a buffer would. Attaching one takes as long as some
//! dozens of calls, and so it is attached where as many calls were made, or saved, in one place.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use wasi_mmap_core::{MapFlags, MapOptions, Storage as _};
use wasi_mmap_sys::bindings::wasi_mmap::mmap::mapping::Mapping as Handle;
use wasi_mmap_sys::bindings::wasi_mmap::mmap::types::WindowMode;
use wasi_mmap_sys::window::{self, Region, Window};

use super::HostStorage;

/// The number of bytes of a window.
const LEN: u64 = 1 << 20;

/// The longest read that is served, in bytes. What a call costs hardly counts in longer ones.
pub(super) const MAX_READ: usize = 16 * 1024;

/// The number of reads that have to be made in one place before a window is attached there. Whatever a program reads,
/// its reads take at most about twice as long as calls alone.
const WORTH: u32 = 64;

/// The number of mappings that have such a window at the same time.
const MAX_ATTACHED: usize = 4;

/// The mappings that may have a window, in the order in which they got one.
static ATTACHED: Mutex<Vec<Weak<Mutex<State>>>> = Mutex::new(Vec::new());

/// Detaches the windows of all mappings: their number is limited, and a program needs them for itself.
pub(crate) fn detach_all() {
    let all = std::mem::take(&mut *lock(&ATTACHED));
    all.iter().for_each(detach_other);
}

/// Detaches the window of another mapping, unless it is being read in another thread.
fn detach_other(other: &Weak<Mutex<State>>) {
    if let Some(other) = other.upgrade()
        && let Ok(mut state) = other.try_lock()
    {
        state.detach();
    }
}

/// The window of a mapping for small reads, or the wish for one.
#[derive(Debug)]
pub(super) struct ReadWindow(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    attached: Option<Attached>,
    /// Whether windows of this mapping may be used, once that is known.
    is_usable: Option<bool>,
    /// The number of reads that the window has served.
    served: u32,
    /// The number of calls that were made one after the other in a block of [`LEN`] bytes.
    calls: u32,
    /// The number of this block.
    block: u64,
}

#[derive(Debug)]
struct Attached {
    window: Window,
    /// The range of the mapping.
    range: Range<u64>,
}

impl ReadWindow {
    /// Makes the window of a new mapping, which is not attached yet.
    pub(super) fn new(options: &MapOptions) -> Self {
        let may_be_written = options.access.is_writable() || options.flags.contains(MapFlags::WIDEST_ACCESS);
        // The host moves the pages of a private mapping that is written to a window, and back. Zeros past the end of a
        // file cannot be told from lost pages.
        let is_unusable = options.is_private() && may_be_written || options.flags.contains(MapFlags::BEYOND_END);
        let is_usable = is_unusable.then_some(false);
        Self(Arc::new(Mutex::new(State { is_usable, ..State::default() })))
    }

    /// Reads the bytes at `offset`, which are within the mapping. Returns false if a call has to read them.
    #[inline]
    pub(super) fn read(&self, mapping: &HostStorage, offset: u64, buffer: &mut [u8]) -> bool {
        let mut state = lock(&self.0);
        let range = offset..offset + buffer.len() as u64;
        if state.place(&range).is_none() && !self.attach(&mut state, mapping, &range) {
            return false;
        }
        let Some((window, place)) = state.place(&range) else { return false };
        let outcome = window.read(place.start, buffer);
        state.finish(outcome.is_ok())
    }

    /// Appends the first line of `range`, which is within the mapping. Returns false, and has appended nothing, if
    /// calls have to do it.
    #[inline]
    pub(super) fn read_line(&self, mapping: &HostStorage, range: &Range<u64>, line: &mut Vec<u8>) -> bool {
        if range.is_empty() {
            return false;
        }
        let (mut state, old) = (lock(&self.0), line.len());
        for is_retry in [false, true] {
            if let Some((window, place, is_last)) = state.place_of_start(range) {
                match window.append_line(place, is_last, line) {
                    Ok(true) => return state.finish(true),
                    Ok(false) => {}
                    Err(_) => {
                        line.truncate(old);
                        return state.finish(false);
                    }
                }
            }
            // The line goes on after the window, or is elsewhere.
            if is_retry || !self.attach(&mut state, mapping, &(range.start..range.start + 1)) {
                break;
            }
        }
        false
    }

    /// Detaches the window, because the mapping is about to change.
    pub(super) fn detach(&self) {
        lock(&self.0).detach();
    }

    /// Moves the window to a range, if that is worth it. Returns whether it moved.
    #[cold]
    fn attach(&self, state: &mut State, mapping: &HostStorage, range: &Range<u64>) -> bool {
        let Some(page) = window::alignment().filter(|&page| page <= LEN) else { return false };
        if state.is_usable == Some(false) || range.end - range.start > MAX_READ as u64 {
            return false;
        }
        let Some(start) = state.next_start(range, page) else { return false };
        if state.is_usable.is_none() {
            state.is_usable = Some(window::is_live(mapping.handle()).unwrap_or(false));
        }
        if state.is_usable == Some(false) {
            return false;
        }
        state.detach();
        let end = start.saturating_add(LEN).min(mapping.len());
        match attach(mapping.handle(), start..end, page) {
            Some(window) => {
                state.attached = Some(Attached { window, range: start..end });
                self.make_room();
                true
            }
            None => false,
        }
    }

    /// Adds this mapping to those that have a window, and detaches the oldest of the others if there are too many.
    fn make_room(&self) {
        let own = Arc::downgrade(&self.0);
        let mut attached = lock(&ATTACHED);
        attached.retain(|other| other.strong_count() > 0 && !other.ptr_eq(&own));
        while attached.len() >= MAX_ATTACHED {
            detach_other(&attached.remove(0));
        }
        attached.push(own);
    }
}

impl Drop for ReadWindow {
    fn drop(&mut self) {
        // The host keeps a mapping open that has a window.
        self.detach();
    }
}

impl State {
    /// Returns the window and the place of a range in it, if it lies in the window.
    #[inline]
    fn place(&self, range: &Range<u64>) -> Option<(&Window, Range<usize>)> {
        let Attached { window, range: whole } = self.attached.as_ref()?;
        let index = |at: u64| usize::try_from(at - whole.start).ok();
        let is_within = whole.start <= range.start && range.end <= whole.end;
        if is_within { Some((window, index(range.start)?..index(range.end)?)) } else { None }
    }

    /// Returns the window, the place of the part of a range that lies in it, and whether that is all of the range; if
    /// the range starts in the window.
    #[inline]
    fn place_of_start(&self, range: &Range<u64>) -> Option<(&Window, Range<usize>, bool)> {
        let end = range.end.min(self.attached.as_ref()?.range.end);
        let (window, place) = (range.start < end).then(|| self.place(&(range.start..end)))??;
        Some((window, place, end == range.end))
    }

    /// Counts a read, or gives the window up: bytes are lost, and a call reports that. Returns `has_read`.
    #[inline]
    fn finish(&mut self, has_read: bool) -> bool {
        if has_read {
            self.served = self.served.saturating_add(1);
        } else {
            self.detach();
        }
        has_read
    }

    /// Returns the start of the window that a read is worth, if it is worth one: there were enough reads in its
    /// neighbourhood, or the window that ends there has served enough.
    fn next_start(&mut self, range: &Range<u64>, page: u64) -> Option<u64> {
        let block = range.start / LEN;
        self.calls = if self.block == block { self.calls.saturating_add(1) } else { 1 };
        self.block = block;
        let from_here = range.start - range.start % page;
        let served = self.attached.as_ref().filter(|_| self.served >= WORTH).map(|attached| &attached.range);
        let start = match served {
            // Forwards, where a longer window would begin at the same place.
            Some(served) if (served.start + 1..=served.end.saturating_add(LEN)).contains(&from_here) => from_here,
            // Backwards.
            Some(served) if (range.end..=range.end.saturating_add(LEN)).contains(&served.start) => {
                range.end.next_multiple_of(page).saturating_sub(LEN)
            }
            _ if self.calls < WORTH => return None,
            _ if range.end.div_ceil(LEN) > block + 1 => from_here,
            _ => block * LEN,
        };
        (self.calls, self.served) = (0, 0);
        Some(start)
    }

    fn detach(&mut self) {
        if let Some(Attached { mut window, .. }) = self.attached.take()
            && let Ok(Some(region)) = window.detach()
        {
            region.put_back();
        }
    }
}

/// Attaches a window for a range of a mapping that starts with a page.
fn attach(mapping: &Handle, range: Range<u64>, page: u64) -> Option<Window> {
    let len = range.end - range.start;
    let whole = usize::try_from(len.next_multiple_of(page)).ok()?;
    let region = Region::take(whole, usize::try_from(page).ok()?)?;
    match Window::attach(mapping, region, range.start, len, WindowMode::Read) {
        Ok(window) => Some(window),
        Err((region, _)) => {
            // The host has no more windows, or the file is shorter than the mapping: a call may do.
            region.put_back();
            None
        }
    }
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
