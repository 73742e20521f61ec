//! Python's slices: `mapping[start:stop:step]`.

use crate::{Error, Result};

/// A selection of bytes at a regular distance, as Python's `mapping[start:stop:step]`.
///
/// Negative bounds count from the end, and bounds outside the mapping are clamped to it. The default is `[:]`, all
/// bytes.
///
/// # Example
///
/// ```
/// use wasi_mmap::{Mapping, Slice};
///
/// let mut mapping = Mapping::anonymous(6)?;
/// mapping.write(b"abcdef")?;
/// assert_eq!(mapping.read_slice(Slice { start: Some(1), stop: Some(-1), step: 2 })?, b"bd"); // mapping[1:-1:2]
/// # Ok::<(), wasi_mmap::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// The index of the first byte. `None` means the first byte in the direction of `step`.
    pub start: Option<i64>,
    /// The index at which to stop, which is excluded. `None` means past the last byte in the direction of `step`.
    pub stop: Option<i64>,
    /// The distance from one byte to the next. Negative steps go backwards; 0 is invalid.
    pub step: i64,
}

impl Default for Slice {
    fn default() -> Self {
        Self { start: None, stop: None, step: 1 }
    }
}

/// A [`Slice`] resolved against the length of a mapping: `count` bytes, the first at `first`, each `step` bytes after
/// the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strided {
    /// The offset of the first byte. Without a meaning if `count` is 0.
    pub first: u64,
    /// The distance from one byte to the next, not 0.
    pub step: i64,
    /// The number of bytes.
    pub count: u64,
}

impl Slice {
    /// Checks that the step is not 0.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] (`step`).
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_core::Slice;
    ///
    /// assert!(Slice::default().check().is_ok());
    /// assert!(Slice { step: 0, ..Slice::default() }.check().is_err());
    /// ```
    pub fn check(&self) -> Result<()> {
        if self.step == 0 {
            return Err(Error::invalid("step", "a slice step cannot be 0"));
        }
        Ok(())
    }

    /// Returns the bytes that the slice selects of a mapping of `len` bytes. CPython `PySlice_AdjustIndices`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] (`step`).
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_core::{Slice, Strided};
    ///
    /// let backwards = Slice { step: -2, ..Slice::default() }; // [::-2]
    /// assert_eq!(backwards.resolve(6)?, Strided { first: 5, step: -2, count: 3 });
    /// # Ok::<(), wasi_mmap_core::Error>(())
    /// ```
    pub fn resolve(&self, len: u64) -> Result<Strided> {
        self.check()?;
        let len = i128::from(len);
        let step = i128::from(self.step);
        // Bounds are clamped to these. Going backwards, they are one before the first byte, and the last byte.
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
    /// Returns the range that the bytes cover if they are adjacent and in ascending order, or `None`.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_core::Strided;
    ///
    /// assert_eq!(Strided { first: 2, step: 1, count: 3 }.contiguous(), Some(2..5));
    /// assert_eq!(Strided { first: 2, step: 2, count: 3 }.contiguous(), None);
    /// ```
    pub fn contiguous(&self) -> Option<std::ops::Range<u64>> {
        if self.count == 0 {
            Some(0..0)
        } else if self.step == 1 {
            Some(self.first..self.first + self.count)
        } else {
            None
        }
    }

    /// Returns the number of bytes from the first to the last, both included.
    ///
    /// # Example
    ///
    /// ```
    /// assert_eq!(wasi_mmap_core::Strided { first: 2, step: 2, count: 3 }.span(), 5);
    /// ```
    pub fn span(&self) -> u64 {
        match self.count.checked_sub(1) {
            None => 0,
            Some(steps) => steps.saturating_mul(self.step.unsigned_abs()).saturating_add(1),
        }
    }

    /// Returns the offset in the mapping of the byte with this index in the slice.
    ///
    /// # Example
    ///
    /// ```
    /// assert_eq!(wasi_mmap_core::Strided { first: 5, step: -2, count: 3 }.position(1), 3);
    /// ```
    pub fn position(&self, index: u64) -> u64 {
        let position = i128::from(self.first) + i128::from(self.step) * i128::from(index);
        u64::try_from(position).unwrap_or(0)
    }
}
