//! Pages of which some lie elsewhere for the time being, in a window: how they are reached meanwhile.

use std::ops::Range;

use wasi_mmap_core::Result;

use super::Pages;
use crate::os::Attached;

impl Pages {
    /// [`read`](Self::read) for pages that are not all where they belong.
    #[cold]
    pub(super) fn read_pieces(&self, start: usize, buffer: &mut [u8]) -> Result<()> {
        let mut pieces = self.pieces(start..start + buffer.len());
        pieces.try_for_each(|piece| piece.read(&mut buffer[piece.range_from(start)]))
    }

    /// [`write`](Self::write) for pages that are not all where they belong.
    #[cold]
    pub(super) fn write_pieces(&self, start: usize, bytes: &[u8]) -> Result<()> {
        let mut pieces = self.pieces(start..start + bytes.len());
        pieces.try_for_each(|piece| piece.write(&bytes[piece.range_from(start)]))
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
            None => self.pages.map.check(self.range.clone()),
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
