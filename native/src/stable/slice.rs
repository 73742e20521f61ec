//! A slice of a file: a mapping of its own, and the guarantee that its bytes do not change.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use wasi_mmap_core::{Access, Error, MapFlags, MapOptions, Result};

use crate::pages::MappedPages;
use crate::stability::{Guarantee, Stability, StablePages, unstable};
use crate::storage::OsStorage;
use crate::sys::{self, OsMapping};

/// Bytes of a mapped file that nobody can change, made by [`Stable`](crate::Stable). Clones share their memory.
///
/// The slice has a mapping of its own, so the mapping that it was taken from may be closed.
#[derive(Clone)]
pub struct StableSlice(Arc<Inner>);

struct Inner {
    /// `None` for an empty slice.
    bytes: Option<Bytes>,
    guarantee: Guarantee,
}

/// The bytes of a slice, and the pages that they lie in.
struct Bytes {
    /// Dropped first: covered memory must be mapped.
    _stable: StablePages,
    pages: MappedPages,
    range: Range<usize>,
}

impl StableSlice {
    pub(super) fn of(storage: &OsStorage, range: Range<u64>) -> Result<Self> {
        let Some(file) = storage.visible_file() else {
            return Err(Error::Unsupported("a stable slice of memory, which has no file".into()));
        };
        if storage.pages().is_private() && storage.pages().is_writable() {
            return Err(unstable("the mapping is a copy, which may have other bytes; map the file for reading"));
        }
        // The guarantee comes first: the file's length and bytes do not change from here on.
        let guarantee = Guarantee::of(file)?;
        let end = storage.file_offset().checked_add(range.end).ok_or(Error::OutOfMemory)?;
        if file.metadata()?.len() < end {
            return Err(Error::Truncated);
        }
        let bytes = if range.is_empty() {
            None
        } else {
            let start = storage.file_offset() + range.start;
            let skipped = start % sys::granularity();
            let index = |at: u64| usize::try_from(at).map_err(|_| Error::OutOfMemory);
            let range = index(skipped)?..index(skipped + (range.end - range.start))?;
            // With a lease, the pages may have to be replaced by copies later, so memory is reserved for them.
            let options = match guarantee.stability() {
                Stability::Lease | Stability::Copied => MapOptions::new().access(Access::Copy),
                _ => MapOptions::new().access(Access::Read).flags(MapFlags::NO_RESERVE),
            };
            let pages = MappedPages::new(OsMapping::of_file(file.try_clone()?, start - skipped, range.end, &options)?);
            let address = pages.pointer(&(0..range.end)).expose_provenance();
            let page = usize::try_from(sys::page_size()).map_err(|_| Error::OutOfMemory)?;
            let whole = address..address + range.end.next_multiple_of(page);
            pages.set_stable();
            // SAFETY: the pages were mapped for this slice, privately if there is a lease, and whole. Nobody else has
            // them, so only the end of the lease replaces them, and nobody writes there. The stable pages are dropped
            // before they are unmapped.
            let (stable, ()) = unsafe { guarantee.cover(whole, &(start - skipped..end), false, || Ok(())) }?;
            Some(Bytes { _stable: stable, pages, range })
        };
        Ok(Self(Arc::new(Inner { bytes, guarantee })))
    }

    /// Returns the reason why the bytes do not change at present.
    pub fn stability(&self) -> Stability {
        self.0.guarantee.stability()
    }

    /// Checks that all bytes read until now were the file's. They always are: where they cannot be, the process ends.
    ///
    /// # Errors
    ///
    /// None at present.
    pub fn check(&self) -> Result<()> {
        self.0.bytes.as_ref().map_or(Ok(()), |bytes| bytes.pages.check(bytes.range.clone()))
    }
}

impl Deref for StableSlice {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        let Some(bytes) = &self.0.bytes else { return &[] };
        // SAFETY: nobody changes the bytes. Other processes and mappings cannot, because of the guarantee; before a
        // lease ends, a copy with the same bytes takes their place. This mapping is only lent here, for reading.
        unsafe { bytes.pages.slice(bytes.range.clone()) }
    }
}

impl AsRef<[u8]> for StableSlice {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for StableSlice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StableSlice").field("len", &self.len()).field("stability", &self.stability()).finish()
    }
}
