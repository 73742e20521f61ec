//! The unsafe tier: the pages themselves, for a program that knows who else has the file.

use std::ops::Range;
use std::sync::Arc;

use wasi_mmap_core::{Error, Result, Storage};

use crate::pages::Pages;
use crate::{Mapping, Native};

/// Lends a mapping's pages instead of copying.
///
/// # Safety
///
/// All methods share memmap2's contract. As long as what they answer lives, nobody may change the bytes or make the
/// file shorter: no other process, no other mapping of the file, no other handle to it. A change that the compiler does
/// not expect is undefined behaviour. When the file is made shorter all the same, the process does not die: the
/// bytes read as zeros, and [`check`](Self::check) says so.
pub trait Lend {
    /// All bytes of the mapping.
    ///
    /// # Safety
    ///
    /// See [the trait](Lend#safety).
    ///
    /// # Errors
    ///
    /// `closed`; `busy`.
    unsafe fn as_slice(&self) -> Result<&[u8]>;

    /// All bytes of the mapping, to be written.
    ///
    /// # Safety
    ///
    /// See [the trait](Lend#safety); nobody may read the bytes otherwise, too.
    ///
    /// # Errors
    ///
    /// `closed`; `read-only`; `busy`.
    unsafe fn as_mut_slice(&mut self) -> Result<&mut [u8]>;

    /// Whether what was read from a range can be trusted: whether none of it was lost.
    ///
    /// # Errors
    ///
    /// `closed`; `out-of-range` (`offset`, `length`); `truncated`; `no-space`.
    fn check(&self, range: Range<u64>) -> Result<()>;
}

impl Lend for Mapping {
    unsafe fn as_slice(&self) -> Result<&[u8]> {
        let pages = self.storage()?.whole_pages()?;
        // SAFETY: the caller promises what `lend` asks for.
        Ok(unsafe { pages.lend(0..pages.len()) })
    }

    unsafe fn as_mut_slice(&mut self) -> Result<&mut [u8]> {
        self.storage()?.whole_pages()?;
        let pages = self.storage_mut()?.writable_pages()?;
        let len = pages.len();
        // SAFETY: the caller promises what `lend_mut` asks for.
        Ok(unsafe { pages.lend_mut(0..len) })
    }

    fn check(&self, range: Range<u64>) -> Result<()> {
        let range = self.range(range.start, range.end.saturating_sub(range.start))?;
        self.storage()?.check(range)
    }
}

/// A part of a mapping's pages that outlives a borrow of the mapping. While it lives the mapping is `busy`.
#[derive(Debug, Clone)]
pub struct Shared {
    pages: Arc<Pages>,
    range: Range<usize>,
}

impl Shared {
    /// Whether none of it was lost to a shorter file or a full disk. To be called after it was read.
    ///
    /// # Errors
    ///
    /// `truncated`; `no-space`.
    pub fn check(&self) -> Result<()> {
        self.pages.check(self.range.clone())
    }
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: whoever made this promised what `lend` asks for, for as long as it lives.
        unsafe { self.pages.lend(self.range.clone()) }
    }
}

impl Native {
    /// Whether all pages are where they belong, so that they can be lent: none was moved into a window.
    pub fn is_whole(&self) -> bool {
        self.pages().is_whole()
    }

    /// The pages, if they are all where they belong.
    fn whole_pages(&self) -> Result<&Arc<Pages>> {
        let pages = self.pages();
        if pages.is_whole() { Ok(pages) } else { Err(Error::Busy) }
    }

    /// Lends a part of the pages for longer than a borrow, for code that copies the bytes later.
    ///
    /// # Safety
    ///
    /// See [`Lend`](Lend#safety).
    ///
    /// # Errors
    ///
    /// `out-of-range` (`length`); `busy`, while a part of the pages lies in a window.
    pub unsafe fn share(&self, range: Range<u64>) -> Result<Shared> {
        let end = usize::try_from(range.end).ok().filter(|&end| end <= self.pages().len());
        let start = usize::try_from(range.start).ok().filter(|&start| Some(start) <= end);
        self.whole_pages()?;
        let (Some(start), Some(end)) = (start, end) else {
            return Err(Error::out_of_range("length", "past the end of the mapping"));
        };
        Ok(Shared { pages: Arc::clone(self.pages()), range: start..end })
    }

    /// Whether none of a range was lost to a shorter file or a full disk.
    ///
    /// # Errors
    ///
    /// `truncated`; `no-space`.
    pub fn check(&self, range: Range<u64>) -> Result<()> {
        let index = |at: u64| usize::try_from(at.min(self.len())).unwrap_or(usize::MAX);
        self.pages().check(index(range.start)..index(range.end))
    }
}
