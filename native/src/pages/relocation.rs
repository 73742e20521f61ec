//! Pages that lie elsewhere for the time being, in a window: how they go there and come back.

use std::ops::Range;
use std::ptr;

use wasi_mmap_core::{Error, Result};

use super::attach::Attached;
use super::replace;
use crate::pages::Pages;

impl Pages {
    /// Moves pages to other memory. [`note_moved`](Self::note_moved) is to be called next.
    ///
    /// # Safety
    ///
    /// See [`Native::attach`](crate::Native::attach).
    pub(crate) unsafe fn move_to(&mut self, range: Range<usize>, memory: &Range<usize>) -> Result<()> {
        if self.moved.iter().any(|moved| !moved.part_of(&range).is_empty()) {
            return Err(Error::Busy);
        }
        self.map.check(range.clone())?;
        if let Some(why) = self.map.why_not_movable() {
            return Err(Error::Unsupported(format!("moving these pages: {why}").into()));
        }
        let home = self.pointer(&range);
        if self.file().is_none() {
            // Memory that was never written takes its place in the kernel's order from where it lies. A part that is written
            // elsewhere and comes back would be an area of its own, and could not be moved together with its neighbours.
            // SAFETY: the range is within the pages, which can be written, and are no file's; `&mut self` keeps others away.
            let byte = unsafe { home.read_volatile() };
            // SAFETY: as above.
            unsafe { home.write_volatile(byte) };
        }
        // SAFETY: whole pages of this mapping, in one area, as was just checked, and nobody uses them: `&mut self`. The others
        // are the caller's. On failure, these are where they were, and those are as before, or zeros.
        unsafe { replace::move_pages(home.expose_provenance(), memory) }.map_err(|error| {
            // A kernel before Linux 5.13, or no memory for it: the caller can do without.
            Error::Unsupported(format!("moving these pages: {error}").into())
        })
    }

    /// Notes where pages were moved.
    pub(crate) fn note_moved(&mut self, attached: Attached) {
        self.moved.push(attached);
    }

    /// Moves pages back from where they were moved, or copies them, where the system cannot move them. `lost` returns the addresses
    /// there that hold nothing of value.
    ///
    /// # Safety
    ///
    /// See [`Native::detach`](crate::Native::detach).
    pub(crate) unsafe fn move_back(&mut self, attached: &Attached, lost: impl Fn() -> Range<usize>) {
        let (memory, range) = (attached.memory(), attached.part_of(&(0..self.len())));
        let home = self.pointer(&range).expose_provenance();
        let home = home..home + memory.len();
        if lost().is_empty() {
            // What the pages left behind is the file's, and cannot be marked.
            // SAFETY: the pages belong to this mapping, whose content is elsewhere. On failure, they are as they were.
            let has_zeros = self.file().is_none() || unsafe { replace::put_zeros(&home) }.is_ok();
            // SAFETY: both are whole pages of the same length; nobody uses either, by `&mut self` and the caller's promise. The
            // source is one area, of which nothing was replaced; the target is private memory, which can be written. On failure
            // the source is as it was, and the target is as before, or zeros: it is overwritten below.
            if has_zeros && unsafe { replace::move_pages(memory.start, &home) }.is_ok() {
                self.moved.retain(|moved| moved.memory() != memory);
                return;
            }
            self.map.note_areas();
        }
        self.moved.retain(|moved| moved.memory() != memory);
        // The pages are not one area any more, since some were lost, or cannot be moved. The others are copied.
        let lost = lost();
        let (before, after) =
            if lost.is_empty() { (memory.clone(), 0..0) } else { (memory.start..lost.start, lost.end..memory.end) };
        for part in [before, after].into_iter().filter(|part| !part.is_empty()) {
            let start = range.start + (part.start - memory.start);
            let count = part.len().min(range.end.saturating_sub(start));
            let target = self.pointer(&(start..start + count));
            let source = ptr::with_exposed_provenance::<u8>(part.start);
            // SAFETY: the pages are still at `memory`, whose owner leaves them alone, and the target is this mapping's, as
            // `pointer` checked. The two are apart. Faults in either are repaired.
            unsafe { target.copy_from_nonoverlapping(source, count) };
        }
    }
}
