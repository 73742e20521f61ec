//! The memory that windows lie in.

use std::alloc::{Layout, alloc, dealloc};
use std::cell::RefCell;
use std::ptr::NonNull;
use std::slice;

/// Memory for windows: whole pages.
#[derive(Debug)]
pub struct Region {
    start: NonNull<u8>,
    layout: Layout,
    /// Whether it was allocated here.
    is_owned: bool,
}

// SAFETY: memory that nobody else has, and that belongs to no thread.
unsafe impl Send for Region {}
// SAFETY: a shared region hands out its address, and reads bytes that nobody writes.
unsafe impl Sync for Region {}

/// The size of a large page on most systems: 2 MiB.
const LARGE_PAGE: usize = 2 << 20;

/// The most regions that are kept for the next window.
const MAX_KEPT: usize = 4;

thread_local! {
    /// Regions that are not in use. Returned to the allocator, they would be split for other allocations.
    static KEPT: RefCell<Vec<Region>> = const { RefCell::new(Vec::new()) };
}

impl Region {
    /// Takes a region of at least `len` bytes, which are not 0, and rounds up to whole pages of `page` bytes, a power
    /// of two. Its contents are unspecified. Returns `None` if memory is exhausted.
    #[must_use]
    pub fn take(len: usize, page: usize) -> Option<Self> {
        let len = len.max(1).checked_next_multiple_of(page)?;
        let kept = KEPT.with_borrow_mut(|kept| {
            let fits =
                |region: &Region| region.len() >= len && region.len() / 2 <= len && region.layout.align() >= page;
            kept.iter().position(fits).map(|index| kept.swap_remove(index))
        });
        if kept.is_some() {
            return kept;
        }
        // The file's pages may be cached as large pages, which are mapped as such only at addresses aligned alike.
        let large = (len >= LARGE_PAGE).then(|| Self::allocate(len, LARGE_PAGE)).flatten();
        large.or_else(|| Self::allocate(len, page))
    }

    /// Allocates a region of `len` bytes, which are not 0.
    fn allocate(len: usize, align: usize) -> Option<Self> {
        let layout = Layout::from_size_align(len, align).ok()?;
        // SAFETY: the size is not 0. If the allocation fails, the pointer is null, which is checked.
        let start = NonNull::new(unsafe { alloc(layout) })?;
        // The host replaces all of it. Until then, zero-filling would take as much memory as the window is long.
        let last = len.checked_sub(1)?;
        // SAFETY: the region has at least one byte.
        unsafe { start.write(0) };
        // SAFETY: as above.
        unsafe { start.as_ptr().wrapping_add(last).write(0) };
        Some(Self { start, layout, is_owned: true })
    }

    /// Uses memory that belongs to somebody else, who keeps it after this is dropped. Returns `None` if `len` is not a
    /// multiple of `page`, a power of two.
    ///
    /// # Safety
    ///
    /// The memory has `len` initialized bytes, which are not 0, and starts at a multiple of `page`. As long as this exists, it
    /// stays, and nobody else uses it.
    #[must_use]
    pub unsafe fn borrowed(start: NonNull<u8>, len: usize, page: usize) -> Option<Self> {
        let layout = Layout::from_size_align(len, page).ok()?;
        len.is_multiple_of(page).then_some(Self { start, layout, is_owned: false })
    }

    /// Returns the length in bytes: whole pages.
    #[expect(clippy::len_without_is_empty, reason = "a region is never empty")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.layout.size()
    }

    /// Returns the address.
    #[must_use]
    pub fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Returns the first byte, whose address tells the host where the region is.
    pub(super) fn anchor(&self) -> &[u8] {
        // SAFETY: the region has at least one byte, which `allocate` or its owner has written.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), 1) }
    }

    /// Returns the last byte, which tells the host that all of the region is the plugin's.
    pub(super) fn end(&self) -> &[u8] {
        // SAFETY: as for `anchor`: the length is not 0.
        unsafe { slice::from_raw_parts(self.start.as_ptr().wrapping_add(self.layout.size() - 1), 1) }
    }

    /// Keeps the region for the next window, instead of the oldest one if there are enough. Memory of somebody else is
    /// not kept.
    pub fn put_back(self) {
        if !self.is_owned {
            return;
        }
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
        if self.is_owned {
            // SAFETY: the region was allocated with this layout, and is not used any more.
            unsafe { dealloc(self.start.as_ptr(), self.layout) };
        }
    }
}
