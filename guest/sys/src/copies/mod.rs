//! Mappings that are copies of a part of a file, for systems without mappings.
//!
//! | type | a mapping |
//! |---|---|
//! | [`Shared`] | whose changes reach the file, in memory that all mappings of the range share |
//! | [`Placed`] | the same, at an address that the caller chooses |
//! | [`Private`] | whose changes stay in memory |
//!
//! An extent is a range of whole pages of a file in memory. A mapping that lies within an extent shares its memory with
//! the other mappings there, as mappings of the system do. Extents of one file that overlap otherwise are separate;
//! when one is written back, the others take over its changes where they have none of their own.
//!
//! To find changes, an extent that can be written has an image of its bytes as they are in the file. Only bytes that
//! differ are written, so that what others write next to them stays.

mod extent;
#[cfg(target_os = "wasi")]
mod held;
mod memory;
mod placed;
#[cfg(test)]
mod placed_tests;
mod private;
mod shared;
#[cfg(test)]
mod tests;

use std::io::{ErrorKind, Result};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use extent::Extent;
#[cfg(target_os = "wasi")]
pub use held::{HeldSource, file_len, io_error, plugin_copies};
pub use memory::{Memory, PAGE, out_of_memory};
pub use placed::Placed;
pub use private::Private;
pub use shared::Shared;

/// An open file that copies are made of.
#[expect(clippy::len_without_is_empty, reason = "it is the length of the file, which a call asks for")]
pub trait Source {
    /// Reads bytes at an offset. Returns how many there were, and 0 at the end of the file.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<usize>;

    /// Writes bytes at an offset, and returns how many were written.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize>;

    /// Returns the length of the file in bytes.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn len(&self) -> Result<u64>;

    /// Writes everything to the storage device.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn sync(&self) -> Result<()>;

    /// Returns whether two open files are the same file. `false` if that is not known.
    fn is_same(&self, other: &Self) -> bool;
}

/// The extents of all files.
#[derive(Debug)]
pub struct Copies<F> {
    extents: Mutex<Extents<F>>,
}

#[derive(Debug)]
struct Extents<F> {
    all: Vec<Extent<F>>,
    /// The key of the next extent.
    next: u64,
}

impl<F: Source> Copies<F> {
    /// Makes a table without extents.
    #[expect(clippy::new_without_default, reason = "a table lives as long as the program")]
    #[must_use]
    pub const fn new() -> Self {
        Self { extents: Mutex::new(Extents { all: Vec::new(), next: 0 }) }
    }

    fn lock(&self) -> MutexGuard<'_, Extents<F>> {
        // Nothing panics halfway through a change.
        self.extents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what the extents of a file have changed in a range, before the program reads or writes the file itself.
    /// What cannot be written stays changed, so that a flush returns the error.
    pub fn before_io(&self, is_file: impl Fn(&F) -> bool, range: &Range<u64>) {
        let mut extents = self.lock();
        for index in 0..extents.all.len() {
            let extent = &extents.all[index];
            let overlap = extent.overlap(range.start, range.end);
            if let Some(file) = extent.writer()
                && !overlap.is_empty()
                && is_file(&extent.file)
            {
                let _ = extents.write_back(index, &file, overlap.start, overlap.end);
            }
        }
    }

    /// Reads a range of a file again, after the program has written to the file itself. What cannot be read stays as it
    /// is.
    pub fn after_write(&self, is_file: impl Fn(&F) -> bool, range: &Range<u64>) {
        for extent in self.lock().all.iter_mut() {
            let overlap = extent.overlap(range.start, range.end);
            if !overlap.is_empty() && is_file(&extent.file) {
                let file = extent.file.clone();
                let _ = extent.refresh(&file, extent.offset + overlap.start as u64, overlap.len());
            }
        }
    }

    /// Writes what all extents have changed, and forgets errors: for the end of the program, where mappings that were
    /// leaked are not dropped.
    pub fn write_back_all(&self) {
        let mut extents = self.lock();
        for index in 0..extents.all.len() {
            let extent = &extents.all[index];
            if let Some(file) = extent.writer() {
                let _ = extents.write_back(index, &file, 0, usize::MAX);
            }
        }
    }
}

impl<F: Source> Extents<F> {
    /// Returns the index of an extent.
    fn index(&self, key: u64) -> usize {
        self.all.iter().position(|extent| extent.key == key).expect("an extent stays while it is mapped")
    }

    /// Returns the key that extents of a file have in common, or a new one.
    fn group(&mut self, file: &F) -> u64 {
        match self.all.iter().find(|extent| extent.file.is_same(file)) {
            Some(extent) => extent.group,
            None => self.new_key(),
        }
    }

    fn new_key(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Returns the index of an extent that has a range, after reading the range again; or makes one.
    fn provide(&mut self, file: &Arc<F>, offset: u64, len: usize) -> Result<usize> {
        let group = self.group(file);
        // Memory that belongs to somebody else may go while this mapping has it.
        let has =
            |extent: &Extent<F>| extent.group == group && extent.contains(offset, len) && !extent.memory.is_borrowed();
        if let Some(index) = self.all.iter().position(has) {
            self.all[index].refresh(file, offset, len)?;
            return Ok(index);
        }
        let memory = self.image(group, file, offset, len)?;
        let key = self.new_key();
        self.all.push(Extent::new(key, group, file.clone(), offset, memory));
        Ok(self.all.len() - 1)
    }

    /// Reads a range of a file, which starts at a page, with the changes that extents have not written yet.
    fn image(&self, group: u64, file: &F, offset: u64, len: usize) -> Result<Memory> {
        let mut memory = Memory::new(len)?;
        self.fill(&mut memory, group, file, offset)?;
        Ok(memory)
    }

    /// Fills memory that has only zeros, as [`image`](Self::image).
    fn fill(&self, memory: &mut Memory, group: u64, file: &F, offset: u64) -> Result<()> {
        read(file, memory.bytes_mut(), offset)?;
        for extent in self.all.iter().filter(|extent| extent.group == group) {
            extent.overlay(memory, offset);
        }
        Ok(())
    }

    /// Removes an extent.
    fn remove(&mut self, key: u64) {
        let index = self.index(key);
        self.all.swap_remove(index);
    }

    /// Writes the changes in a range of an extent to the file, up to its end, and gives them to the other extents.
    fn write_back(&mut self, index: usize, file: &F, start: usize, end: usize) -> Result<()> {
        let (group, offset) = (self.all[index].group, self.all[index].offset);
        // Bytes past the end of the file stay in memory, and are written if the file becomes longer.
        let there = usize::try_from(file.len()?.saturating_sub(offset)).unwrap_or(usize::MAX);
        let end = end.min(there);
        let mut block = [0; extent::BLOCK];
        let mut at = start;
        while let Some(change) = self.all[index].next_change(at, end, &mut block) {
            let bytes = &block[..change.len()];
            let count = file.write_at(bytes, offset + change.start as u64)?.min(bytes.len());
            if count == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
            let written = &bytes[..count];
            self.all[index].wrote(change.start, written);
            let position = offset + change.start as u64;
            for other in self.all.iter_mut().filter(|other| other.group == group) {
                other.take_over(position, written);
            }
            at = change.start + count;
        }
        Ok(())
    }
}

/// Reads bytes at an offset, up to the end of the file. The rest stays as it is.
fn read(file: &impl Source, bytes: &mut [u8], offset: u64) -> Result<usize> {
    let mut done = 0;
    while done < bytes.len() {
        let at = offset.checked_add(done as u64).ok_or(ErrorKind::InvalidInput)?;
        match file.read_at(&mut bytes[done..], at) {
            Ok(0) => break,
            Ok(count) => done += count.min(bytes.len() - done),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Returns the offset of the page that a range of a file starts in, and the distance from there to the range.
fn page_of(offset: u64) -> (u64, usize) {
    let within = offset % PAGE as u64;
    (offset - within, usize::try_from(within).expect("less than a page"))
}
