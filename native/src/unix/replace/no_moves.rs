//! Moves of pages, on systems without `mremap(2)`: refused.

use std::io;
use std::ops::Range;

/// Refuses to move pages, before anything is touched.
///
/// # Errors
///
/// `Unsupported`.
///
/// # Safety
///
/// None is needed here; where pages are moved, they belong to the caller.
pub(crate) unsafe fn move_pages(_: usize, _: &Range<usize>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
