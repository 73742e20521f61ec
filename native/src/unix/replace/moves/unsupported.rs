//! No moves of pages, on systems without `mremap(2)`.

use std::io;
use std::ops::Range;

/// Returns an error, and touches nothing.
///
/// # Errors
///
/// `Unsupported`.
///
/// # Safety
///
/// None is needed here. On systems that move pages, they belong to the caller.
pub(crate) unsafe fn move_pages(_: usize, _: &Range<usize>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
