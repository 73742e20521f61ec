//! The rules of bounds: which offsets, lengths, indices and ranges lie within a mapping, and the errors of those that
//! do not.

use std::ops::{Bound, Range, RangeBounds};

use crate::{Error, Result};

/// A number from a caller, with the name of its argument.
pub(super) type Named = (&'static str, u64);

/// Returns the range of `count` bytes at `offset` if it lies within `len` bytes.
#[inline]
pub(super) fn within(len: u64, offset: u64, count: u64) -> Option<Range<u64>> {
    offset.checked_add(count).filter(|&end| end <= len).map(|end| offset..end)
}

/// Returns the range of `count` bytes at `offset` within `len` bytes.
///
/// # Errors
///
/// [`Error::OutOfRange`] with the name of the argument that is too large.
#[inline]
pub(super) fn check_range(len: u64, offset: Named, count: Named) -> Result<Range<u64>> {
    within(len, offset.1, count.1).ok_or_else(|| not_within(len, offset, count))
}

/// Returns the error for a range that is not within `len` bytes.
#[cold]
pub(super) fn not_within(len: u64, (start, offset): Named, (extent, count): Named) -> Error {
    if offset > len {
        Error::out_of_range(start, format!("{offset} is past the end of the mapping, {len}"))
    } else {
        Error::out_of_range(extent, format!("{count} bytes from {offset} reach past the end of the mapping, {len}"))
    }
}

/// Returns the offset and the length of a range; the length of a range without an end is `None`.
///
/// # Errors
///
/// [`Error::OutOfRange`] for `length`, if the range ends before it starts, and for `offset`, if it starts after 2^64 -
/// 1.
#[inline]
pub(super) fn offset_and_length(range: &impl RangeBounds<u64>) -> Result<(u64, Option<u64>)> {
    let offset = match range.start_bound() {
        Bound::Unbounded => 0,
        Bound::Included(&start) => start,
        Bound::Excluded(&start) => {
            start.checked_add(1).ok_or_else(|| Error::out_of_range("offset", "the range starts after 2^64 - 1"))?
        }
    };
    let length = match range.end_bound() {
        Bound::Unbounded => return Ok((offset, None)),
        Bound::Excluded(&end) => end.checked_sub(offset),
        // `0..=u64::MAX` has a length of 2^64, which is past every end, as 2^64 - 1 is.
        Bound::Included(&end) if end >= offset => Some((end - offset).saturating_add(1)),
        // The empty range `n..=n - 1`.
        Bound::Included(&end) if end.checked_add(1) == Some(offset) => Some(0),
        Bound::Included(_) => None,
    };
    length
        .map(|length| (offset, Some(length)))
        .ok_or_else(|| Error::out_of_range("length", "the range ends before it starts"))
}

/// Returns the part of `len` bytes that a range selects.
///
/// # Errors
///
/// [`Error::OutOfRange`] for `offset` or `length`.
#[inline]
pub(super) fn select(len: u64, range: &impl RangeBounds<u64>) -> Result<Range<u64>> {
    let (offset, length) = offset_and_length(range)?;
    check_range(len, ("offset", offset), ("length", length.unwrap_or(len.saturating_sub(offset))))
}

/// Returns the offset that `index` means in `len` bytes; negative indices count from the end.
///
/// # Errors
///
/// [`Error::OutOfRange`] for `index`.
#[inline]
pub(super) fn resolve_index(index: i64, len: u64) -> Result<u64> {
    // Nothing is lost: no negative index reaches further back than `i64::MAX` bytes from the end.
    let position = if index < 0 { len.checked_add_signed(index) } else { u64::try_from(index).ok() };
    match position {
        Some(position) if position < len => Ok(position),
        _ => Err(outside(index, len)),
    }
}

#[cold]
fn outside(index: i64, len: u64) -> Error {
    Error::out_of_range("index", format!("{index} is outside a mapping of {len} bytes"))
}

/// Checks that an offset is a multiple of the page size.
///
/// # Errors
///
/// [`Error::Invalid`] with the name of the argument.
pub(super) fn check_page(page_size: u64, (name, offset): Named) -> Result<()> {
    if offset.is_multiple_of(page_size) {
        return Ok(());
    }
    Err(Error::invalid(name, format!("{offset} is not a multiple of the page size, {page_size}")))
}

/// Returns the part of a window of `len` bytes that a flush from `offset` covers: `length` bytes, or all to its end.
///
/// # Errors
///
/// [`Error::OutOfRange`] for `offset` or `length`.
pub fn part_of_window(len: u64, offset: u64, length: Option<u64>) -> Result<Range<u64>> {
    let length = length.unwrap_or_else(|| len.saturating_sub(offset));
    check_range(len, ("offset", offset), ("length", length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error<T: std::fmt::Debug>(result: Result<T>) -> String {
        let error = result.unwrap_err();
        error.argument().map_or("", |argument| &argument.name).to_owned()
    }

    #[test]
    fn every_form_of_range_selects_what_it_selects_of_a_slice() {
        let bytes: Vec<u64> = (0..10).collect();
        let check = |range: Range<u64>, expected: &[u64]| {
            let index = |offset: u64| usize::try_from(offset).unwrap();
            assert_eq!(&bytes[index(range.start)..index(range.end)], expected);
        };
        check(select(10, &..).unwrap(), &bytes[..]);
        check(select(10, &(3..)).unwrap(), &bytes[3..]);
        check(select(10, &(3..7)).unwrap(), &bytes[3..7]);
        check(select(10, &(3..=7)).unwrap(), &bytes[3..=7]);
        check(select(10, &(..7)).unwrap(), &bytes[..7]);
        check(select(10, &(..=9)).unwrap(), &bytes[..=9]);
        check(select(10, &(10..)).unwrap(), &[]);
        check(select(10, &(10..10)).unwrap(), &[]);
        check(select(10, &(Bound::Included(3), Bound::Included(2))).unwrap(), &[]);
        check(select(10, &(Bound::Excluded(2), Bound::Included(4))).unwrap(), &bytes[3..5]);
    }

    #[test]
    fn a_range_that_is_not_within_is_refused_by_name() {
        assert_eq!(error(select(10, &(11..))), "offset");
        assert_eq!(error(select(10, &(11..12))), "offset");
        assert_eq!(error(select(10, &(3..11))), "length");
        assert_eq!(error(select(10, &(0..=u64::MAX))), "length");
        assert_eq!(error(select(10, &(1..=u64::MAX))), "length");
        #[expect(clippy::reversed_empty_ranges, reason = "it is to be refused")]
        let reversed = 7..3;
        assert_eq!(error(select(10, &reversed)), "length");
        #[expect(clippy::reversed_empty_ranges, reason = "it is to be refused")]
        let reversed = 7..=3;
        assert_eq!(error(select(10, &reversed)), "length");
        assert_eq!(error(select(10, &(Bound::Excluded(u64::MAX), Bound::Unbounded))), "offset");
    }
}
