//! Windows on native targets: the memory of the operating system's own mapping.

use std::ops::Range;

use wasi_mmap_core::{FlushFlags, Result, Storage};
use wasi_mmap_native::{Lend, Mapping, OsStorage};

use super::{Bytes, BytesMut, View, ViewMut, ViewStorage};

impl ViewStorage for OsStorage {
    unsafe fn view(mapping: &Mapping, offset: u64, length: u64) -> Result<View<'_>> {
        // SAFETY: the contract is the caller's. The slice is dropped: the call only checks that it is available.
        unsafe { mapping.as_slice() }?;
        Ok(View(Bytes::Window(Window { mapping, range: range(offset, length) })))
    }

    unsafe fn view_mut(mapping: &mut Mapping, offset: u64, length: u64) -> Result<ViewMut<'_>> {
        // SAFETY: as in `view`.
        unsafe { mapping.as_mut_slice() }?;
        Ok(ViewMut(BytesMut::Window(WindowMut { mapping, range: range(offset, length) })))
    }
}

/// Converts a range that was checked against the mapping, which lies in memory.
fn range(offset: u64, length: u64) -> Range<usize> {
    let index = |at: u64| usize::try_from(at).expect("within the mapping");
    index(offset)..index(offset + length)
}

/// A range of a mapping's memory.
pub(super) struct Window<'a> {
    mapping: &'a Mapping,
    range: Range<usize>,
}

impl Window<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: the contract of `Views::view` covers the view's lifetime.
        let all = unsafe { self.mapping.as_slice() };
        // The slice was available when the view was made, and the borrow keeps the mapping unchanged.
        &all.expect("the mapping is borrowed")[self.range.clone()]
    }

    pub(super) fn check(&self) -> Result<()> {
        Lend::check(self.mapping, self.range.start as u64..self.range.end as u64)
    }
}

/// A range of a mapping's memory that can be written.
pub(super) struct WindowMut<'a> {
    mapping: &'a mut Mapping,
    range: Range<usize>,
}

impl WindowMut<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: as in `Window::bytes`.
        let all = unsafe { self.mapping.as_slice() };
        &all.expect("the mapping is borrowed")[self.range.clone()]
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `Window::bytes`. The mapping is borrowed mutably.
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
        self.mapping.flush_range(page..end, FlushFlags::SYNC)
    }

    pub(super) fn close(&mut self) -> Result<()> {
        self.check()
    }
}
