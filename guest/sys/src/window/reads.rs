//! Reading from a window while others may change its bytes.

use std::ops::Range;
use std::ptr;
use std::slice;
use std::sync::atomic::{Ordering, compiler_fence};

use wasi_mmap_core::{Error, Result, SHORT_LINE, line_feed_in};

use super::Window;

/// The size of a part of a window that is lost as a whole: no system has smaller pages.
const SMALLEST_PAGE: usize = 4096;

impl Window {
    /// Copies the bytes at `at` in the window to `buffer`.
    ///
    /// A lost page reads as zeros, so the host is asked whether one is lost only where the page that was read is zero
    /// from its start to its end.
    ///
    /// # Errors
    ///
    /// Those of [`check`](Self::check). The contents of `buffer` are unspecified then.
    ///
    /// # Panics
    ///
    /// If the bytes are not within the window's memory.
    #[inline]
    pub fn read(&self, at: usize, buffer: &mut [u8]) -> Result<()> {
        let source = self.pointer(at, buffer.len());
        // SAFETY: the window's memory has these bytes, as just checked, and `buffer` is not in it: it can be borrowed.
        unsafe { copy(source, buffer) };
        if self.may_be_lost(at, buffer) { self.check() } else { Ok(()) }
    }

    /// Appends the bytes of `range` in the window up to and including the first line feed to `line`. Without a line
    /// feed, appends all of them if `is_last`, and nothing otherwise. Returns whether the line was appended.
    ///
    /// # Errors
    ///
    /// Those of [`check`](Self::check); [`Error::OutOfMemory`]. Some bytes may have been appended then.
    ///
    /// # Panics
    ///
    /// If the range is not within the window's memory.
    #[inline]
    pub fn append_line(&self, range: Range<usize>, is_last: bool, line: &mut Vec<u8>) -> Result<bool> {
        let source = self.pointer(range.start, range.len());
        let old = line.len();
        // SAFETY: the window's memory has these bytes, as just checked, and the vector's is not in it.
        let appended = unsafe { append_short_line(source, range.len(), line) };
        // SAFETY: as above.
        if !appended && !unsafe { append_any_line(source, range.len(), is_last, line) }? {
            return Ok(false);
        }
        if self.may_be_lost(range.start, &line[old..]) {
            self.check()?;
        }
        Ok(true)
    }

    /// Returns the address of `len` bytes of the window.
    #[inline]
    fn pointer(&self, at: usize, len: usize) -> *const u8 {
        let region = self.region();
        assert!(at.checked_add(len).is_some_and(|end| end <= region.len()), "the bytes are within the window");
        // SAFETY: the address is within the region, as just checked.
        unsafe { region.as_ptr().add(at) }
    }

    /// Returns true if some of the bytes that were copied from `at` may be the zeros of a lost page.
    ///
    /// A page is lost at the access that does not find it, and stays zero. So a byte that is not zero after the copy
    /// shows that the page was there during the copy.
    #[inline]
    fn may_be_lost(&self, at: usize, copied: &[u8]) -> bool {
        compiler_fence(Ordering::SeqCst);
        let mut done = 0;
        while done < copied.len() {
            let first = at + done;
            let page = first - first % SMALLEST_PAGE;
            let end = copied.len().min(page + SMALLEST_PAGE - at);
            let seen = copied[done..end].iter().position(|&byte| byte != 0);
            if seen.is_none_or(|index| self.byte(first + index) == 0) && self.is_zero_page(page) {
                return true;
            }
            done = end;
        }
        false
    }

    #[inline]
    fn byte(&self, at: usize) -> u8 {
        // SAFETY: the address is within the window's memory, as `pointer` checks.
        unsafe { self.pointer(at, 1).read_volatile() }
    }

    /// Returns true if a page of the window, at `at`, consists of zeros.
    #[cold]
    fn is_zero_page(&self, at: usize) -> bool {
        let words = self.pointer(at, SMALLEST_PAGE).cast::<u64>();
        // SAFETY: the words are within the window's memory, as `pointer` has checked, which starts at a page's border,
        // as `at` does within it.
        (0..SMALLEST_PAGE / size_of::<u64>()).all(|index| unsafe { words.wrapping_add(index).read_volatile() } == 0)
    }
}

/// Appends the first of some lines, if it ends soon, and the vector has room for it already. Returns whether it did. A
/// line is searched and copied in one pass, of whole words.
///
/// # Safety
///
/// `len` bytes can be read at `source`, and the vector's memory is not among them.
#[inline]
unsafe fn append_short_line(source: *const u8, len: usize, line: &mut Vec<u8>) -> bool {
    let (old, spare) = (line.len(), line.spare_capacity_mut());
    let (target, most) = (spare.as_mut_ptr().cast::<u8>(), spare.len().min(len).min(SHORT_LINE));
    let mut at = 0;
    while at + 8 <= most {
        // SAFETY: the word is within both. Others may change the bytes meanwhile, of which each is read once.
        let word = unsafe { source.wrapping_add(at).cast::<[u8; 8]>().read() };
        // SAFETY: as above.
        unsafe { target.wrapping_add(at).cast::<[u8; 8]>().write(word) };
        if let Some(index) = line_feed_in(word) {
            // SAFETY: the bytes up to there were just written, and lie within the capacity.
            unsafe { line.set_len(old + at + index + 1) };
            return true;
        }
        at += 8;
    }
    false
}

/// Appends the first of some lines, as [`Window::append_line`] does.
///
/// # Safety
///
/// As for [`append_short_line`].
unsafe fn append_any_line(source: *const u8, len: usize, is_last: bool, line: &mut Vec<u8>) -> Result<bool> {
    // SAFETY: the bytes can be read. Others may change them during the search, which is formally a data race. memchr
    // treats each byte as a value, and none as an index or a length, so a changed byte can make its result wrong and do
    // nothing else.
    let found = memchr::memchr(b'\n', unsafe { slice::from_raw_parts(source, len) });
    let count = match found {
        Some(index) => index + 1,
        None if is_last => len,
        None => return Ok(false),
    };
    line.try_reserve(count).map_err(|_| Error::OutOfMemory)?;
    let old = line.len();
    // SAFETY: the bytes can be read, and fit into the reserved memory.
    unsafe { ptr::copy_nonoverlapping(source, line.as_mut_ptr().wrapping_add(old), count) };
    // SAFETY: the bytes were just written.
    unsafe { line.set_len(old + count) };
    Ok(true)
}

/// Copies `buffer.len()` bytes. Most reads are short, and a call of `memcpy` takes longer than those.
///
/// # Safety
///
/// As many bytes can be read at `source`, and `buffer` is not among them.
#[inline]
unsafe fn copy(source: *const u8, buffer: &mut [u8]) {
    let (target, len) = (buffer.as_mut_ptr(), buffer.len());
    let ends = |size: usize| [0, len - size];
    // SAFETY, for all: the accesses are to the first `len` bytes of either. Two that overlap cover a length between theirs.
    match len {
        // SAFETY: as said above.
        0..=3 => (0..len).for_each(|at| unsafe { copy_at::<u8>(source, target, at) }),
        // SAFETY: as said above.
        4..=7 => ends(4).into_iter().for_each(|at| unsafe { copy_at::<u32>(source, target, at) }),
        // SAFETY: as said above.
        8..=16 => ends(8).into_iter().for_each(|at| unsafe { copy_at::<u64>(source, target, at) }),
        // SAFETY: as said above.
        _ => unsafe { ptr::copy_nonoverlapping(source, target, len) },
    }
}

/// Copies a number at any address, which is read once.
///
/// # Safety
///
/// It can be read at `at` bytes from `source`, and written as far from `target`, which is elsewhere.
#[inline]
unsafe fn copy_at<T: Copy>(source: *const u8, target: *mut u8, at: usize) {
    // SAFETY: the caller's promise.
    let number = unsafe { source.wrapping_add(at).cast::<T>().read_unaligned() };
    // SAFETY: as above.
    unsafe { target.wrapping_add(at).cast::<T>().write_unaligned(number) };
}
