//! Windows on native targets: the memory of the operating system's own mapping.

use std::ops::Range;

use wasi_mmap_core::{FlushFlags, Result, Storage};
use wasi_mmap_native::{Lend, Mapping, OsStorage};

/// The storage whose mappings have these windows.
pub(crate) type WindowStorage = OsStorage;

/// Converts a range that was checked against the mapping, which lies in memory.
fn range(offset: u64, length: u64) -> Range<usize> {
    let index = |at: u64| usize::try_from(at).expect("within the mapping");
    index(offset)..index(offset + length)
}

/// A range of a mapping's memory.
pub(crate) struct Window<'a> {
    mapping: &'a Mapping,
    range: Range<usize>,
}

impl<'a> Window<'a> {
    /// Opens a window for a range that was checked. It is never `None`.
    ///
    /// # Safety
    ///
    /// The contract of [`Views::view`](crate::Views::view).
    pub(crate) unsafe fn open(mapping: &'a Mapping, offset: u64, length: u64) -> Result<Option<Self>> {
        // SAFETY: the contract is the caller's. The slice is dropped: the call only checks that it is available.
        unsafe { mapping.as_slice() }?;
        Ok(Some(Self { mapping, range: range(offset, length) }))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the contract of `Views::view` covers the view's lifetime.
        let all = unsafe { self.mapping.as_slice() };
        // The slice was available when the view was made, and the borrow keeps the mapping unchanged.
        &all.expect("the mapping is borrowed")[self.range.clone()]
    }

    pub(crate) fn check(&self) -> Result<()> {
        Lend::check(self.mapping, self.range.start as u64..self.range.end as u64)
    }
}

/// A range of a mapping's memory that can be written.
pub(crate) struct WindowMut<'a> {
    mapping: &'a mut Mapping,
    range: Range<usize>,
}

impl<'a> WindowMut<'a> {
    /// Opens a window for a range that was checked. It is never the mapping.
    ///
    /// # Safety
    ///
    /// The contract of [`Views::view_mut`](crate::Views::view_mut).
    pub(crate) unsafe fn open(
        mapping: &'a mut Mapping,
        offset: u64,
        length: u64,
    ) -> Result<std::result::Result<Self, &'a mut Mapping>> {
        // SAFETY: as in `Window::open`.
        unsafe { mapping.as_mut_slice() }?;
        Ok(Ok(Self { mapping, range: range(offset, length) }))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: as in `Window::bytes`.
        let all = unsafe { self.mapping.as_slice() };
        &all.expect("the mapping is borrowed")[self.range.clone()]
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `Window::bytes`. The mapping is borrowed mutably.
        let all = unsafe { self.mapping.as_mut_slice() };
        &mut all.expect("the mapping is borrowed")[self.range.clone()]
    }

    pub(crate) fn check(&self) -> Result<()> {
        Lend::check(self.mapping, self.range.start as u64..self.range.end as u64)
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        self.check()?;
        let (start, end) = (self.range.start as u64, self.range.end as u64);
        let page = start - start % OsStorage::page_size();
        self.mapping.flush_range(page..end, FlushFlags::SYNC)
    }

    pub(crate) fn close(&mut self) -> Result<()> {
        self.check()
    }
}
