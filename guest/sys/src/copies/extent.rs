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
    /// The bytes as they are in the file; those past its end are zeros. `None` while no mapping can write: they are those
    /// of the memory then.
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
            let behind = present.get(at..).unwrap_or_default();
            let mut rest = Vec::new();
            rest.try_reserve_exact(behind.len()).map_err(|_| out_of_memory())?;
            rest.extend_from_slice(behind);
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
    /// `OutOfMemory`; those of the file: nothing has changed then.
    pub(super) fn add_writer(&mut self, file: &Arc<F>) -> Result<()> {
        if self.before.is_none() {
            // A mapping may be much longer than its file.
            let there = file.len()?.saturating_sub(self.offset);
            let len = usize::try_from(there).unwrap_or(usize::MAX).min(self.memory.len());
            let mut before = Vec::new();
            before.try_reserve_exact(len).map_err(|_| out_of_memory())?;
            before.resize(len, 0);
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
        let overlap = self.overlap(offset, offset.saturating_add(image.len() as u64));
        let mut block = [0; BLOCK];
        let mut at = overlap.start;
        while let Some(change) = self.next_change(at, overlap.end, &mut block) {
            let position = self.offset + change.start as u64;
            let start = usize::try_from(position - offset).expect("within the image");
            for (index, byte) in block[..change.len()].iter().enumerate() {
                image.set(start + index, *byte);
            }
            at = change.end;
        }
    }

    /// Finds the next run of changed bytes in a range, and copies it to the start of `block`, as far as it fits.
    pub(super) fn next_change(&self, start: usize, end: usize, block: &mut [u8; BLOCK]) -> Option<Range<usize>> {
        let before = self.before.as_ref()?;
        let end = end.min(self.memory.len());
        let mut at = start;
        while at < end {
            let bytes = &mut block[..(end - at).min(BLOCK)];
            self.memory.copy_to(at, bytes);
            let before = part(before, at, bytes.len());
            let is_changed = |index: &usize| bytes[*index] != before.get(*index).copied().unwrap_or(0);
            if !is_same(bytes, before)
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

    /// Notes that bytes are in the file.
    pub(super) fn wrote(&mut self, at: usize, bytes: &[u8]) {
        let Some(before) = &mut self.before else { return };
        let end = at + bytes.len();
        if end > before.len() && bytes.iter().any(|byte| *byte != 0) {
            // Without room for it, the bytes count as changed, and are written once more.
            if before.try_reserve(end - before.len()).is_err() {
                return;
            }
            before.resize(end, 0);
        }
        let known = before.len().saturating_sub(at).min(bytes.len());
        if known > 0 {
            before[at..at + known].copy_from_slice(&bytes[..known]);
        }
    }

    /// Takes over bytes that the file has now, where the extent has no changes of its own.
    pub(super) fn take_over(&mut self, offset: u64, bytes: &[u8]) {
        let overlap = self.overlap(offset, offset.saturating_add(bytes.len() as u64));
        if overlap.is_empty() {
            return;
        }
        let first = usize::try_from(self.offset + overlap.start as u64 - offset).expect("within the bytes");
        let bytes = &bytes[first..first + overlap.len()];
        let mut block = [0; BLOCK];
        for (index, new) in bytes.chunks(BLOCK).enumerate() {
            let start = overlap.start + index * BLOCK;
            let present = &mut block[..new.len()];
            self.memory.copy_to(start, present);
            let before = self.before.as_ref().map(|before| part(before, start, new.len()));
            if before.is_none_or(|before| is_same(new, before)) && present == new {
                continue;
            }
            for (index, (present, new)) in present.iter().zip(new).enumerate() {
                let before = before.map_or(*present, |before| before.get(index).copied().unwrap_or(0));
                if before == *present && present != new {
                    self.memory.set(start + index, *new);
                }
            }
            self.wrote(start, new);
        }
    }

    /// Reads a range again, and takes over what the file has now. Past its end, that is zeros.
    pub(super) fn refresh(&mut self, file: &F, offset: u64, len: usize) -> Result<()> {
        let mut block = [0; BLOCK];
        let (mut done, mut is_past_end) = (0, false);
        while done < len {
            let bytes = &mut block[..(len - done).min(BLOCK)];
            let at = offset + done as u64;
            let count = if is_past_end { 0 } else { read(file, bytes, at)? };
            is_past_end = count < bytes.len();
            bytes[count..].fill(0);
            self.take_over(at, bytes);
            done += bytes.len();
        }
        Ok(())
    }
}

/// Returns a part of the bytes that a file had, which may be shorter: the rest is zeros.
fn part(before: &[u8], at: usize, len: usize) -> &[u8] {
    &before[at.min(before.len())..(at + len).min(before.len())]
}

/// Returns whether bytes are those that a file had.
fn is_same(bytes: &[u8], before: &[u8]) -> bool {
    let (known, past_end) = bytes.split_at(before.len());
    known == before && past_end.iter().all(|byte| *byte == 0)
}
