//! Moving pages into windows and back.

use std::ops::Range;
use std::ptr;
use std::slice;

use wasi_mmap_core::{Error, Result};

use super::mapped::MappedPages;
use crate::sys::{self, page_len};
use crate::window::Window;

impl MappedPages {
    /// Moves pages to other memory. The caller must [record](Self::add_window) the window next.
    ///
    /// # Safety
    ///
    /// `range` is within the pages and starts with one. `memory` is as many whole private pages, which can be read and
    /// written, map no file, belong to the caller, and are used by nobody during the call.
    pub(crate) unsafe fn move_to(&mut self, range: Range<usize>, memory: &Range<usize>) -> Result<()> {
        if self.has_window_in(&range) {
            return Err(Error::Busy);
        }
        self.mapping.check(range.clone())?;
        if let Some(why) = self.mapping.immovable_reason() {
            return Err(Error::Unsupported(format!("moving these pages: {why}").into()));
        }
        let home = self.pointer(&range);
        if self.file().is_none() {
            // The kernel takes the page offset of anonymous memory from its address until the memory is first written.
            // A part that is written in the window and comes back would be an area of its own, and could not be moved
            // together with its neighbours.
            // SAFETY: the range is within the pages, which are writable and map no file; `&mut self` keeps others away.
            let byte = unsafe { home.read_volatile() };
            // SAFETY: as above.
            unsafe { home.write_volatile(byte) };
        }
        // SAFETY: the source is whole pages of this mapping, in one area, as just checked, and `&mut self` means that
        // nobody uses them. The target is the caller's. On failure, the pages are where they were, and the target is as
        // before, or zeros.
        unsafe { sys::move_pages(home.expose_provenance(), memory) }.map_err(|error| {
            // The kernel is older than Linux 5.13, or has no memory: the caller can do without.
            Error::Unsupported(format!("moving these pages: {error}").into())
        })
    }

    /// Records a window that holds pages of the mapping, or copies of them.
    pub(crate) fn add_window(&mut self, window: Window) {
        self.windows.push(window);
    }

    /// Returns whether a window holds pages of `range`, or copies of them.
    pub(crate) fn has_window_in(&self, range: &Range<usize>) -> bool {
        self.windows.iter().any(|window| !window.intersection(range).is_empty())
    }

    fn remove_window(&mut self, addresses: &Range<usize>) {
        self.windows.retain(|window| window.addresses() != *addresses);
    }

    /// Moves pages back from a window, or copies them if the system cannot move them. `lost` returns the addresses in
    /// the window whose bytes were lost.
    ///
    /// # Safety
    ///
    /// The pages were moved to the window by [`move_to`](Self::move_to). Nobody in this process uses its memory during
    /// the call, or expects the pages there afterwards.
    pub(crate) unsafe fn move_back(&mut self, window: &Window, lost: impl Fn() -> Range<usize>) {
        let (memory, range) = (window.addresses(), window.intersection(&(0..self.len())));
        let home = self.pointer(&range).expose_provenance();
        let home = home..home + memory.len();
        if lost().is_empty() {
            // What the pages of a file left behind maps the file, and cannot be marked.
            // SAFETY: the pages belong to this mapping, and their contents are in the window. On failure, they are as
            // they were.
            let has_zeros = self.file().is_none() || unsafe { sys::put_zeros(&home) }.is_ok();
            // SAFETY: both are whole pages of the same length, and nobody uses either, by `&mut self` and the caller's
            // promise. The source is one area, of which nothing was replaced; the target is writable private memory. On
            // failure the source is as it was, and the target is as before, or zeros: it is overwritten below.
            if has_zeros && unsafe { sys::move_pages(memory.start, &home) }.is_ok() {
                self.remove_window(&memory);
                return;
            }
            self.mapping.mark_split();
        }
        self.remove_window(&memory);
        // Some pages were lost, so that the window is no longer one area, or they cannot be moved. What was not lost is
        // copied.
        let lost = lost();
        let (before, after) =
            if lost.is_empty() { (memory.clone(), 0..0) } else { (memory.start..lost.start, lost.end..memory.end) };
        for part in [before, after].into_iter().filter(|part| !part.is_empty()) {
            let start = range.start + (part.start - memory.start);
            let count = part.len().min(range.end.saturating_sub(start));
            let target = self.pointer(&(start..start + count));
            let source = ptr::with_exposed_provenance::<u8>(part.start);
            // SAFETY: the pages are still at `memory`, whose owner leaves them alone, and the target belongs to this
            // mapping, as `pointer` checked. The two do not overlap. Faults in either are repaired.
            unsafe { target.copy_from_nonoverlapping(source, count) };
        }
    }

    /// Writes changes back from a window of copies. `lost` are the addresses in the window whose bytes were lost.
    /// Unchanged pages are not written, so that they still show the file.
    ///
    /// # Safety
    ///
    /// The window holds copies of its range. Nobody in this process uses its memory during the call, or expects the
    /// bytes there afterwards.
    pub(crate) unsafe fn copy_back(&mut self, window: &Window, lost: &Range<usize>) {
        let (memory, range) = (window.addresses(), window.intersection(&(0..self.len())));
        self.remove_window(&memory);
        let page = page_len();
        let mut old = vec![0; page];
        for start in range.clone().step_by(page) {
            let count = page.min(range.end - start);
            let source = memory.start + (start - range.start);
            if lost.contains(&source) {
                continue;
            }
            let source = ptr::with_exposed_provenance::<u8>(source);
            // SAFETY: within the window's memory, which is mapped, and which nobody writes during the call.
            let bytes = unsafe { slice::from_raw_parts(source, count) };
            // What cannot be read or written in the mapping is recorded there as lost.
            if self.read(start, &mut old[..count]).is_ok() && old[..count] != *bytes {
                let _ = self.write(start, bytes);
            }
        }
    }
}
