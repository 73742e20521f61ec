//! Mappings whose changes reach the file.

use std::io::{Result, Write};
use std::sync::Arc;

use super::{Copies, PAGE, Source, page_of};

/// A mapping of a part of a file, in an extent that others may share. Dropping it writes its changes back.
#[derive(Debug)]
pub struct Shared<F: Source + 'static> {
    copies: &'static Copies<F>,
    key: u64,
    file: Arc<F>,
    ptr: *mut u8,
    /// The start of the mapping in its extent.
    within: usize,
    len: usize,
    can_write: bool,
}

// SAFETY: the pointer is to memory that belongs to no thread, and stays while the mapping is counted in its extent.
unsafe impl<F: Source + Send + Sync> Send for Shared<F> {}
// SAFETY: as above; `&Shared` alone reads the bytes only to write them back.
unsafe impl<F: Source + Send + Sync> Sync for Shared<F> {}

impl<F: Source> Shared<F> {
    /// Maps a part of a file.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`; those of reading the file. Nothing is kept then.
    pub fn new(copies: &'static Copies<F>, file: F, offset: u64, len: usize, can_write: bool) -> Result<Self> {
        let file = Arc::new(file);
        let (first, within) = page_of(offset);
        let whole = within.checked_add(len).and_then(|len| len.checked_next_multiple_of(PAGE));
        let whole = whole.ok_or_else(super::out_of_memory)?;
        let mut extents = copies.lock();
        let index = extents.provide(&file, first, whole)?;
        let extent = &mut extents.all[index];
        if can_write && let Err(error) = extent.add_writer(&file) {
            if extent.mappings == 0 {
                extents.all.swap_remove(index);
            }
            return Err(error);
        }
        extent.mappings += 1;
        let within = within + usize::try_from(first - extent.offset).expect("the range is within the extent");
        // The address alone: it is within the extent, or one past its end.
        let ptr = extent.memory.ptr().wrapping_add(within);
        Ok(Self { copies, key: extent.key, file, ptr, within, len, can_write })
    }

    /// Returns the address of the mapping.
    #[inline]
    #[must_use]
    pub fn ptr(&self) -> *mut u8 {
        self.ptr
    }

    /// Makes the mapping one that writes to the file. The caller has checked that the file allows it.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`: nothing has changed then.
    pub fn make_mut(&mut self) -> Result<()> {
        if !self.can_write {
            let mut extents = self.copies.lock();
            let index = extents.index(self.key);
            extents.all[index].add_writer(&self.file)?;
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
        self.write_back(offset, len)?;
        if wait { self.file.sync() } else { Ok(()) }
    }

    fn write_back(&self, offset: usize, len: usize) -> Result<()> {
        let mut extents = self.copies.lock();
        let index = extents.index(self.key);
        let start = self.within + offset;
        extents.write_back(index, &self.file, start, start + len)
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
        let start = extent.offset + (self.within + offset) as u64;
        extent.refresh(&self.file, start, len)
    }
}

impl<F: Source> Drop for Shared<F> {
    fn drop(&mut self) {
        let outcome = if self.can_write { self.write_back(0, self.len) } else { Ok(()) };
        let mut extents = self.copies.lock();
        let index = extents.index(self.key);
        let extent = &mut extents.all[index];
        if self.can_write {
            extent.remove_writer(&self.file);
        }
        extent.mappings -= 1;
        if extent.mappings == 0 {
            extents.all.swap_remove(index);
        }
        drop(extents);
        if let Err(error) = outcome {
            // Nobody can be told otherwise. If standard error cannot be written, nobody at all.
            let _ = writeln!(
                std::io::stderr(),
                "wasi-mmap: a mapping was dropped, and its changes could not be written: {error}"
            );
        }
    }
}
