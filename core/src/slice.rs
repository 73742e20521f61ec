//! Python's slices: `mapping[start:stop:step]`.

use crate::{Error, Result};

/// Bytes at a regular distance, chosen as Python's `mapping[start:stop:step]` chooses them.
///
/// Bounds below 0 count from the end; bounds outside the mapping are moved to its edge. The default is `[:]`, all bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// The first byte; `None`: the first in the direction of `step`.
    pub start: Option<i64>,
    /// The byte before which to stop; `None`: past the last in the direction of `step`.
    pub stop: Option<i64>,
    /// The distance from one byte to the next; negative to go backwards; never 0.
    pub step: i64,
}

impl Default for Slice {
    fn default() -> Self {
        Self { start: None, stop: None, step: 1 }
    }
}

/// A slice of a mapping whose length is known: `count` bytes, the first at `first`, each `step` from the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strided {
    /// Where the first byte is. Means nothing when `count` is 0.
    pub first: u64,
    /// The distance from one byte to the next; not 0.
    pub step: i64,
    /// How many bytes there are.
    pub count: u64,
}

impl Slice {
    /// Refuses a step of 0.
    ///
    /// # Errors
    ///
    /// `invalid` (`step`).
    pub fn check(&self) -> Result<()> {
        if self.step == 0 {
            return Err(Error::invalid("step", "a slice step cannot be 0"));
        }
        Ok(())
    }

    /// Which bytes of a mapping of `len` bytes the slice chooses. CPython `PySlice_AdjustIndices`.
    ///
    /// # Errors
    ///
    /// `invalid` (`step`).
    pub fn resolve(&self, len: u64) -> Result<Strided> {
        self.check()?;
        let len = i128::from(len);
        let step = i128::from(self.step);
        // The edges that a bound is moved to: going backwards, one before the first and the last byte.
        let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
        let bound = |bound: Option<i64>, default: i128| match bound {
            None => default,
            Some(bound) if bound < 0 => (i128::from(bound) + len).clamp(low, high),
            Some(bound) => i128::from(bound).clamp(low, high),
        };
        let (start, stop) = if step > 0 {
            (bound(self.start, low), bound(self.stop, high))
        } else {
            (bound(self.start, high), bound(self.stop, low))
        };
        let distance = if step > 0 { stop - start } else { start - stop };
        let count = if distance <= 0 { 0 } else { (distance - 1) / step.abs() + 1 };
        Ok(Strided {
            first: u64::try_from(start).unwrap_or(0),
            step: self.step,
            count: u64::try_from(count).unwrap_or(0),
        })
    }
}

impl Strided {
    /// The range that the bytes cover when they lie side by side in order, and in no other case.
    pub fn contiguous(&self) -> Option<std::ops::Range<u64>> {
        if self.count == 0 {
            Some(0..0)
        } else if self.step == 1 {
            Some(self.first..self.first + self.count)
        } else {
            None
        }
    }

    /// How many bytes there are from the first to the last, both included.
    pub fn span(&self) -> u64 {
        match self.count.checked_sub(1) {
            None => 0,
            Some(steps) => steps.saturating_mul(self.step.unsigned_abs()).saturating_add(1),
        }
    }

    /// Where the byte number `index` of the slice is in the mapping.
    pub fn position(&self, index: u64) -> u64 {
        let position = i128::from(self.first) + i128::from(self.step) * i128::from(index);
        u64::try_from(position).unwrap_or(0)
    }
}
