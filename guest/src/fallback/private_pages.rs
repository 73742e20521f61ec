//! Private pages, which live in memory alone: copy-on-write pages of a file, and memory without a file.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use wasi_mmap_core::{Result, zeroed};

use super::page::{PAGE_LEN, PAGE_SIZE, page_spans};

/// The pages that were written, by number. All others are as in the source below, a file or zeros.
#[derive(Debug, Default)]
pub(super) struct PrivatePages {
    pages: BTreeMap<u64, Box<[u8; PAGE_LEN]>>,
}

impl PrivatePages {
    /// Copies bytes out. `read_source` reads the bytes of pages that were not written; it gets their offset.
    pub(super) fn read(
        &self,
        offset: u64,
        buffer: &mut [u8],
        read_source: impl Fn(u64, &mut [u8]) -> Result<()>,
    ) -> Result<()> {
        for span in page_spans(offset, buffer.len(), PAGE_LEN) {
            let at = offset + span.buffer.start as u64;
            let buffer = &mut buffer[span.buffer];
            match self.pages.get(&span.page) {
                Some(bytes) => buffer.copy_from_slice(&bytes[span.within]),
                None => read_source(at, buffer)?,
            }
        }
        Ok(())
    }

    /// Copies bytes in. `read_source` reads a page before its first write; it gets the page's offset.
    pub(super) fn write(
        &mut self,
        offset: u64,
        bytes: &[u8],
        read_source: impl Fn(u64, &mut [u8]) -> Result<()>,
    ) -> Result<()> {
        for span in page_spans(offset, bytes.len(), PAGE_LEN) {
            let page = match self.pages.entry(span.page) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    let mut page = new_page()?;
                    read_source(span.page * PAGE_SIZE, &mut page[..])?;
                    entry.insert(page)
                }
            };
            page[span.within].copy_from_slice(&bytes[span.buffer]);
        }
        Ok(())
    }

    /// Discards the pages with these numbers.
    pub(super) fn discard(&mut self, pages: Range<u64>) {
        let numbers: Vec<u64> = self.pages.range(pages).map(|(&number, _)| number).collect();
        for number in numbers {
            self.pages.remove(&number);
        }
    }

    /// Discards everything from `len` on.
    pub(super) fn truncate(&mut self, len: u64) {
        self.pages.split_off(&len.div_ceil(PAGE_SIZE));
        if let Some(bytes) = self.pages.get_mut(&(len / PAGE_SIZE)) {
            bytes[usize::try_from(len % PAGE_SIZE).expect("less than a page")..].fill(0);
        }
    }
}

fn new_page() -> Result<Box<[u8; PAGE_LEN]>> {
    Ok(zeroed(PAGE_SIZE)?.into_boxed_slice().try_into().expect("it has a page's size"))
}
