//! Access to pages of which some are in a window: segment by segment.

use std::ops::Range;

use wasi_mmap_core::Result;

use crate::sys::OsMapping;
use crate::window::Window;

/// Returns the segments of a range in order. `windows` are those that hold pages of the mapping.
pub(super) fn segments<'a>(
    mapping: &'a OsMapping,
    windows: &'a [Window],
    range: Range<usize>,
) -> impl Iterator<Item = Segment<'a>> {
    let mut rest = range;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        // The segment is the first part of the rest that is in a window, or whatever precedes that part.
        let parts = windows.iter().map(|window| (window, window.intersection(&rest)));
        let first = parts.filter(|(_, part)| !part.is_empty()).min_by_key(|(_, part)| part.start);
        let (window, end) = match first {
            Some((window, part)) if part.start == rest.start => (Some(window), part.end),
            Some((_, part)) => (None, part.start),
            None => (None, rest.end),
        };
        let range = rest.start..end;
        rest.start = end;
        Some(Segment { mapping, window, range })
    })
}

/// A part of a mapping that is contiguous in memory.
pub(super) struct Segment<'a> {
    mapping: &'a OsMapping,
    /// The window that holds the pages, if one does.
    window: Option<&'a Window>,
    range: Range<usize>,
}

impl Segment<'_> {
    /// Returns the segment's range in a buffer that begins with the byte at `start`.
    pub(super) fn range_from(&self, start: usize) -> Range<usize> {
        self.range.start - start..self.range.end - start
    }

    fn pointer(&self) -> *mut u8 {
        match self.window {
            Some(window) => window.pointer(self.range.start),
            None => self.mapping.pointer(&self.range),
        }
    }

    /// Returns an error if a part of the segment was lost. Must be called after the access that it is to vouch for.
    pub(super) fn check(&self) -> Result<()> {
        match self.window {
            None => self.mapping.check(self.range.clone()),
            Some(window) => {
                let start = window.pointer(self.range.start) as usize;
                window.check_addresses(start..start + self.range.len())
            }
        }
    }

    /// Copies the segment to `buffer`, which has the same length.
    pub(super) fn read(&self, buffer: &mut [u8]) -> Result<()> {
        // An abandoned window has no memory any more.
        self.check()?;
        // SAFETY: the segment is mapped, in the mapping or in a window that is attached, as just checked, and as long
        // as `buffer`.
        unsafe { self.pointer().copy_to(buffer.as_mut_ptr(), buffer.len()) };
        self.check()
    }

    /// Copies `bytes`, which have the same length, to the segment.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<()> {
        self.check()?;
        // SAFETY: as in `read`. `bytes` may lie in the window itself, if a plugin writes from there: the copy may
        // overlap.
        unsafe { self.pointer().copy_from(bytes.as_ptr(), bytes.len()) };
        self.check()
    }

    /// Sets all bytes of the segment.
    pub(super) fn fill(&self, byte: u8) -> Result<()> {
        self.check()?;
        // SAFETY: as in `read`.
        unsafe { self.pointer().write_bytes(byte, self.range.len()) };
        self.check()
    }
}
