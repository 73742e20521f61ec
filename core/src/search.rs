//! Search through bytes that are not all at hand at once.

use std::ops::Range;

use memchr::memmem;

/// Cuts the range of a search into pieces, each overlapping the one before by what a needle may need.
///
/// Every place where the needle can stand lies wholly in one piece, and the pieces come in the order of the search, so
/// that the first piece with a match has the answer.
///
/// ```
/// use wasi_mmap_core::Pieces;
/// // A needle of 3 bytes in 0..10, 4 places a piece.
/// let pieces: Vec<_> = Pieces::forward(0..10, 3, 4).collect();
/// assert_eq!(pieces, [0..6, 4..10]);
/// ```
#[derive(Debug, Clone)]
pub struct Pieces {
    /// The places that are left: offsets where the needle can start.
    starts: Range<u64>,
    /// What a piece holds beyond its last place: the needle less one byte.
    overlap: u64,
    /// How many places a piece has.
    step: u64,
    backward: bool,
}

impl Pieces {
    /// Pieces from the start of `range` to its end, of `step` places each.
    pub fn forward(range: Range<u64>, needle: u64, step: u64) -> Self {
        Self::new(range, needle, step, false)
    }

    /// Pieces from the end of `range` to its start, of `step` places each.
    pub fn backward(range: Range<u64>, needle: u64, step: u64) -> Self {
        Self::new(range, needle, step, true)
    }

    /// Whether the pieces come from the start of the range to its end.
    pub(crate) fn is_forward(&self) -> bool {
        !self.backward
    }

    fn new(range: Range<u64>, needle: u64, step: u64, backward: bool) -> Self {
        let overlap = needle.saturating_sub(1);
        // An empty range where the needle does not fit.
        let end = range.end.saturating_sub(overlap).max(range.start);
        Self { starts: range.start..end, overlap, step: step.max(1), backward }
    }
}

impl Iterator for Pieces {
    type Item = Range<u64>;

    fn next(&mut self) -> Option<Range<u64>> {
        let Range { start, end } = self.starts;
        if start >= end {
            return None;
        }
        let step = self.step.min(end - start);
        let piece = if self.backward {
            self.starts.end = end - step;
            end - step..end
        } else {
            self.starts.start = start + step;
            start..start + step
        };
        Some(piece.start..piece.end + self.overlap)
    }
}

/// A search in bytes that are shown in pieces, one after the other.
///
/// ```
/// let mut search = wasi_mmap_core::Search::new(b"across");
/// assert_eq!(search.look(b"a word acr"), None);
/// assert_eq!(search.look(b"oss pieces"), Some(7));
/// ```
#[derive(Debug)]
pub struct Search<'n> {
    finder: memmem::Finder<'n>,
    /// What the pieces so far end with, in which the needle can start.
    carry: Vec<u8>,
    /// How many bytes were shown.
    seen: u64,
}

impl<'n> Search<'n> {
    /// A search for `needle`, which is not empty.
    pub fn new(needle: &'n [u8]) -> Self {
        Self { finder: memmem::Finder::new(needle), carry: Vec::new(), seen: 0 }
    }

    /// Looks at the next piece. Answers where in all the bytes so far the needle first stands.
    pub fn look(&mut self, bytes: &[u8]) -> Option<u64> {
        let most = self.finder.needle().len() - 1;
        let carried = self.carry.len();
        if carried > 0 {
            self.carry.extend_from_slice(&bytes[..most.min(bytes.len())]);
            if let Some(at) = self.finder.find(&self.carry) {
                return Some(self.seen - carried as u64 + at as u64);
            }
        }
        if let Some(at) = self.finder.find(bytes) {
            return Some(self.seen + at as u64);
        }
        self.seen += bytes.len() as u64;
        if bytes.len() >= most {
            self.carry.clear();
            self.carry.extend_from_slice(&bytes[bytes.len() - most..]);
        } else {
            if carried == 0 {
                self.carry.extend_from_slice(bytes);
            }
            self.carry.drain(..self.carry.len().saturating_sub(most));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_size_give_what_the_whole_gives() {
        let bytes: Vec<u8> = (0..400u32).map(|at| b"ab"[(at * at / 7 % 2) as usize]).collect();
        for needle in [&b"a"[..], b"ab", b"abba", b"aabbaabb", &bytes[90..130], &bytes[380..], b"abc"] {
            let expected = memmem::find(&bytes, needle).map(|at| at as u64);
            for size in [1, 2, 3, 5, 7, 16, 39, 41, 100, 400] {
                let mut search = Search::new(needle);
                let found = bytes.chunks(size).find_map(|piece| search.look(piece));
                assert_eq!(found, expected, "{needle:?} in pieces of {size}");
            }
        }
    }
}
