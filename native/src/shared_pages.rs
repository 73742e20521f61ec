//! Pages that are lent for longer than a borrow of their mapping.

use std::ops::Range;
use std::sync::Arc;

use wasi_mmap_core::{Error, Result};

use crate::pages::MappedPages;
use crate::storage::OsStorage;

/// A part of a mapping's pages that outlives a borrow of the mapping. While it is alive, the mapping is `busy`.
#[derive(Debug, Clone)]
pub struct SharedPages {
    pages: Arc<MappedPages>,
    range: Range<usize>,
}

impl SharedPages {
    /// Checks that none of the bytes was lost to a shorter file or a full disk. Must be called after they were read.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`]; [`Error::NoSpace`].
    pub fn check(&self) -> Result<()> {
        self.pages.check(self.range.clone())
    }
}

impl AsRef<[u8]> for SharedPages {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the caller of `share` promised what `slice` asks for, for as long as this is alive.
        unsafe { self.pages.slice(self.range.clone()) }
    }
}

impl OsStorage {
    /// Lends a part of the pages for longer than a borrow, for code that copies the bytes later.
    ///
    /// # Safety
    ///
    /// As long as the result is alive, nobody may change the bytes or make the file shorter. See
    /// [`Lend`](crate::Lend#safety).
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] (`length`); [`Error::Busy`] while a window holds some of the pages, and if the
    /// mapping may reach past the end of its file.
    pub unsafe fn share(&self, range: Range<u64>) -> Result<SharedPages> {
        let end = usize::try_from(range.end).ok().filter(|&end| end <= self.pages().len());
        let start = usize::try_from(range.start).ok().filter(|&start| Some(start) <= end);
        if !self.is_contiguous() {
            return Err(Error::Busy);
        }
        let (Some(start), Some(end)) = (start, end) else {
            return Err(Error::out_of_range("length", "past the end of the mapping"));
        };
        Ok(SharedPages { pages: Arc::clone(self.pages()), range: start..end })
    }
}
