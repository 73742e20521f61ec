//! Views of the operating system's own mapping.

use std::ops::Range;

use wasi_mmap_core::{FlushFlags, Result, Storage};
use wasi_mmap_native::{Lend, Mapping, OsStorage};

use super::{Kind, KindMut, Lending, View, ViewMut};

impl Lending for OsStorage {
    unsafe fn view(mapping: &Mapping, offset: u64, length: u64) -> Result<View<'_>> {
        // SAFETY: the caller's promise; the answer is only asked whether it can be had.
        unsafe { mapping.as_slice() }?;
        Ok(View(Kind::Lent(Lent { mapping, range: range(offset, length) })))
    }

    unsafe fn view_mut(mapping: &mut Mapping, offset: u64, length: u64) -> Result<ViewMut<'_>> {
        // SAFETY: as above.
        unsafe { mapping.as_mut_slice() }?;
        Ok(ViewMut(KindMut::Lent(LentMut { mapping, range: range(offset, length) })))
    }
}

/// A range that was checked against the mapping, which lies in memory.
fn range(offset: u64, length: u64) -> Range<usize> {
    let index = |at: u64| usize::try_from(at).expect("within the mapping");
    index(offset)..index(offset + length)
}

/// A part of a mapping, lent.
pub(super) struct Lent<'a> {
    mapping: &'a Mapping,
    range: Range<usize>,
}

impl Lent<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: whoever made the view promised it for as long as it lives.
        let all = unsafe { self.mapping.as_slice() };
        // It could be had when the view was made, and the borrow has kept the mapping as it was.
        &all.expect("the mapping is borrowed")[self.range.clone()]
    }

    pub(super) fn check(&self) -> Result<()> {
        Lend::check(self.mapping, self.range.start as u64..self.range.end as u64)
    }
}

/// A part of a mapping, lent to be written.
pub(super) struct LentMut<'a> {
    mapping: &'a mut Mapping,
    range: Range<usize>,
}

impl LentMut<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: as in `Lent::bytes`.
        let all = unsafe { self.mapping.as_slice() };
        &all.expect("the mapping is borrowed")[self.range.clone()]
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `Lent::bytes`; the borrow of the mapping is a mutable one.
        let all = unsafe { self.mapping.as_mut_slice() };
        &mut all.expect("the mapping is borrowed")[self.range.clone()]
    }

    pub(super) fn check(&self) -> Result<()> {
        Lend::check(self.mapping, self.range.start as u64..self.range.end as u64)
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        self.check()?;
        let (start, end) = (self.range.start as u64, self.range.end as u64);
        let page = start - start % OsStorage::page_size();
        self.mapping.flush_range(page, Some(end - page), FlushFlags::SYNC)
    }
    pub(super) fn close(&mut self) -> Result<()> {
        self.check()
    }
}
