//! Attaching a stable window: one whose bytes nobody else changes.

use std::ops::Range;
use std::ptr;
use std::slice;
use std::sync::Arc;

use wasi_mmap_core::{Error, Result};

use super::plan::{Plan, WindowPlan};
use crate::storage::OsStorage;
use crate::sys::{Fault, FaultGuard, page_len};
use crate::window::{Content, Window};

impl OsStorage {
    /// Attaches a window to the memory from `address` on, as [planned](Self::plan_stable_window).
    ///
    /// If the window depends on a lease and somebody wants to write to the file, copies replace the window's pages
    /// atomically. Stores to the window wait meanwhile, and none is undone; a system call that would write there fails
    /// with `EFAULT`.
    ///
    /// # Safety
    ///
    /// As [`attach_window`](Self::attach_window). As long as the window is attached, nobody else replaces the memory.
    ///
    /// # Errors
    ///
    /// As [`attach_window`](Self::attach_window); [`Error::Unsupported`] if somebody has begun to write to the file
    /// since the window was planned; [`Error::Truncated`] if the file is shorter than the window; [`Error::Busy`] if a
    /// window of the same shared memory overlaps it. Nothing is attached.
    ///
    /// # Panics
    ///
    /// As [`attach_window`](Self::attach_window).
    pub unsafe fn attach_stable_window(
        &mut self,
        plan: WindowPlan,
        range: Range<u64>,
        address: usize,
    ) -> Result<Window> {
        if self.pages().mapping.may_reach_beyond_end() {
            match self.pages().mapping.check_write(&range) {
                Err(Error::BeyondEndOfFile(_)) => {
                    return Err(Error::Unsupported("a stable window past the end of the file".into()));
                }
                outcome => outcome?,
            }
        }
        match plan.0 {
            Plan::Direct { to_write } => {
                // Two windows on one memory would each be memory that somebody else changes.
                self.shared_windows.retain(Window::is_attached);
                let is_shared = !self.pages().is_private();
                if is_shared && self.shared_windows.iter().any(|window| overlaps(&window.range(), &range)) {
                    return Err(Error::Busy);
                }
                // SAFETY: the caller's promise.
                let window = unsafe { self.attach_window(range, address, to_write) }?;
                if self.visible_file().is_some() {
                    // A copy of a file that does not change: a fault is a disk's that fails.
                    window.forbid_repairs();
                }
                if is_shared {
                    self.shared_windows.push(window.clone());
                }
                Ok(window)
            }
            // SAFETY: the caller's promise.
            Plan::Copied => unsafe { self.attach_copies(range, address) },
            Plan::Guaranteed(guarantee) => {
                let page = page_len();
                let len = usize::try_from(range.end.saturating_sub(range.start)).map_err(|_| Error::OutOfMemory)?;
                let end = len.checked_next_multiple_of(page).and_then(|len| address.checked_add(len));
                let memory = address..end.ok_or(Error::OutOfMemory)?;
                let start = self.file_offset().checked_add(range.start).ok_or(Error::OutOfMemory)?;
                let file_range = start..start.checked_add(range.end - range.start).ok_or(Error::OutOfMemory)?;
                // Whoever makes the file shorter ends the guarantee first, and then nothing is attached.
                if !guarantee.checks_length() {
                    let file = self.visible_file().ok_or(Error::Truncated)?;
                    if file.metadata()?.len() < file_range.end {
                        return Err(Error::Truncated);
                    }
                }
                // SAFETY: the caller's promise.
                let attach = || unsafe { self.attach_window(range, address, false) }.inspect(Window::forbid_repairs);
                let tail = address + len..memory.end;
                // SAFETY: `attach` maps whole private pages of the file there. Until the window is detached or
                // abandoned, which drops the stable pages, nobody replaces them: detaching locks them, and the rest is
                // the caller's promise.
                let (stable, window) = unsafe { guarantee.cover(memory, &file_range, true, attach) }?;
                window.set_stable(stable);
                // Behind the end of the file, a page may hold bytes of a former writer until the system clears them.
                // SAFETY: the tail is a part of the window's last page, private and writable, and nobody uses it yet.
                unsafe { ptr::with_exposed_provenance_mut::<u8>(tail.start).write_bytes(0, tail.len()) };
                Ok(window)
            }
        }
    }

    /// Attaches a window of copies, which stand for the mapping's own pages.
    ///
    /// # Safety
    ///
    /// As [`attach_window`](Self::attach_window).
    unsafe fn attach_copies(&mut self, range: Range<u64>, address: usize) -> Result<Window> {
        let index = |at: u64| usize::try_from(at).expect("within the mapping");
        let range = index(range.start)..index(range.end);
        let token = Arc::clone(&self.window_token);
        let pages = self.pages_mut()?;
        let page = page_len();
        assert!(range.start.is_multiple_of(page) && range.end <= pages.len() && address.is_multiple_of(page));
        let memory = address..address + range.len().next_multiple_of(page);
        if pages.has_window_in(&range) {
            return Err(Error::Busy);
        }
        pages.check(range.clone())?;
        let guard = FaultGuard::without_file(memory.clone(), page).map_err(Error::from)?;
        let target = ptr::with_exposed_provenance_mut::<u8>(address);
        // SAFETY: the caller owns so many bytes, which are mapped, writable, and used by nobody else during the call.
        let bytes = unsafe { slice::from_raw_parts_mut(target, memory.len()) };
        let (bytes, tail) = bytes.split_at_mut(range.len());
        if pages.read(range.start, bytes).is_err() {
            // The file was made shorter just now. The window reports it as if it had happened right after attaching.
            guard.lose(memory.clone(), Fault::Truncated);
        }
        tail.fill(0);
        let window = Window::new(range, memory, Content::Copies, guard, false, token);
        pages.add_window(window.clone());
        Ok(window)
    }
}

fn overlaps(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}
