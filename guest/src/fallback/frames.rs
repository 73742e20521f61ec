//! The cache's memory: frames that hold a page each, which one is where, and which one goes next.

use std::collections::HashMap;

use wasi_mmap_core::{Error, Result, zeroed};

use super::dirty::DirtyRanges;

/// Which page: the file's number in the cache, and the page's number in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) file: usize,
    pub(super) page: u64,
}

/// A page in memory.
#[derive(Debug)]
pub(super) struct Frame {
    key: Option<Key>,
    /// A page's size of bytes.
    pub(super) bytes: Box<[u8]>,
    /// How many of them the file had when they were read; what is behind is zeros.
    pub(super) filled: usize,
    pub(super) dirty: DirtyRanges,
    /// Whether it was used since the hand of the clock last passed.
    used: bool,
}

impl Frame {
    /// Forgets what lies from `end` on: the file ends there now.
    pub(super) fn cut(&mut self, end: usize) {
        if end < self.filled {
            self.filled = end;
        }
        if end < self.bytes.len() {
            self.dirty.cut(end);
            self.bytes[end..].fill(0);
        }
    }
}

/// All frames. Replacement is CLOCK (Corbató 1968).
#[derive(Debug)]
pub(super) struct Frames {
    frames: Vec<Frame>,
    by_key: HashMap<Key, usize>,
    page_size: usize,
    /// How many frames there may be.
    limit: usize,
    hand: usize,
}

impl Frames {
    pub(super) fn new(page_size: usize, limit: usize) -> Self {
        Self { frames: Vec::new(), by_key: HashMap::new(), page_size, limit, hand: 0 }
    }

    /// How many frames there may be.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// How many bytes the frames take.
    pub(super) fn memory(&self) -> usize {
        self.frames.len() * self.page_size
    }

    /// The frame that holds a page, which is used thereby.
    pub(super) fn find(&mut self, key: Key) -> Option<usize> {
        let index = *self.by_key.get(&key)?;
        self.frames[index].used = true;
        Some(index)
    }

    pub(super) fn get(&self, index: usize) -> &Frame {
        &self.frames[index]
    }

    pub(super) fn get_mut(&mut self, index: usize) -> &mut Frame {
        &mut self.frames[index]
    }

    /// A frame that holds nothing, for a page: a new one while the budget lasts, or one that `clean` could write back.
    ///
    /// # Errors
    ///
    /// What `clean` last answered, where every frame is dirty and none could be cleaned; `out-of-memory`.
    pub(super) fn take(&mut self, mut clean: impl FnMut(Key, &mut Frame) -> Result<()>) -> Result<usize> {
        if self.frames.len() < self.limit
            && let Ok(bytes) = zeroed(self.page_size as u64)
        {
            let bytes = bytes.into_boxed_slice();
            self.frames.push(Frame { key: None, bytes, filled: 0, dirty: DirtyRanges::default(), used: false });
            return Ok(self.frames.len() - 1);
        }
        let mut refusal = Error::OutOfMemory;
        // Twice round: the first time may do no more than take away the marks of use.
        for _ in 0..2 * self.frames.len() {
            let index = self.hand;
            self.hand = (index + 1) % self.frames.len();
            let frame = &mut self.frames[index];
            let Some(key) = frame.key else { return Ok(index) };
            if std::mem::take(&mut frame.used) {
                continue;
            }
            match clean(key, frame) {
                Ok(()) => {
                    self.release(index);
                    return Ok(index);
                }
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    /// Gives a frame to a page.
    pub(super) fn assign(&mut self, index: usize, key: Key, filled: usize) {
        let frame = &mut self.frames[index];
        frame.key = Some(key);
        frame.filled = filled;
        frame.used = true;
        self.by_key.insert(key, index);
    }

    /// Makes a frame hold nothing. What was dirty in it is lost.
    pub(super) fn release(&mut self, index: usize) {
        let frame = &mut self.frames[index];
        frame.dirty.clear();
        if let Some(key) = frame.key.take() {
            self.by_key.remove(&key);
        }
    }

    /// The frames of a file, in the order of the file.
    pub(super) fn of_file(&self, file: usize) -> Vec<(u64, usize)> {
        let frames = self.frames.iter().enumerate();
        let mut found: Vec<_> = frames
            .filter_map(|(index, frame)| frame.key.filter(|key| key.file == file).map(|key| (key.page, index)))
            .collect();
        found.sort_unstable();
        found
    }
}
