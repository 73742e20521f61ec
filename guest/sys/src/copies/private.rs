//! Mappings whose changes stay in memory.

use std::io::Result;

use super::{Copies, Memory, PAGE, Source, page_of};

/// A private copy of a part of a file.
#[derive(Debug)]
pub struct Private<F: Source + 'static> {
    copies: &'static Copies<F>,
    file: F,
    /// The offset of the first page in the file.
    offset: u64,
    memory: Memory,
    /// The start of the mapping in the memory.
    within: usize,
}

impl<F: Source> Private<F> {
    /// Copies a part of a file.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`; those of reading the file.
    pub fn new(copies: &'static Copies<F>, file: F, offset: u64, len: usize) -> Result<Self> {
        let (offset, within) = page_of(offset);
        let whole = within.checked_add(len).ok_or_else(super::out_of_memory)?;
        let memory = {
            let mut extents = copies.lock();
            let group = extents.group(&file);
            extents.image(group, &file, offset, whole)?
        };
        Ok(Self { copies, file, offset, memory, within })
    }

    /// Returns the address of the copy.
    #[inline]
    #[must_use]
    pub fn ptr(&self) -> *mut u8 {
        // The address alone: it is within the memory, or one past its end.
        self.memory.ptr().wrapping_add(self.within)
    }

    /// Reads the pages of a range again, and loses their changes.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`; those of reading the file. Nothing has changed then.
    pub fn reset(&self, offset: usize, len: usize) -> Result<()> {
        let start = (self.within + offset) / PAGE * PAGE;
        let end = (self.within + offset + len).next_multiple_of(PAGE).min(self.memory.len());
        let mut extents = self.copies.lock();
        let group = extents.group(&self.file);
        let image = extents.image(group, &self.file, self.offset + start as u64, end - start)?;
        for at in start..end {
            self.memory.set(at, image.get(at - start));
        }
        Ok(())
    }
}
