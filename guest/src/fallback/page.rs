//! Pages of memory, and ranges split at the pages they touch.

use std::ops::Range;

/// The page size that the fallback reports, and its granularity of offsets, in bytes: those of most systems.
pub const PAGE_SIZE: u64 = 4096;

/// [`PAGE_SIZE`] as an index.
pub(super) const PAGE_LEN: usize = 4096;

/// The part of a range that lies in one page.
pub(super) struct PageSpan {
    /// The page's number.
    pub(super) page: u64,
    /// The bytes of the page.
    pub(super) within: Range<usize>,
    /// The bytes of the buffer that goes with the range.
    pub(super) buffer: Range<usize>,
}

/// Splits `len` bytes at `offset` into the pages that they touch. `page_size` is a power of two.
#[inline]
pub(super) fn page_spans(offset: u64, len: usize, page_size: usize) -> impl Iterator<Item = PageSpan> {
    let (mut done, page_bits) = (0, page_size.trailing_zeros());
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = offset + done as u64;
        let page = at >> page_bits;
        let start = usize::try_from(at & (page_size as u64 - 1)).expect("less than a page");
        let count = (page_size - start).min(len - done);
        let span = PageSpan { page, within: start..start + count, buffer: done..done + count };
        done += count;
        Some(span)
    })
}
