//! Search through bytes that are not all at hand at once.

use std::ops::Range;

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
