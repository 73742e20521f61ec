//! Attaching and detaching windows.
//!
//! The file of a shared mapping is mapped a second time, over the other memory. The pages of a private mapping exist
//! only once: they are moved there, and moved back when the window is detached.

use std::ops::Range;
use std::sync::Arc;

use wasi_mmap_core::{Error, Result};

use crate::pages::MappedPages;
use crate::stability::StablePages;
use crate::storage::OsStorage;
use crate::sys::{self, FaultGuard, Sharing, page_len};
use crate::window::{Content, Window, start_watching, watch};

impl OsStorage {
    /// Attaches a window: places a part of the mapping in the memory from `address` on, in whole pages, with `range`
    /// rounded up.
    ///
    /// With `to_write`, writes to the window have the same effect as the mapping's own writes. Without it, they stay in
    /// the window, unless the mapping is private anyway.
    ///
    /// # Safety
    ///
    /// `address` is a multiple of the page size, and as many pages from there as the window has are mapped as private
    /// memory without a file, can be read and written, belong to the caller, and are used by nobody in this process
    /// during the call. They stay mapped until [`detach_window`](Self::detach_window) or [`Window::abandon`], whichever
    /// comes first.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if the pages cannot be moved or are huge, or reach past the end of the file in a private,
    /// writable mapping; [`Error::Busy`] if another window holds some of them, or pages are lent;
    /// [`Error::OutOfMemory`]; [`Error::Io`]. After an error, the mapping is as it was. So is the memory, unless the
    /// system failed after it had unmapped it: then it is zeros.
    ///
    /// # Panics
    ///
    /// If the range is outside of the mapping, or does not start with a page.
    pub unsafe fn attach_window(&mut self, range: Range<u64>, address: usize, to_write: bool) -> Result<Window> {
        let index = |at: u64| usize::try_from(at).expect("within the mapping");
        let range = index(range.start)..index(range.end);
        let (token, file_offset) = (Arc::clone(&self.window_token), self.file_offset());
        let pages = self.pages_mut()?;
        let page = page_len();
        assert!(range.start.is_multiple_of(page) && range.end <= pages.len() && address.is_multiple_of(page));
        let memory = address..address + range.len().next_multiple_of(page);
        let must_move = pages.is_private() && pages.is_writable();
        // The kernel would refuse such a file at most addresses, and map more of it than was asked for at the others.
        if pages.mapping.has_huge_pages() {
            return Err(Error::Unsupported("a window of huge pages".into()));
        }
        // The guard comes first: faults must be repaired from the first access on.
        let is_shared = to_write && pages.is_writable() && !must_move;
        let growing = if must_move {
            check_within_file(pages, &range)?;
            None
        } else {
            pages.mapping.growing_file(range.start)
        };
        if growing.is_some() {
            start_watching()?;
        }
        let guard = match pages.file() {
            Some(_) if growing.is_some() => pages.mapping.guard_beyond_end(memory.clone(), range.start, !is_shared),
            Some(file) => FaultGuard::new(memory.clone(), file, file_offset + range.start as u64, page, !is_shared),
            None => FaultGuard::without_file(memory.clone(), page),
        };
        let guard = guard.map_err(Error::from)?;
        if must_move {
            // SAFETY: the caller's promise; the range is within the pages and starts with one, as just checked.
            unsafe { pages.move_to(range.clone(), &memory) }?;
        } else {
            let Some(file) = pages.file() else {
                return Err(Error::Unsupported("a window of this memory".into()));
            };
            // SAFETY: the caller owns the memory, which is replaced by pages that can be read and written too. On
            // failure, it is as it was, or zeros, and nothing is attached.
            unsafe { sys::put_file(&memory, file, file_offset + range.start as u64, sharing(is_shared), true) }?;
        }
        let content = if must_move { Content::MovedPages } else { Content::File };
        let window = Window::new(range, memory, content, guard, is_shared, token);
        if growing.is_some() {
            window.set_growing(growing);
            watch(&window);
        }
        if must_move {
            pages.add_window(window.clone());
        }
        Ok(window)
    }

    /// Sets whether writes to a window reach the mapping, in place: whoever accesses its memory meanwhile meets the
    /// pages from before, or those from after.
    ///
    /// The window shows the mapping's bytes afterwards: what was written to a window that is not `to_write` is
    /// discarded. Nothing changes if the window is as asked for already, nor for a private mapping, whose windows hold
    /// its own pages.
    ///
    /// # Safety
    ///
    /// The window is one of this mapping, and no reference into its memory is alive. Others may access it by raw
    /// pointers, like memory that other processes change.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if the window is no longer attached; [`Error::Truncated`] and [`Error::NoSpace`] if some of
    /// its bytes were lost; [`Error::Unsupported`] on systems other than Linux, and to write to a stable window of a
    /// file; [`Error::NotPermitted`], [`Error::OutOfMemory`] and [`Error::Io`] if the system refuses to map the file.
    /// After an error, the window is as it was.
    pub unsafe fn set_window_mode(&mut self, window: &Window, to_write: bool) -> Result<()> {
        // Held to the end, so that the memory is not abandoned meanwhile.
        let mut state = window.state();
        let Some(state) = state.as_mut() else { return Err(Error::Closed) };
        let pages = self.pages();
        let is_shared = to_write && pages.is_writable() && !pages.is_private();
        let Some(file) = pages.file().filter(|_| window.content() == Content::File && is_shared != state.is_shared)
        else {
            return Ok(());
        };
        if state.stable.is_some() {
            // Nobody else changes its bytes, as long as nobody has the file mapped for writing.
            return Err(Error::Unsupported("a stable window to write to a file, which others may change too".into()));
        }
        let memory = window.addresses();
        window.put_back(state, true)?;
        state.guard.check(memory.clone())?;
        let (sharing, file_offset) = (sharing(is_shared), self.file_offset() + window.range().start);
        // While either kind of page may be there, a repair must not copy a private one. For a shared one, that is a
        // detour at most.
        state.guard.set_private(true);
        // Zeros past the end of the file can be anywhere.
        let lost = || if state.growing.is_some() { memory.clone() } else { state.guard.lost_range() };
        // SAFETY: the memory belongs to the caller, who has no references there, and maps this part of the file, or was
        // replaced by zeros by a repair. The new pages can be read and written too. On failure, it is as it was.
        let outcome = unsafe { sys::remap_file(&memory, file, file_offset, sharing, lost) };
        if outcome.is_ok() {
            state.is_shared = is_shared;
        }
        state.guard.set_private(!state.is_shared);
        Ok(outcome?)
    }

    /// Detaches a window. Its memory is zeros afterwards. Does nothing if it was already detached or abandoned.
    ///
    /// # Safety
    ///
    /// The window is one of this mapping. Nobody in this process uses its memory during the call, or expects the file
    /// there afterwards.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] while pages are lent; [`Error::OutOfMemory`]; [`Error::Io`]. The window stays attached.
    pub unsafe fn detach_window(&mut self, window: &Window) -> Result<()> {
        let mut state = window.state();
        if state.is_none() {
            return Ok(());
        }
        let memory = window.addresses();
        // The end of a lease must not replace the memory at the same time.
        let locked = state.as_ref().and_then(|state| state.stable.as_ref()).map(StablePages::lock);
        if let Some(state) = state.as_ref().filter(|_| !window.is_returned()) {
            let lost = || state.guard.lost_range();
            match window.content() {
                Content::File => {}
                // SAFETY: the caller's promise; these pages were moved there from the window's range.
                Content::MovedPages => unsafe { self.pages_mut()?.move_back(window, lost) },
                // SAFETY: the caller's promise; the bytes were copied there from the window's range.
                Content::Copies => unsafe { self.pages_mut()?.copy_back(window, &lost()) },
            }
            window.set_returned();
            if window.content() == Content::MovedPages
                && let Some(fault) = state.guard.lost(lost())
            {
                // Bytes written there are gone, and the mapping shows the file instead: it must report the loss.
                let lost = lost();
                let range = window.offset_of(lost.start)..window.offset_of(lost.end);
                self.pages_mut()?.mapping.mark_lost(range, fault);
            }
        }
        // SAFETY: the caller owns the memory; the zeros can be read and written like the pages before. On failure the
        // memory is as it was, guarded, and the window stays attached.
        unsafe { sys::put_zeros(&memory) }?;
        locked.into_iter().for_each(|locked| locked.release());
        *state = None;
        Ok(())
    }
}

/// Returns the way that the file is mapped in a window.
fn sharing(is_shared: bool) -> Sharing {
    if is_shared { Sharing::Shared } else { Sharing::PrivateUnreserved }
}

/// Checks that all pages of a range begin within the file, if the mapping may reach past its end: zeros past the end could
/// not be moved together with the others.
fn check_within_file(pages: &MappedPages, range: &Range<usize>) -> Result<()> {
    if !pages.mapping.may_reach_beyond_end() {
        return Ok(());
    }
    pages.mapping.put_back(true)?;
    match pages.mapping.check_write(&(range.start as u64..range.end as u64)) {
        Err(Error::BeyondEndOfFile(_)) => {
            Err(Error::Unsupported("a window of a private mapping past the end of its file".into()))
        }
        outcome => outcome,
    }
}
