//! Searches through bytes that come in chunks.

use std::ops::Range;

use memchr::memmem;

/// An iterator over the chunks of a range to be searched, each of which overlaps the one before, so that no occurrence
/// of the needle is cut.
///
/// Every position at which the needle can start lies in one chunk together with the whole needle. The chunks come in
/// the order of the search, so the first chunk with an occurrence has the result. With a needle of 1 byte, the chunks
/// do not overlap.
///
/// # Example
///
/// ```
/// use wasi_mmap_core::Chunks;
///
/// // A needle of 3 bytes in 0..10, 4 positions per chunk.
/// let chunks: Vec<_> = Chunks::forward(0..10, 3, 4).collect();
/// assert_eq!(chunks, [0..6, 4..10]);
/// ```
#[derive(Debug, Clone)]
pub struct Chunks {
    /// The positions that are left: the offsets at which the needle can start.
    starts: Range<u64>,
    /// The number of bytes of a chunk after its last position: the length of the needle, less one.
    overlap: u64,
    /// The number of positions in a chunk.
    step: u64,
    direction: Direction,
}

/// The direction of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the start to the end.
    Forward,
    /// From the end to the start.
    Backward,
}

impl Chunks {
    /// Returns the chunks from the start of `range` to its end, of `step` positions each.
    pub fn forward(range: Range<u64>, needle: u64, step: u64) -> Self {
        Self::new(range, needle, step, Direction::Forward)
    }

    /// Returns the chunks from the end of `range` to its start, of `step` positions each.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_core::Chunks;
    ///
    /// let chunks: Vec<_> = Chunks::backward(0..10, 3, 4).collect();
    /// assert_eq!(chunks, [4..10, 0..6]);
    /// ```
    pub fn backward(range: Range<u64>, needle: u64, step: u64) -> Self {
        Self::new(range, needle, step, Direction::Backward)
    }

    /// Returns whether the chunks come from the start of the range to its end.
    pub(crate) fn is_forward(&self) -> bool {
        self.direction == Direction::Forward
    }

    /// Returns the chunks of `range` in a direction, of `step` positions each.
    pub fn new(range: Range<u64>, needle: u64, step: u64, direction: Direction) -> Self {
        let overlap = needle.saturating_sub(1);
        // Empty if the needle does not fit.
        let end = range.end.saturating_sub(overlap).max(range.start);
        Self { starts: range.start..end, overlap, step: step.max(1), direction }
    }
}

impl Iterator for Chunks {
    type Item = Range<u64>;

    fn next(&mut self) -> Option<Range<u64>> {
        let Range { start, end } = self.starts;
        if start >= end {
            return None;
        }
        let step = self.step.min(end - start);
        let positions = match self.direction {
            Direction::Forward => {
                self.starts.start = start + step;
                start..start + step
            }
            Direction::Backward => {
                self.starts.end = end - step;
                end - step..end
            }
        };
        Some(positions.start..positions.end + self.overlap)
    }
}

/// A search through bytes that are fed to it in chunks, in order and without overlap.
///
/// # Example
///
/// ```
/// let mut search = wasi_mmap_core::Search::new(b"across");
/// assert_eq!(search.feed(b"a word acr"), None);
/// assert_eq!(search.feed(b"oss chunks"), Some(7));
/// ```
#[derive(Debug)]
pub struct Search<'n> {
    finder: memmem::Finder<'n>,
    /// The end of the bytes so far, in which the needle can start.
    carry: Vec<u8>,
    /// The number of bytes so far.
    seen: u64,
}

impl<'n> Search<'n> {
    /// Starts a search for `needle`, which must not be empty.
    pub fn new(needle: &'n [u8]) -> Self {
        Self { finder: memmem::Finder::new(needle), carry: Vec::new(), seen: 0 }
    }

    /// Searches the next chunk, and returns the offset of the first occurrence in all the bytes so far.
    pub fn feed(&mut self, bytes: &[u8]) -> Option<u64> {
        let overlap = self.finder.needle().len() - 1;
        let carried = self.carry.len();
        if carried > 0 {
            self.carry.extend_from_slice(&bytes[..overlap.min(bytes.len())]);
            if let Some(at) = self.finder.find(&self.carry) {
                return Some(self.seen - carried as u64 + at as u64);
            }
        }
        if let Some(at) = self.finder.find(bytes) {
            return Some(self.seen + at as u64);
        }
        self.seen += bytes.len() as u64;
        if bytes.len() >= overlap {
            self.carry.clear();
            self.carry.extend_from_slice(&bytes[bytes.len() - overlap..]);
        } else {
            if carried == 0 {
                self.carry.extend_from_slice(bytes);
            }
            self.carry.drain(..self.carry.len().saturating_sub(overlap));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_of_any_size_give_the_same_result() {
        let bytes: Vec<u8> = (0..400u32).map(|at| b"ab"[(at * at / 7 % 2) as usize]).collect();
        for needle in [&b"a"[..], b"ab", b"abba", b"aabbaabb", &bytes[90..130], &bytes[380..], b"abc"] {
            let expected = memmem::find(&bytes, needle).map(|at| at as u64);
            for size in [1, 2, 3, 5, 7, 16, 39, 41, 100, 400] {
                let mut search = Search::new(needle);
                let found = bytes.chunks(size).find_map(|chunk| search.feed(chunk));
                assert_eq!(found, expected, "{needle:?} in chunks of {size}");
            }
        }
    }
}
