//! The pages and blocks that a file is divided into.

use std::ops::Range;

use crate::fallback::page::PAGE_LEN;

/// The most blocks that a page has: a set of them fits into 64 bits.
const MAX_BLOCKS: usize = 64;

/// Identifies a page of a file in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct PageId {
    /// The file's number in the cache.
    pub(super) file: usize,
    /// The page's number in the file.
    pub(super) page: u64,
}

/// The sizes of pages and blocks, both powers of two. A block is the unit that is read where a whole page would be too
/// much.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageLayout {
    page_bits: u32,
    block_bits: u32,
}

impl PageLayout {
    /// Returns the layout for a page size, a power of two. A block is a page of memory, or larger where a page would
    /// have more than [`MAX_BLOCKS`].
    pub(super) fn new(page_size: usize) -> Self {
        let block_size = PAGE_LEN.max(page_size / MAX_BLOCKS);
        Self { page_bits: page_size.trailing_zeros(), block_bits: block_size.trailing_zeros() }
    }

    /// Returns the size of a page in bytes.
    #[inline]
    pub(super) fn page_size(self) -> usize {
        1 << self.page_bits
    }

    /// Returns the size of a block in bytes.
    #[inline]
    pub(super) fn block_size(self) -> usize {
        1 << self.block_bits
    }

    /// Returns the number of the page that a file offset lies in.
    #[inline]
    pub(super) fn page_at(self, file_offset: u64) -> u64 {
        file_offset >> self.page_bits
    }

    /// Returns the place of a file offset within its page.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "only the lower bits are used")]
    pub(super) fn within_page(self, file_offset: u64) -> usize {
        file_offset as usize & (self.page_size() - 1)
    }

    /// Returns the number of bytes from a file offset to the end of its page.
    #[inline]
    pub(super) fn rest_of_page(self, file_offset: u64) -> usize {
        self.page_size() - self.within_page(file_offset)
    }

    /// Returns the file offset at which a page starts.
    pub(super) fn start_of(self, page: u64) -> u64 {
        page * self.page_size() as u64
    }

    /// Returns the numbers of the pages that a range of a file touches.
    pub(super) fn pages(self, range: &Range<u64>) -> Range<u64> {
        let size = self.page_size() as u64;
        range.start / size..range.end.div_ceil(size)
    }

    /// Returns the numbers of the blocks that a range of a page touches.
    #[inline]
    pub(super) fn blocks(self, within: &Range<usize>) -> Range<usize> {
        within.start >> self.block_bits..(within.end + self.block_size() - 1) >> self.block_bits
    }

    /// Returns the numbers of the blocks that a range of a page covers wholly; empty or reversed if there are none.
    pub(super) fn whole_blocks(self, within: &Range<usize>) -> Range<usize> {
        within.start.div_ceil(self.block_size())..within.end / self.block_size()
    }

    /// Returns all blocks of a page.
    pub(super) fn all_blocks(self) -> Blocks {
        Blocks(mask(&(0..self.page_size() / self.block_size())))
    }
}

/// A set of blocks of one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Blocks(u64);

impl Blocks {
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Adds the blocks with these numbers.
    pub(super) fn add(&mut self, numbers: Range<usize>) {
        self.0 |= mask(&numbers);
    }

    /// Returns the blocks of both sets.
    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns true if the set has all blocks with these numbers.
    #[inline]
    pub(super) fn contains(self, numbers: &Range<usize>) -> bool {
        self.0 & mask(numbers) == mask(numbers)
    }

    /// Returns the first run of these numbers that the set lacks.
    pub(super) fn first_gap(self, numbers: Range<usize>) -> Option<Range<usize>> {
        let lacks = |&number: &usize| !self.contains(&(number..number + 1));
        let start = numbers.clone().find(lacks)?;
        Some(start..(start..numbers.end).find(|number| !lacks(number)).unwrap_or(numbers.end))
    }
}

#[inline]
fn mask(numbers: &Range<usize>) -> u64 {
    match numbers.len() {
        0 => 0,
        count => (u64::MAX >> (64 - count)) << numbers.start,
    }
}
