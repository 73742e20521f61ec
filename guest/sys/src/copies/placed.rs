//! Mappings at addresses that the caller chooses.

use std::io::{Result, Write};
use std::ptr::NonNull;
use std::sync::Arc;

use super::extent::Extent;
use super::{Copies, Memory, Source};

/// A mapping of whole pages of a file, in memory that belongs to the caller. Dropping it writes its changes back, and
/// leaves the memory as it is.
#[derive(Debug)]
pub struct Placed<F: Source + 'static> {
    copies: &'static Copies<F>,
    key: u64,
    file: Arc<F>,
    len: usize,
    can_write: bool,
}

impl<F: Source> Placed<F> {
    /// Returns the address of memory in which placed mappings show a range of a file, if there is one for the whole
    /// range. It may be that of several mappings, one behind the other. The range starts at a page.
    #[must_use]
    pub fn find(copies: &'static Copies<F>, file: &F, offset: u64, len: usize) -> Option<*mut u8> {
        let mut extents = copies.lock();
        let group = extents.group(file);
        let end = offset.checked_add(len as u64)?;
        let piece = |offset: u64| {
            let has = |extent: &&Extent<F>| extent.can_be_found && extent.group == group && extent.contains(offset, 1);
            let extent = extents.all.iter().find(has)?;
            let within = usize::try_from(offset - extent.offset).ok()?;
            Some((extent.memory.ptr().wrapping_add(within), extent.offset + extent.memory.len() as u64))
        };
        let (start, mut at) = piece(offset)?;
        while at < end {
            let (next, end_of_piece) = piece(at)?;
            let distance = usize::try_from(at - offset).ok()?;
            if next != start.wrapping_add(distance) {
                return None;
            }
            at = end_of_piece;
        }
        Some(start)
    }

    /// Maps a part of a file, which starts at a page. If `can_be_found`, [`find`](Self::find) finds it.
    ///
    /// # Safety
    ///
    /// The memory has `len` bytes, which are whole pages and zeros. As long as the mapping exists, it stays, and only
    /// the users of the mapping have references to it.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`; those of reading the file. The contents of the memory are unspecified then.
    pub unsafe fn new(
        copies: &'static Copies<F>,
        file: Arc<F>,
        offset: u64,
        start: NonNull<u8>,
        len: usize,
        can_write: bool,
        can_be_found: bool,
    ) -> Result<Self> {
        let mut extents = copies.lock();
        let group = extents.group(&file);
        // SAFETY: the contract is the caller's.
        let mut memory = unsafe { Memory::borrowed(start, len) };
        extents.fill(&mut memory, group, &file, offset)?;
        let key = extents.new_key();
        let mut extent = Extent::new(key, group, file.clone(), offset, memory);
        if can_write {
            extent.add_writer(&file)?;
        }
        extent.mappings = 1;
        extent.can_be_found = can_be_found;
        extents.all.push(extent);
        Ok(Self { copies, key, file, len, can_write })
    }

    /// Returns the file that the mapping was made of.
    #[must_use]
    pub fn file(&self) -> &Arc<F> {
        &self.file
    }

    /// Cuts off what lies behind an offset, which is a multiple of the page, and returns it as a mapping of its own.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`: nothing has changed then.
    ///
    /// # Panics
    ///
    /// Panics if the offset is not within the mapping.
    pub fn split_off(&mut self, at: usize) -> Result<Self> {
        assert!(at > 0 && at < self.len);
        let mut extents = self.copies.lock();
        let key = extents.new_key();
        let index = extents.index(self.key);
        let rest = extents.all[index].split_off(at, key)?;
        extents.all.push(rest);
        let len = self.len - at;
        self.len = at;
        Ok(Self { copies: self.copies, key, file: self.file.clone(), len, can_write: self.can_write })
    }

    /// Makes the mapping one that writes with `file`, which is the same file as that of the mapping, and is open for
    /// writing.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`: nothing has changed then.
    pub fn make_mut(&mut self, file: &Arc<F>) -> Result<()> {
        if !self.can_write {
            let mut extents = self.copies.lock();
            let index = extents.index(self.key);
            extents.all[index].add_writer(file)?;
            self.file = file.clone();
            self.can_write = true;
        }
        Ok(())
    }

    /// Writes the changes in a range back, and waits for the storage device if `wait`. Bytes that could not be written
    /// stay changed, and a later call tries again.
    ///
    /// # Errors
    ///
    /// Those of writing the file.
    pub fn flush(&self, offset: usize, len: usize, wait: bool) -> Result<()> {
        if !self.can_write {
            return Ok(());
        }
        let mut extents = self.copies.lock();
        let index = extents.index(self.key);
        extents.write_back(index, &self.file, offset, offset.saturating_add(len))?;
        drop(extents);
        if wait { self.file.sync() } else { Ok(()) }
    }

    /// Reads a range of the file again, where it has no changes.
    ///
    /// # Errors
    ///
    /// Those of reading the file. A part of the range may have been read then.
    pub fn refresh(&self, offset: usize, len: usize) -> Result<()> {
        let mut extents = self.copies.lock();
        let index = extents.index(self.key);
        let extent = &mut extents.all[index];
        let start = extent.offset + offset as u64;
        extent.refresh(&self.file, start, len)
    }
}

impl<F: Source> Drop for Placed<F> {
    fn drop(&mut self) {
        let outcome = self.flush(0, self.len, false);
        self.copies.lock().remove(self.key);
        if let Err(error) = outcome {
            // Nobody can be told otherwise. If standard error cannot be written, nobody at all.
            let _ = writeln!(
                std::io::stderr(),
                "wasi-mmap: a mapping was removed, and its changes could not be written: {error}"
            );
        }
    }
}
