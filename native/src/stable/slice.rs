//! A slice of a file that nobody changes: a mapping of its own, and what holds the bytes.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use wasi_mmap_core::{Access, Error, MapFlags, MapOptions, Result};

use super::Held;
use crate::os::{self, Hold, Map, Place};
use crate::pages::Pages;
use crate::storage::Native;

/// Bytes of a mapped file that nobody can change, made by [`Stable`](super::Stable). Clones are the same memory.
///
/// It has a mapping of its own: the one that it was made of may be closed.
#[derive(Clone)]
pub struct StableSlice(Arc<Part>);

struct Part {
    /// Dropped first: what is held must be mapped.
    memory: Option<Memory>,
    hold: Hold,
}

/// The memory of bytes, of which there is one at the least.
struct Memory {
    /// Dropped first, as above.
    _place: Place,
    pages: Pages,
    range: Range<usize>,
}

impl StableSlice {
    pub(super) fn of(storage: &Native, range: Range<u64>) -> Result<Self> {
        let Some(file) = storage.visible_file() else {
            return Err(Error::Unsupported("holding memory still that is no file".into()));
        };
        if storage.pages().is_private() && storage.pages().is_writable() {
            let reason = "holding the file's bytes still: the mapping is a copy, which may have other bytes; map the file to read";
            return Err(Error::Unsupported(reason.into()));
        }
        // First the hold: what is looked at from here on stays.
        let hold = Hold::of(file)?;
        let end = storage.file_offset().checked_add(range.end).ok_or(Error::OutOfMemory)?;
        if file.metadata()?.len() < end {
            return Err(Error::Truncated);
        }
        let memory = if range.is_empty() {
            None
        } else {
            let start = storage.file_offset() + range.start;
            let skipped = start % os::granularity();
            let index = |at: u64| usize::try_from(at).map_err(|_| Error::OutOfMemory);
            let range = index(skipped)?..index(skipped + (range.end - range.start))?;
            // What a lease holds may be copied to where it lies one day, and is mapped like memory of that size.
            let options = match hold.held() {
                Held::Lease | Held::Copied => MapOptions::new().access(Access::Copy),
                _ => MapOptions::new().access(Access::Read).flags(MapFlags::NO_RESERVE),
            };
            let pages = Pages::new(Map::of_file(file.try_clone()?, start - skipped, range.end, &options)?);
            let address = pages.pointer(&(0..range.end)).expose_provenance();
            let page = usize::try_from(os::page_size()).map_err(|_| Error::OutOfMemory)?;
            let whole = address..address + range.end.next_multiple_of(page);
            // SAFETY: the pages were mapped for this slice, privately where there is a lease, and whole. Nothing but the place
            // and repairs of faults replaces them: nobody else has them. The place is dropped before they are.
            let (place, ()) = unsafe { hold.keep(whole, || Ok(())) }?;
            Some(Memory { _place: place, pages, range })
        };
        Ok(Self(Arc::new(Part { memory, hold })))
    }

    /// What holds the bytes still now.
    pub fn held(&self) -> Held {
        self.0.hold.held()
    }

    /// Whether all bytes that were read were the file's: whether the disk had them all. To be called after they were read.
    ///
    /// # Errors
    ///
    /// `no-space`, for what the disk could not read; `truncated`.
    pub fn check(&self) -> Result<()> {
        self.0.memory.as_ref().map_or(Ok(()), |memory| memory.pages.check(memory.range.clone()))
    }
}

impl Deref for StableSlice {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        let Some(memory) = &self.0.memory else { return &[] };
        // SAFETY: nobody changes the bytes: no other process, and no other mapping, for they are held, and where the hold ends the
        // same bytes take their place before; and not this one, which is only lent here, to be read.
        unsafe { memory.pages.lend(memory.range.clone()) }
    }
}

impl AsRef<[u8]> for StableSlice {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for StableSlice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StableSlice").field("len", &self.len()).field("held", &self.held()).finish()
    }
}
