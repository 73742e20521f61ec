//! Small changes to pages that have no frame. They are kept as they came, and take no more memory than they have bytes, until the
//! page gets a frame or they are written back.

use std::collections::HashMap;
use std::ops::Range;

use rustc_hash::FxBuildHasher;
use wasi_mmap_core::{Error, Result};

use super::frames::{Blocks, Frame, Key};

/// The changes to one page, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Where each starts in the page, and how many of the bytes it has.
    places: Vec<(usize, usize)>,
    /// Their bytes, one after the other.
    bytes: Vec<u8>,
    /// Which blocks were seen to be in the file.
    there: Blocks,
}

/// What a change takes in memory besides its bytes.
const PLACE: usize = size_of::<(usize, usize)>();

impl Changes {
    fn memory(&self) -> usize {
        self.bytes.len() + self.places.len() * PLACE
    }

    fn add(&mut self, start: usize, bytes: &[u8]) -> Result<()> {
        self.places.try_reserve(1).map_err(|_| Error::OutOfMemory)?;
        self.bytes.try_reserve(bytes.len()).map_err(|_| Error::OutOfMemory)?;
        self.places.push((start, bytes.len()));
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let mut rest = &self.bytes[..];
        self.places.iter().map(move |&(start, len)| {
            let (bytes, tail) = rest.split_at(len);
            rest = tail;
            (start, bytes)
        })
    }

    /// Makes the changes in the page's frame.
    pub(super) fn make(&self, frame: &mut Frame) {
        frame.there = frame.there.and(self.there);
        for (start, bytes) in self.iter() {
            frame.change(start..start + bytes.len(), bytes);
        }
    }
}

/// The changes to all pages that have some and no frame.
#[derive(Debug, Default)]
pub(super) struct Patches {
    pages: HashMap<Key, Changes, FxBuildHasher>,
    memory: usize,
}

impl Patches {
    /// How many bytes they take.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    /// How many bytes those of a page take.
    pub(super) fn memory_of(&self, key: Key) -> usize {
        self.pages.get(&key).map_or(0, Changes::memory)
    }

    /// Which blocks of a page were seen to be in the file.
    pub(super) fn there(&self, key: Key) -> Blocks {
        self.pages.get(&key).map(|changes| changes.there).unwrap_or_default()
    }

    /// Remembers that blocks of a page with changes were seen to be in the file.
    pub(super) fn see(&mut self, key: Key, blocks: Range<usize>) {
        if let Some(changes) = self.pages.get_mut(&key) {
            changes.there.add(blocks);
        }
    }

    /// How many bytes a change of so many bytes takes.
    pub(super) fn cost(len: usize) -> usize {
        len + PLACE
    }

    /// Adds a change, which starts at `start` in its page.
    ///
    /// # Errors
    ///
    /// `out-of-memory`.
    pub(super) fn add(&mut self, key: Key, start: usize, bytes: &[u8]) -> Result<()> {
        self.pages.entry(key).or_default().add(start, bytes)?;
        self.memory += Self::cost(bytes.len());
        Ok(())
    }

    /// Removes the changes to a page.
    pub(super) fn take(&mut self, key: Key) -> Option<Changes> {
        let changes = self.pages.remove(&key)?;
        self.memory -= changes.memory();
        Some(changes)
    }

    /// Keeps what is dirty in a frame, which goes.
    ///
    /// # Errors
    ///
    /// `out-of-memory`.
    pub(super) fn keep(&mut self, key: Key, frame: &Frame) -> Result<()> {
        frame.dirty.iter().try_for_each(|range| self.add(key, range.start, &frame.bytes[range]))
    }

    /// Forgets what lies from `end` on in a page.
    pub(super) fn cut(&mut self, key: Key, end: usize) {
        let Some(changes) = self.take(key) else { return };
        for (start, bytes) in changes.iter().filter(|(start, _)| *start < end) {
            let kept = &bytes[..bytes.len().min(end - start)];
            self.add(key, start, kept).expect("no more memory than there was");
        }
    }

    /// The pages of a file that have changes here, in no order.
    pub(super) fn of_file(&self, file: usize) -> impl Iterator<Item = u64> {
        self.pages.keys().filter(move |key| key.file == file).map(|key| key.page)
    }

    /// A file that has changes here.
    pub(super) fn any_file(&self) -> Option<usize> {
        self.pages.keys().map(|key| key.file).next()
    }
}
