//! Pages that live in memory alone: private changes to a file, and memory without a file.

use std::collections::BTreeMap;
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

/// Cuts `len` bytes at `offset` where pages of `size` bytes begin.
pub(super) fn parts(offset: u64, len: usize, size: usize) -> impl Iterator<Item = Part> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = offset + done as u64;
        let page = at / size as u64;
        let start = usize::try_from(at % size as u64).expect("less than a page");
        let count = (size - start).min(len - done);
        let part = Part { page, within: start..start + count, buffer: done..done + count };
        done += count;
        Some(part)
    })
}

impl Overlay {
    /// The page with this number, if it was written.
    pub(super) fn get(&self, page: u64) -> Option<&[u8; PAGE_LEN]> {
        self.pages.get(&page).map(|bytes| &**bytes)
    }

    /// The page with this number, to be written; where it is not there, `load` gives what it holds before.
    pub(super) fn get_mut(
        &mut self,
        page: u64,
        load: impl FnOnce(&mut [u8; PAGE_LEN]) -> Result<()>,
    ) -> Result<&mut [u8; PAGE_LEN]> {
        use std::collections::btree_map::Entry;
        match self.pages.entry(page) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let mut bytes = new_page()?;
                load(&mut bytes)?;
                Ok(entry.insert(bytes))
            }
        }
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
