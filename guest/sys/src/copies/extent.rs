//! A range of a file in memory.

use std::io::Result;
use std::ops::Range;
use std::sync::Arc;

use super::{Memory, Source, out_of_memory, read};

/// The number of bytes that are compared, read or written at a time.
pub(super) const BLOCK: usize = 16 << 10;

/// A range of whole pages of a file.
#[derive(Debug)]
pub(super) struct Extent<F> {
    pub(super) key: u64,
    /// The key that all extents of the file have in common.
    pub(super) group: u64,
    /// The file, as the first mapping had it. It keeps the identity of the file from being reused.
    pub(super) file: Arc<F>,
    pub(super) offset: u64,
    pub(super) memory: Memory,
    /// The bytes as they are in the file. `None` while no mapping can write: they are those of the memory then.
    before: Option<Vec<u8>>,
    /// The number of mappings.
    pub(super) mappings: usize,
    /// The files of the mappings that can write.
    writers: Vec<Arc<F>>,
    /// Other mappings may show the same memory: see [`Placed::find`](super::Placed::find).
    pub(super) can_be_found: bool,
}

impl<F: Source> Extent<F> {
    pub(super) fn new(key: u64, group: u64, file: Arc<F>, offset: u64, memory: Memory) -> Self {
        Self { key, group, file, offset, memory, before: None, mappings: 0, writers: Vec::new(), can_be_found: false }
    }

    /// Cuts off what lies behind an offset, and returns it as an extent of its own with a new key.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`: nothing has changed then.
    pub(super) fn split_off(&mut self, at: usize, key: u64) -> Result<Self> {
        let mut before = None;
        if let Some(present) = &mut self.before {
            let mut rest = Vec::new();
            rest.try_reserve_exact(present.len() - at).map_err(|_| out_of_memory())?;
            rest.extend_from_slice(&present[at..]);
            present.truncate(at);
            present.shrink_to_fit();
            before = Some(rest);
        }
        Ok(Self {
            key,
            group: self.group,
            file: self.file.clone(),
            offset: self.offset + at as u64,
            memory: self.memory.split_off(at),
            before,
            mappings: self.mappings,
            writers: self.writers.clone(),
            can_be_found: self.can_be_found,
        })
    }

    /// Returns whether a range of the file lies within the extent.
    pub(super) fn contains(&self, offset: u64, len: usize) -> bool {
        let within = offset.checked_sub(self.offset).and_then(|within| usize::try_from(within).ok());
        within.and_then(|within| self.memory.len().checked_sub(within)).is_some_and(|rest| len <= rest)
    }

    /// Returns the part of the extent that a range of the file covers, which may be empty.
    pub(super) fn overlap(&self, start: u64, end: u64) -> Range<usize> {
        let len = self.memory.len();
        let index = |offset: u64| usize::try_from(offset.saturating_sub(self.offset)).unwrap_or(len).min(len);
        index(start)..index(end)
    }

    /// Adds a mapping that can write with a file.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`: nothing has changed then.
    pub(super) fn add_writer(&mut self, file: &Arc<F>) -> Result<()> {
        if self.before.is_none() {
            let mut before = Vec::new();
            before.try_reserve_exact(self.memory.len()).map_err(|_| out_of_memory())?;
            before.resize(self.memory.len(), 0);
            self.memory.copy_to(0, &mut before);
            self.before = Some(before);
        }
        self.writers.push(file.clone());
        Ok(())
    }

    /// Removes a mapping that can write.
    pub(super) fn remove_writer(&mut self, file: &Arc<F>) {
        if let Some(index) = self.writers.iter().position(|writer| Arc::ptr_eq(writer, file)) {
            self.writers.swap_remove(index);
        }
    }

    /// Returns a file to write with.
    pub(super) fn writer(&self) -> Option<Arc<F>> {
        self.writers.first().cloned()
    }

    /// Copies the bytes that were changed and not written yet to an image of another range of the file.
    pub(super) fn overlay(&self, image: &mut Memory, offset: u64) {
        let Some(before) = &self.before else { return };
        for at in self.overlap(offset, offset.saturating_add(image.len() as u64)) {
            let byte = self.memory.get(at);
            if byte != before[at] {
                let position = self.offset + at as u64;
                image.set(usize::try_from(position - offset).expect("within the image"), byte);
            }
        }
    }

    /// Finds the next run of changed bytes in a range, and copies it to the start of `block`, as far as it fits.
    pub(super) fn next_change(&self, start: usize, end: usize, block: &mut [u8; BLOCK]) -> Option<Range<usize>> {
        let before = self.before.as_ref()?;
        let end = end.min(before.len());
        let mut at = start;
        while at < end {
            let bytes = &mut block[..(end - at).min(BLOCK)];
            self.memory.copy_to(at, bytes);
            let before = &before[at..at + bytes.len()];
            let is_changed = |index: &usize| bytes[*index] != before[*index];
            if *bytes != *before
                && let Some(first) = (0..bytes.len()).find(is_changed)
            {
                let last = (first..bytes.len()).find(|index| !is_changed(index)).unwrap_or(bytes.len());
                block.copy_within(first..last, 0);
                return Some(at + first..at + last);
            }
            at += bytes.len();
        }
        None
    }

    /// Notes that bytes were written to the file.
    pub(super) fn wrote(&mut self, at: usize, bytes: &[u8]) {
        if let Some(before) = &mut self.before {
            before[at..at + bytes.len()].copy_from_slice(bytes);
        }
    }

    /// Takes over bytes that the file has now, where the extent has no changes of its own.
    pub(super) fn take_over(&mut self, offset: u64, bytes: &[u8]) {
        for at in self.overlap(offset, offset.saturating_add(bytes.len() as u64)) {
            let position = self.offset + at as u64;
            let byte = bytes[usize::try_from(position - offset).expect("within the bytes")];
            let present = self.memory.get(at);
            let is_changed = self.before.as_ref().is_some_and(|before| before[at] != present);
            if let Some(before) = &mut self.before {
                before[at] = byte;
            }
            if !is_changed && present != byte {
                self.memory.set(at, byte);
            }
        }
    }

    /// Reads a range again, and takes over what the file has now. Past its end, that is zeros.
    pub(super) fn refresh(&mut self, file: &F, offset: u64, len: usize) -> Result<()> {
        let mut block = [0; BLOCK];
        let mut done = 0;
        while done < len {
            let bytes = &mut block[..(len - done).min(BLOCK)];
            let at = offset + done as u64;
            let count = read(file, bytes, at)?;
            bytes[count..].fill(0);
            self.take_over(at, bytes);
            done += bytes.len();
        }
        Ok(())
    }
}
