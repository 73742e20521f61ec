//! Windows of the host, which places the file's pages in the plugin's memory.

use std::alloc::{Layout, alloc, dealloc};
use std::cell::RefCell;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::slice;
use std::sync::OnceLock;

use wasi_mmap_core::{Error, Internals, Mapping, Result};

use crate::imported::Imported;
use crate::imported::bindings::wasi_mmap::mmap::types::WindowMode;
use crate::imported::bindings::wasi_mmap::mmap::window::{Window as Handle, granularity};

/// The storage whose mappings have these windows.
pub(crate) type WindowStorage = Imported;

/// Returns the number of which a window's address and offset are multiples, or `None` if the host has no windows.
fn alignment() -> Option<u64> {
    static ALIGNMENT: OnceLock<Option<u64>> = OnceLock::new();
    *ALIGNMENT.get_or_init(|| granularity().ok())
}

/// A range of a mapping in a window of the host, without the borrow of the mapping.
#[derive(Debug)]
struct RawWindow {
    handle: Handle,
    /// The memory of the window; `None` once it is detached.
    region: Option<Region>,
    /// The start of the range within the region. A window starts at a page, which the range need not.
    within: usize,
    len: usize,
}

impl RawWindow {
    /// Opens a window for a range. Returns `None` if the range must be copied instead.
    fn open(mapping: &Mapping<Imported>, offset: u64, length: u64, mode: WindowMode) -> Result<Option<Self>> {
        let (Some(page), true) = (alignment(), length > 0) else { return Ok(None) };
        let len = mapping.len()?;
        let start = offset - offset % page;
        // Windows have whole pages, except for the mapping's last one.
        let end = (offset + length).checked_next_multiple_of(page).map_or(len, |end| end.min(len));
        let whole = (end - start).checked_next_multiple_of(page).and_then(|whole| usize::try_from(whole).ok());
        let (Some(whole), Ok(page)) = (whole, usize::try_from(page)) else { return Ok(None) };
        let Some(region) = Region::take(whole, page) else { return Err(Error::OutOfMemory) };
        let handle = Handle::attach(mapping.storage()?.handle(), region.anchor(), start, end - start, mode);
        match handle.map_err(Error::from) {
            Ok(handle) => {
                let index = |at: u64| usize::try_from(at).expect("within the region");
                let (within, len) = (index(offset - start), index(length));
                Ok(Some(Self { handle, region: Some(region), within, len }))
            }
            // The host has no windows, none for this mapping, or no more of them.
            Err(Error::Unsupported(_) | Error::LimitExceeded(_) | Error::Busy) => {
                region.put_back();
                Ok(None)
            }
            Err(error) => {
                region.put_back();
                Err(error)
            }
        }
    }

    fn region(&self) -> &Region {
        self.region.as_ref().expect("only `detach` takes it, which ends the view")
    }

    /// Returns the address of the range.
    fn address(&self) -> *mut u8 {
        let region = self.region();
        assert!(self.within + self.len <= region.layout.size());
        // SAFETY: the address is within the region, as just checked.
        unsafe { region.start.as_ptr().add(self.within) }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the region has `within + len` bytes, which are the file's until the window is detached. No one else
        // changes them, by the contract of `Views::view`.
        unsafe { slice::from_raw_parts(self.address(), self.len) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`. The window is borrowed mutably, and it alone owns the region.
        unsafe { slice::from_raw_parts_mut(self.address(), self.len) }
    }

    fn check(&self) -> Result<()> {
        Ok(self.handle.check()?)
    }

    fn detach(&mut self) -> Result<()> {
        let Some(region) = self.region.take() else { return Ok(()) };
        match self.handle.detach() {
            Ok(()) => {
                region.put_back();
                Ok(())
            }
            Err(error) => {
                // The file's pages may still be there, so the memory must not be used again.
                std::mem::forget(region);
                Err(error.into())
            }
        }
    }
}

impl Drop for RawWindow {
    fn drop(&mut self) {
        // `close` reports errors.
        let _ = self.detach();
    }
}

/// A window for reading.
pub(crate) struct Window<'a> {
    raw: RawWindow,
    _mapping: PhantomData<&'a Mapping<Imported>>,
}

impl<'a> Window<'a> {
    /// Opens a window for a range that was checked. Returns `None` if the range must be copied instead.
    ///
    /// # Safety
    ///
    /// The contract of [`Views::view`](crate::Views::view).
    pub(crate) unsafe fn open(mapping: &'a Mapping<Imported>, offset: u64, length: u64) -> Result<Option<Self>> {
        let raw = RawWindow::open(mapping, offset, length, WindowMode::Read)?;
        Ok(raw.map(|raw| Self { raw, _mapping: PhantomData }))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.raw.bytes()
    }

    pub(crate) fn check(&self) -> Result<()> {
        self.raw.check()
    }
}

/// A window for reading and writing.
pub(crate) struct WindowMut<'a> {
    raw: RawWindow,
    _mapping: PhantomData<&'a mut Mapping<Imported>>,
}

impl<'a> WindowMut<'a> {
    /// Opens a window for a range that was checked. Returns the mapping if the range must be copied instead.
    ///
    /// # Safety
    ///
    /// The contract of [`Views::view_mut`](crate::Views::view_mut).
    pub(crate) unsafe fn open(
        mapping: &'a mut Mapping<Imported>,
        offset: u64,
        length: u64,
    ) -> Result<std::result::Result<Self, &'a mut Mapping<Imported>>> {
        let raw = RawWindow::open(mapping, offset, length, WindowMode::Write)?;
        Ok(raw.map(|raw| Self { raw, _mapping: PhantomData }).ok_or(mapping))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.raw.bytes()
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.raw.bytes_mut()
    }

    pub(crate) fn check(&self) -> Result<()> {
        self.raw.check()
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        self.check()?;
        Ok(self.raw.handle.flush(0, None)?)
    }

    pub(crate) fn close(&mut self) -> Result<()> {
        self.check()?;
        self.raw.detach()
    }
}

/// Memory for windows, aligned to a page or more, of whole pages.
#[derive(Debug)]
struct Region {
    start: NonNull<u8>,
    layout: Layout,
}

/// The size of a large page on most systems: 2 MiB.
const LARGE_PAGE: usize = 2 << 20;

/// The most regions that are kept for the next view.
const MAX_KEPT: usize = 4;

thread_local! {
    /// Regions that are not in use. Returned to the allocator, they would be split for other allocations.
    static KEPT: RefCell<Vec<Region>> = const { RefCell::new(Vec::new()) };
}

impl Region {
    /// Takes a region of at least `len` bytes, a multiple of `page`. Returns `None` if memory is exhausted.
    fn take(len: usize, page: usize) -> Option<Self> {
        let kept = KEPT.with_borrow_mut(|kept| {
            let fits = |region: &Region| region.layout.size() >= len && region.layout.size() / 2 <= len;
            kept.iter().position(fits).map(|index| kept.swap_remove(index))
        });
        if kept.is_some() {
            return kept;
        }
        // The file's pages may be cached as large pages, which are mapped as such only at addresses aligned alike.
        let align = if len >= LARGE_PAGE { LARGE_PAGE } else { page };
        let layout = Layout::from_size_align(len, align).ok()?;
        // SAFETY: the size is not 0, because an empty range has no window. If the allocation fails, the pointer is
        // null, which is checked.
        let start = NonNull::new(unsafe { alloc(layout) })?;
        // The host replaces all of it. Until then, zero-filling would take as much memory as the window is long.
        // SAFETY: the region has at least one byte.
        unsafe { start.write(0) };
        Some(Self { start, layout })
    }

    /// Returns the first byte, whose address tells the host where the region is.
    fn anchor(&self) -> &[u8] {
        // SAFETY: the region has at least one byte, which `take` has written.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), 1) }
    }

    /// Keeps the region for the next view, instead of the oldest one if there are enough.
    fn put_back(self) {
        KEPT.with_borrow_mut(|kept| {
            if kept.len() >= MAX_KEPT {
                // Regions in frequent use are taken and put back, so the first one is the least used.
                kept.remove(0);
            }
            kept.push(self);
        });
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the region was allocated with this layout, and is not used any more.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}
