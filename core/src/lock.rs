//! Locks on ranges of files: kinds, ranges, and which of them an owner holds.

use std::collections::BTreeMap;
use std::ops::{Bound, Range, RangeBounds};

use crate::{Error, Result, Rights};

/// What a lock excludes.
///
/// # Example
///
/// ```
/// use wasi_mmap_core::{LockKind, Rights};
///
/// assert_eq!(LockKind::Exclusive.right(), Rights::WRITE);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LockKind {
    /// Exclusive locks of others. POSIX `F_RDLCK`, BSD `LOCK_SH`.
    Shared,
    /// All locks of others. POSIX `F_WRLCK`, BSD `LOCK_EX`.
    Exclusive,
}

impl LockKind {
    /// Returns the right that the file must be open with.
    pub fn right(self) -> Rights {
        match self {
            Self::Shared => Rights::READ,
            Self::Exclusive => Rights::WRITE,
        }
    }

    /// Checks that a file that is open with `rights` can be locked.
    ///
    /// # Errors
    ///
    /// [`Error::NotPermitted`].
    pub fn check(self, rights: Rights) -> Result<()> {
        if rights.contains(self.right()) {
            return Ok(());
        }
        Err(Error::NotPermitted(match self {
            Self::Shared => "a shared lock on a file that is not open for reading".into(),
            Self::Exclusive => "an exclusive lock on a file that is not open for writing".into(),
        }))
    }
}

/// A lock on a range that another owner holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldLock {
    /// Its kind.
    pub kind: LockKind,
    /// Its range.
    pub range: LockRange,
    /// The process that holds it, if it belongs to a process and the system tells. POSIX `l_pid`.
    pub process: Option<u32>,
}

/// A range of a file that can be locked: at least one byte, the last at 2^63 - 1 at most.
///
/// # Example
///
/// ```
/// use wasi_mmap_core::LockRange;
///
/// let range = LockRange::new(100, 0)?; // to the end of the file, however long the file becomes
/// assert_eq!((range.offset(), range.length()), (100, 0));
/// assert_eq!(LockRange::of(&(100..))?, range);
/// # Ok::<(), wasi_mmap_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockRange {
    start: u64,
    /// The end, which is not included: 2^63 at most.
    end: u64,
}

/// The end of all ranges: files have at most 2^63 - 1 bytes, and the byte after them can be locked as well.
const END: u64 = 1 << 63;

impl LockRange {
    /// Makes a range of `length` bytes from `offset` on; 0 means to the end of the file, however long the file becomes.
    /// POSIX `l_start` and `l_len`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] (`offset`, `length`).
    pub fn new(offset: u64, length: u64) -> Result<Self> {
        if offset >= END {
            return Err(Error::out_of_range("offset", format!("{offset} is past the last byte that a file can have")));
        }
        let end = if length == 0 { Some(END) } else { offset.checked_add(length).filter(|&end| end <= END) };
        let reason = || format!("{length} bytes from {offset} reach past the last byte that a file can have");
        Ok(Self { start: offset, end: end.ok_or_else(|| Error::out_of_range("length", reason()))? })
    }

    /// Makes a range of Rust's: one without an end reaches to the end of the file, however long the file becomes.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] (`offset`, `length`); [`Error::Invalid`] (`length`) for an empty range.
    pub fn of(range: &impl RangeBounds<u64>) -> Result<Self> {
        let offset = match range.start_bound() {
            Bound::Unbounded => 0,
            Bound::Included(&start) => start,
            Bound::Excluded(&start) => start.saturating_add(1),
        };
        let end = match range.end_bound() {
            Bound::Unbounded => return Self::new(offset, 0),
            Bound::Excluded(&end) => end,
            Bound::Included(&end) => end.saturating_add(1),
        };
        match end.checked_sub(offset) {
            Some(length) if length > 0 => Self::new(offset, length),
            _ => Err(Error::invalid("length", "an empty range cannot be locked")),
        }
    }

    /// Returns the offset of the first byte.
    pub fn offset(&self) -> u64 {
        self.start
    }

    /// Returns the length in bytes; 0 if the range reaches to the end of the file, however long the file becomes. It is
    /// at most 2^63 - 1.
    pub fn length(&self) -> u64 {
        if self.end == END { 0 } else { self.end - self.start }
    }
}

/// The locks on ranges that one owner holds, as POSIX merges and splits them: the number of records that the system
/// keeps for them.
///
/// # Example
///
/// ```
/// use wasi_mmap_core::{LockKind, LockRange, LockTable};
///
/// let mut locks = LockTable::default();
/// locks.set(LockRange::new(0, 100)?, Some(LockKind::Shared));
/// locks.set(LockRange::new(40, 10)?, None);
/// assert_eq!(locks.len(), 2);
/// # Ok::<(), wasi_mmap_core::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LockTable {
    /// The ends and kinds of the locked ranges, by their starts. They do not overlap, and those of one kind do not
    /// touch.
    ranges: BTreeMap<u64, (u64, LockKind)>,
}

impl LockTable {
    /// Returns the number of ranges.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Returns whether nothing is locked.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Returns the number of ranges that there would be after [`set`](Self::set).
    pub fn len_after(&self, range: LockRange, kind: Option<LockKind>) -> usize {
        let (removed, added) = self.change(range, kind);
        self.len() - removed.len() + added.len()
    }

    /// Gives a range the kind, whatever it had before, or unlocks it.
    pub fn set(&mut self, range: LockRange, kind: Option<LockKind>) {
        let (removed, added) = self.change(range, kind);
        for start in removed {
            self.ranges.remove(&start);
        }
        self.ranges.extend(added.into_iter().map(|(range, kind)| (range.start, (range.end, kind))));
    }

    /// Returns the starts of the ranges that a change removes, and those that it adds: parts beside the range that
    /// remain, and the range itself, merged with neighbours of its kind.
    fn change(&self, range: LockRange, kind: Option<LockKind>) -> (Vec<u64>, Vec<(Range<u64>, LockKind)>) {
        let (mut merged, mut removed, mut added) = (range.start..range.end, Vec::new(), Vec::new());
        // Only the range before can reach into this one: they do not overlap.
        let before = self.ranges.range(..range.start).next_back();
        for (&start, &(end, old)) in before.into_iter().chain(self.ranges.range(range.start..=range.end)) {
            if Some(old) == kind {
                // It overlaps, or touches.
                if start <= merged.end && end >= merged.start {
                    merged = merged.start.min(start)..merged.end.max(end);
                    removed.push(start);
                }
            } else if start < range.end && end > range.start {
                removed.push(start);
                let parts = [start..range.start.min(end), range.end.max(start)..end];
                added.extend(parts.into_iter().filter(|part| !part.is_empty()).map(|part| (part, old)));
            }
        }
        added.extend(kind.map(|kind| (merged, kind)));
        (removed, added)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(offset: u64, length: u64) -> LockRange {
        LockRange::new(offset, length).expect("a valid range")
    }

    fn error(range: Result<LockRange>) -> (String, String) {
        let error = range.expect_err("it is refused");
        let argument = error.argument().expect("it names an argument").name.to_string();
        (error.name().to_owned(), argument)
    }

    #[test]
    fn ranges_end_at_the_last_byte_of_all_files() {
        let last = i64::MAX.cast_unsigned();
        assert_eq!(range(0, 1 << 63), range(0, 0));
        assert_eq!(range(last, 1), range(last, 0));
        assert_eq!(range(0, last).length(), last);
        let refused = |name: &str, argument: &str| (name.to_owned(), argument.to_owned());
        assert_eq!(error(LockRange::new(last + 1, 0)), refused("out-of-range", "offset"));
        assert_eq!(error(LockRange::new(u64::MAX, 1)), refused("out-of-range", "offset"));
        assert_eq!(error(LockRange::new(last, 2)), refused("out-of-range", "length"));
        assert_eq!(error(LockRange::new(1, u64::MAX)), refused("out-of-range", "length"));
        assert_eq!(error(LockRange::new(0, (1 << 63) + 1)), refused("out-of-range", "length"));
    }

    #[test]
    fn ranges_of_rust_are_those_of_posix() {
        assert_eq!(LockRange::of(&..), Ok(range(0, 0)));
        assert_eq!(LockRange::of(&(5..)), Ok(range(5, 0)));
        assert_eq!(LockRange::of(&(5..8)), Ok(range(5, 3)));
        assert_eq!(LockRange::of(&(5..=8)), Ok(range(5, 4)));
        assert_eq!(LockRange::of(&(Bound::Excluded(5), Bound::Unbounded)), Ok(range(6, 0)));
        assert_eq!(error(LockRange::of(&(5..5))), ("invalid".to_owned(), "length".to_owned()));
        #[expect(clippy::reversed_empty_ranges, reason = "it is to be refused")]
        let reversed = 5..3;
        assert_eq!(error(LockRange::of(&reversed)), ("invalid".to_owned(), "length".to_owned()));
        assert_eq!(error(LockRange::of(&(0..=u64::MAX))), ("out-of-range".to_owned(), "length".to_owned()));
        assert_eq!(error(LockRange::of(&(u64::MAX..))), ("out-of-range".to_owned(), "offset".to_owned()));
    }

    /// Compares the table with one entry per byte.
    #[test]
    fn the_table_is_that_of_single_bytes() {
        const BYTES: usize = 24;
        let mut seed = 7u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let mut bytes = [None; BYTES];
        let mut table = LockTable::default();
        for round in 0..5000 {
            let index = |number: u64| usize::try_from(number).unwrap();
            let start = random(BYTES as u64 - 1);
            let length = 1 + random(BYTES as u64 - start);
            let kind = [None, Some(LockKind::Shared), Some(LockKind::Exclusive)][index(random(3))];
            let expected = table.len_after(range(start, length), kind);
            table.set(range(start, length), kind);
            assert_eq!(table.len(), expected, "round {round}");
            bytes[index(start)..index(start + length)].fill(kind);
            let runs = bytes.chunk_by(PartialEq::eq).filter(|run| run[0].is_some()).count();
            assert_eq!(table.len(), runs, "round {round}: {table:?}");
            for (at, kind) in bytes.iter().enumerate() {
                let found = table.ranges.iter().find(|&(&start, &(end, _))| (start..end).contains(&(at as u64)));
                assert_eq!(found.map(|(_, (_, kind))| *kind), *kind, "round {round}, byte {at}");
            }
        }
        table.set(range(0, 0), None);
        assert!(table.is_empty());
    }
}
