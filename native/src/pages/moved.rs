//! Pages that lie elsewhere for the time being, in a window: how they go there and come back, and how they are reached meanwhile.

use std::ops::Range;
use std::ptr;

use wasi_mmap_core::{Error, Result};

use super::Pages;
use crate::attach::{Attached, move_pages};
use crate::fault::Fault;

impl Pages {
    /// Moves pages to other memory. [`note_moved`](Self::note_moved) is to be called next.
    ///
    /// # Safety
    ///
    /// See [`Native::attach`](crate::Native::attach).
    pub(crate) unsafe fn move_to(&mut self, range: Range<usize>, memory: Range<usize>) -> Result<()> {
        if self.moved.iter().any(|moved| !moved.part_of(&range).is_empty()) {
            return Err(Error::Busy);
        }
        self.check_home(range.clone())?;
        let home = self.pointer(&range) as usize;
        // SAFETY: whole pages of this mapping, which nobody uses: `&mut self`. The others are the caller's.
        unsafe { move_pages(home, memory.start, memory.len()) }.map_err(|error| {
            // Several areas, or a kernel before Linux 5.13: the caller can do without.
            Error::Unsupported(format!("moving these pages: {error}").into())
        })?;
        Ok(())
    }

    /// Notes where pages were moved.
    pub(crate) fn note_moved(&mut self, attached: Attached) {
        self.moved.push(attached);
    }

    /// Moves pages back from where they were moved; `lost` are addresses there that hold nothing of value.
    ///
    /// # Safety
    ///
    /// See [`Native::detach`](crate::Native::detach).
    pub(crate) unsafe fn move_back(&mut self, attached: &Attached, lost: &Range<usize>) {
        let (memory, range) = (attached.memory(), attached.part_of(&(0..self.len)));
        self.moved.retain(|moved| moved.memory() != memory);
        let home = self.pointer(&range) as usize;
        // SAFETY: both are whole pages of the same length; nobody uses either, by `&mut self` and the caller's promise.
        if lost.is_empty() && unsafe { move_pages(memory.start, home, memory.len()) }.is_ok() {
            return;
        }
        // The pages are not one area any more, since some were lost. The others are copied.
        let (before, after) =
            if lost.is_empty() { (memory.clone(), 0..0) } else { (memory.start..lost.start, lost.end..memory.end) };
        for part in [before, after].into_iter().filter(|part| !part.is_empty()) {
            let start = range.start + (part.start - memory.start);
            let count = part.len().min(range.end.saturating_sub(start));
            let target = self.pointer(&(start..start + count));
            let source = ptr::with_exposed_provenance::<u8>(part.start);
            // SAFETY: the pages are still at `memory`, whose owner leaves them alone, and the target is this mapping's, as
            // `pointer` checked. The two are apart.
            unsafe { target.copy_from_nonoverlapping(source, count) };
        }
    }

    /// Notes that pages were lost elsewhere, and did not come back.
    pub(crate) fn note_lost(&self, range: Range<usize>, fault: Fault) {
        let base = self.map.as_ptr() as usize;
        self.guard.lose(base + range.start..base + range.end, fault);
    }

    /// The pieces that a range lies in, in order: at home, or where they were moved.
    pub(super) fn pieces(&self, range: Range<usize>) -> impl Iterator<Item = Piece<'_>> {
        let mut rest = range;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            // The first part that was moved: the piece is that part, or what lies before it.
            let parts = self.moved.iter().map(|moved| (moved, moved.part_of(&rest)));
            let first = parts.filter(|(_, part)| !part.is_empty()).min_by_key(|(_, part)| part.start);
            let (moved, end) = match first {
                Some((moved, part)) if part.start == rest.start => (Some(moved), part.end),
                Some((_, part)) => (None, part.start),
                None => (None, rest.end),
            };
            let range = rest.start..end;
            rest.start = end;
            Some(Piece { pages: self, moved, range })
        })
    }
}

/// A part of pages that lies in one piece.
pub(super) struct Piece<'a> {
    pages: &'a Pages,
    moved: Option<&'a Attached>,
    range: Range<usize>,
}

impl Piece<'_> {
    /// Where the piece is in a buffer that begins with the byte at `start`.
    pub(super) fn range_from(&self, start: usize) -> Range<usize> {
        self.range.start - start..self.range.end - start
    }

    fn pointer(&self) -> *mut u8 {
        match self.moved {
            Some(moved) => moved.pointer(self.range.start),
            None => self.pages.pointer(&self.range),
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        match self.moved {
            None => self.pages.check_home(self.range.clone()),
            Some(moved) => {
                let start = moved.pointer(self.range.start) as usize;
                moved.check_memory(start..start + self.range.len())
            }
        }
    }

    pub(super) fn read(&self, buffer: &mut [u8]) -> Result<()> {
        // An abandoned part has no memory any more.
        self.check()?;
        // SAFETY: the piece is mapped, here or where it was moved, and as long as `buffer`.
        unsafe { self.pointer().copy_to(buffer.as_mut_ptr(), buffer.len()) };
        self.check()
    }

    pub(super) fn write(&self, bytes: &[u8]) -> Result<()> {
        self.check()?;
        // SAFETY: as in `read`; `bytes` may lie in the moved part itself, when a plugin writes from its window.
        unsafe { self.pointer().copy_from(bytes.as_ptr(), bytes.len()) };
        self.check()
    }

    pub(super) fn fill(&self, byte: u8) -> Result<()> {
        self.check()?;
        // SAFETY: as in `read`.
        unsafe { self.pointer().write_bytes(byte, self.range.len()) };
        self.check()
    }
}
