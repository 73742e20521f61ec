//! Address space that is reserved whole, for memory that grows in place.

use std::io;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::calls;
use crate::os::page_len;

/// Address space that belongs to its owner until it is dropped, whatever is put there meanwhile. Nothing in it can be accessed
/// before it is [made accessible](Self::make_accessible).
#[derive(Debug)]
pub struct Reservation {
    addresses: Range<usize>,
}

/// Address space that could not be given back when its owner was dropped. Nobody uses it; it is tried again.
static LEFT: Mutex<Vec<Range<usize>>> = Mutex::new(Vec::new());

impl Reservation {
    /// Reserves address space: so many bytes, rounded up to whole pages. POSIX `mmap(2)`.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`; `InvalidInput`, for 0 bytes.
    pub fn new(len: usize) -> io::Result<Self> {
        give_back(None);
        let len = len.checked_next_multiple_of(page_len()).ok_or(io::ErrorKind::OutOfMemory)?;
        let start = calls::reserve(len)?;
        Ok(Self { addresses: start..start + len })
    }

    /// Returns the addresses.
    pub fn addresses(&self) -> Range<usize> {
        self.addresses.clone()
    }

    /// Lets a part be read and written, in whole pages: zeros. POSIX `mprotect(2)`.
    ///
    /// # Errors
    ///
    /// `InvalidInput`, if the part is not within the address space; `OutOfMemory`. Nothing has changed then.
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
        // SAFETY: the pages are this reservation's, and what could not be accessed is one area until it can be.
        unsafe { calls::make_accessible(&pages) }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        give_back(Some(self.addresses.clone()));
    }
}

/// Gives address space back, and with it what could not be given back before.
fn give_back(addresses: Option<Range<usize>>) {
    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    left.extend(addresses);
    // SAFETY: each was a reservation, whose owner is gone, and is mapped as a whole: what was put in it was put over what was there.
    // On failure it still is, and stays ours.
    left.retain(|addresses| unsafe { calls::unmap(addresses) }.is_err());
}
