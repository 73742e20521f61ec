//! Views that are windows: the host puts the file's pages into this program's memory.

use std::alloc::{Layout, alloc, dealloc};
use std::cell::RefCell;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::slice;
use std::sync::OnceLock;

use wasi_mmap_core::{Error, Internals, Mapping, Result};

use super::{Kind, KindMut, Lending, View, ViewMut};
use crate::imported::Imported;
use crate::imported::bindings::wasi_mmap::mmap::types::WindowMode;
use crate::imported::bindings::wasi_mmap::mmap::window::{Window as Handle, granularity};

/// What a window's place and length must be a multiple of; `None` where there are no windows.
fn page() -> Option<u64> {
    static PAGE: OnceLock<Option<u64>> = OnceLock::new();
    *PAGE.get_or_init(|| granularity().ok())
}

impl Lending for Imported {
    unsafe fn view(mapping: &Mapping<Self>, offset: u64, length: u64) -> Result<View<'_>> {
        match attach(mapping, offset, length, WindowMode::Read)? {
            Some(part) => Ok(View(Kind::Lent(Lent { part, _mapping: PhantomData }))),
            None => View::copied(mapping, offset, length),
        }
    }

    unsafe fn view_mut(mapping: &mut Mapping<Self>, offset: u64, length: u64) -> Result<ViewMut<'_>> {
        match attach(mapping, offset, length, WindowMode::Write)? {
            Some(part) => Ok(ViewMut(KindMut::Lent(LentMut { part, _mapping: PhantomData }))),
            None => ViewMut::copied(mapping, offset, length),
        }
    }
}

/// Attaches a part of a mapping to memory of ours; `None` where it has to be copied instead.
fn attach(mapping: &Mapping<Imported>, offset: u64, length: u64, mode: WindowMode) -> Result<Option<Part>> {
    let (Some(page), true) = (page(), length > 0) else { return Ok(None) };
    let len = mapping.len()?;
    let start = offset - offset % page;
    // Whole pages, but for the last one of the mapping.
    let end = (offset + length).checked_next_multiple_of(page).map_or(len, |end| end.min(len));
    let whole = (end - start).checked_next_multiple_of(page).and_then(|whole| usize::try_from(whole).ok());
    let (Some(whole), Ok(page)) = (whole, usize::try_from(page)) else { return Ok(None) };
    let Some(region) = Region::take(whole, page) else { return Err(Error::OutOfMemory) };
    let handle = Handle::attach(mapping.storage()?.handle(), region.anchor(), start, end - start, mode);
    match handle.map_err(Error::from) {
        Ok(handle) => {
            let index = |at: u64| usize::try_from(at).expect("within the region");
            let (from, len) = (index(offset - start), index(length));
            Ok(Some(Part { handle, region: Some(region), from, len }))
        }
        // No windows here, not for this memory, or no more of them.
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

/// A part of a mapping that lies in a region.
#[derive(Debug)]
struct Part {
    handle: Handle,
    /// `None` once detached.
    region: Option<Region>,
    /// Where in the region the part begins that was asked for.
    from: usize,
    len: usize,
}

impl Part {
    fn region(&self) -> &Region {
        self.region.as_ref().expect("only `detach` takes it, which ends the view")
    }

    /// Where the part begins.
    fn start(&self) -> *mut u8 {
        let region = self.region();
        assert!(self.from + self.len <= region.layout.size());
        // SAFETY: the place is within the region, as just checked.
        unsafe { region.start.as_ptr().add(self.from) }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the region has `from + len` bytes, which are the file's as long as the part is attached. Nobody else
        // changes them: that is the promise of whoever made the view.
        unsafe { slice::from_raw_parts(self.start(), self.len) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; the part is borrowed mutably, and nobody else has the region.
        unsafe { slice::from_raw_parts_mut(self.start(), self.len) }
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
                // The file may still lie there: that memory is never used again.
                std::mem::forget(region);
                Err(error.into())
            }
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // `close` is there for those who want to know.
        let _ = self.detach();
    }
}

/// A window to read from.
pub(super) struct Lent<'a> {
    part: Part,
    _mapping: PhantomData<&'a Mapping<Imported>>,
}

impl Lent<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        self.part.bytes()
    }

    pub(super) fn check(&self) -> Result<()> {
        self.part.check()
    }
}

/// A window to write to.
pub(super) struct LentMut<'a> {
    part: Part,
    _mapping: PhantomData<&'a mut Mapping<Imported>>,
}

impl LentMut<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        self.part.bytes()
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        self.part.bytes_mut()
    }

    pub(super) fn check(&self) -> Result<()> {
        self.part.check()
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        self.check()?;
        Ok(self.part.handle.flush(0, None)?)
    }

    pub(super) fn close(&mut self) -> Result<()> {
        self.check()?;
        self.part.detach()
    }
}

/// Memory that starts with a page and has whole pages.
#[derive(Debug)]
struct Region {
    start: NonNull<u8>,
    layout: Layout,
}

/// How large the largest pages are that systems use: 2 MiB.
const LARGE: usize = 2 << 20;

/// How many regions are kept for the next view.
const MOST_KEPT: usize = 4;

thread_local! {
    /// Regions that are not in use. An allocator would not find their like again among what else is allocated.
    static KEPT: RefCell<Vec<Region>> = const { RefCell::new(Vec::new()) };
}

impl Region {
    /// A region of at least `len` bytes, a multiple of `page`; `None` if there is no memory for it.
    fn take(len: usize, page: usize) -> Option<Self> {
        let kept = KEPT.with_borrow_mut(|kept| {
            let fits = |region: &Region| region.layout.size() >= len && region.layout.size() / 2 <= len;
            kept.iter().position(fits).map(|index| kept.swap_remove(index))
        });
        if kept.is_some() {
            return kept;
        }
        // A file's pages lie in large pieces of memory, which processors find faster where both begin alike.
        let align = if len >= LARGE { LARGE } else { page };
        let layout = Layout::from_size_align(len, align).ok()?;
        // SAFETY: the layout is not of size 0: a view of nothing is no window.
        let start = NonNull::new(unsafe { alloc(layout) })?;
        // The host writes all of it. Zeros would cost as much memory as the window is long, until it is attached.
        // SAFETY: the region has at least one byte.
        unsafe { start.write(0) };
        Some(Self { start, layout })
    }

    /// Its first byte, by which the host knows it.
    fn anchor(&self) -> &[u8] {
        // SAFETY: the region has at least one byte, which `take` wrote.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), 1) }
    }

    /// Keeps the region for the next view, if there are not enough already.
    fn put_back(self) {
        KEPT.with_borrow_mut(|kept| {
            if kept.len() >= MOST_KEPT {
                // The oldest goes: what is needed again and again is taken and put back again and again.
                kept.remove(0);
            }
            kept.push(self);
        });
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout, and nobody else has it.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}
