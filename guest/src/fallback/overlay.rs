//! Pages that live in memory alone: private changes to a file, and memory without a file.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use wasi_mmap_core::{Result, zeroed};

use super::{PAGE_LEN, PAGE_SIZE};

/// The pages that were written, by number. What is not there is as in the file, or zeros.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    pages: BTreeMap<u64, Box<[u8; PAGE_LEN]>>,
}

/// The part of a range that lies in one page.
pub(super) struct Part {
    /// The page's number.
    pub(super) page: u64,
    /// Where in the page.
    pub(super) within: Range<usize>,
    /// Where in the buffer that goes with the range.
    pub(super) buffer: Range<usize>,
}

/// Cuts `len` bytes at `offset` where pages of `size` bytes, a power of two, begin.
#[inline]
pub(super) fn parts(offset: u64, len: usize, size: usize) -> impl Iterator<Item = Part> {
    let (mut done, bits) = (0, size.trailing_zeros());
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = offset + done as u64;
        let page = at >> bits;
        let start = usize::try_from(at & (size as u64 - 1)).expect("less than a page");
        let count = (size - start).min(len - done);
        let part = Part { page, within: start..start + count, buffer: done..done + count };
        done += count;
        Some(part)
    })
}

impl Overlay {
    /// Copies bytes out; `below` gives those of pages that were not written, which it is asked for by their offset.
    pub(super) fn read(
        &self,
        offset: u64,
        buffer: &mut [u8],
        below: impl Fn(u64, &mut [u8]) -> Result<()>,
    ) -> Result<()> {
        for part in parts(offset, buffer.len(), PAGE_LEN) {
            let at = offset + part.buffer.start as u64;
            let buffer = &mut buffer[part.buffer];
            match self.pages.get(&part.page) {
                Some(bytes) => buffer.copy_from_slice(&bytes[part.within]),
                None => below(at, buffer)?,
            }
        }
        Ok(())
    }

    /// Copies bytes in; `below` gives what a page holds before it is written, which it is asked for by the page's offset.
    pub(super) fn write(
        &mut self,
        offset: u64,
        bytes: &[u8],
        below: impl Fn(u64, &mut [u8]) -> Result<()>,
    ) -> Result<()> {
        for part in parts(offset, bytes.len(), PAGE_LEN) {
            let page = match self.pages.entry(part.page) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    let mut page = new_page()?;
                    below(part.page * PAGE_SIZE, &mut page[..])?;
                    entry.insert(page)
                }
            };
            page[part.within].copy_from_slice(&bytes[part.buffer]);
        }
        Ok(())
    }

    /// Forgets the pages in a range of numbers.
    pub(super) fn forget(&mut self, pages: Range<u64>) {
        let numbers: Vec<u64> = self.pages.range(pages).map(|(&number, _)| number).collect();
        for number in numbers {
            self.pages.remove(&number);
        }
    }

    /// Forgets what lies from `len` on.
    pub(super) fn cut(&mut self, len: u64) {
        self.pages.split_off(&len.div_ceil(PAGE_SIZE));
        if let Some(bytes) = self.pages.get_mut(&(len / PAGE_SIZE)) {
            bytes[usize::try_from(len % PAGE_SIZE).expect("less than a page")..].fill(0);
        }
    }
}

fn new_page() -> Result<Box<[u8; PAGE_LEN]>> {
    Ok(zeroed(PAGE_SIZE)?.into_boxed_slice().try_into().expect("it has a page's size"))
}
