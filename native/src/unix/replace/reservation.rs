//! Reserved address space, for memory that grows in place.

use std::io;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::super::page::page_len;
use super::calls;

/// Address space that is reserved until this is dropped, whatever is mapped over it meanwhile. It cannot be accessed
/// before it is [made accessible](Self::make_accessible).
#[derive(Debug)]
pub struct Reservation {
    addresses: Range<usize>,
}

/// Address space that could not be unmapped when its reservation was dropped. Nobody uses it; unmapping is tried again
/// later.
static LEFTOVER: Mutex<Vec<Range<usize>>> = Mutex::new(Vec::new());

impl Reservation {
    /// Reserves `len` bytes of address space, rounded up to whole pages. POSIX `mmap(2)` with `PROT_NONE`.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`; `InvalidInput` for 0 bytes.
    pub fn new(len: usize) -> io::Result<Self> {
        release(None);
        let len = len.checked_next_multiple_of(page_len()).ok_or(io::ErrorKind::OutOfMemory)?;
        let start = calls::reserve(len)?;
        Ok(Self { addresses: start..start + len })
    }

    /// Returns the reserved addresses.
    pub fn addresses(&self) -> Range<usize> {
        self.addresses.clone()
    }

    /// Makes a part readable and writable, in whole pages, which are zeros. `part` counts from the start of the address
    /// space. POSIX `mprotect(2)`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the part is not within the address space; `OutOfMemory`. After an error nothing has changed.
    pub fn make_accessible(&self, part: Range<usize>) -> io::Result<()> {
        let page = page_len();
        let end = part.end.checked_next_multiple_of(page).and_then(|end| self.addresses.start.checked_add(end));
        let pages = match (part.start.checked_next_multiple_of(page), end) {
            (Some(start), Some(end)) if end <= self.addresses.end => self.addresses.start + start..end,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "outside of the reserved address space")),
        };
        if pages.is_empty() {
            return Ok(());
        }
        // SAFETY: the pages belong to this reservation, and inaccessible pages are one area until they are made
        // accessible.
        unsafe { calls::make_accessible(&pages) }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        release(Some(self.addresses.clone()));
    }
}

/// Unmaps address space, and any that could not be unmapped before.
fn release(addresses: Option<Range<usize>>) {
    let mut left = LEFTOVER.lock().unwrap_or_else(PoisonError::into_inner);
    left.extend(addresses);
    // SAFETY: each was a reservation whose owner is gone, and is mapped as a whole, since memory in it is only ever
    // replaced. On failure it still is mapped, and stays ours.
    left.retain(|addresses| unsafe { calls::unmap(addresses) }.is_err());
}
