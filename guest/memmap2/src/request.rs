//! What [`MmapOptions`](crate::MmapOptions) asks a system for.

use std::io::{Error, ErrorKind, Result};

/// The access to the bytes of a file, and the destination of writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Read the file.
    Read,
    /// Read and execute the file.
    Execute,
    /// Read and write the file.
    Write,
    /// Read the file, and write to private pages.
    Copy,
    /// Read the file through pages that can be made private and writable.
    CopyReadOnly,
}

/// A part of a file.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(any(unix, windows, target_os = "wasi")), allow(dead_code, reason = "no file can be mapped here"))]
pub(crate) struct FileRequest {
    /// The offset in the file, in bytes. Any number.
    pub(crate) offset: u64,
    /// The length in bytes, at most `isize::MAX`.
    pub(crate) len: usize,
    /// Read all pages at once.
    #[cfg_attr(any(windows, target_env = "p1"), allow(dead_code, reason = "not every system has such a hint"))]
    pub(crate) populate: bool,
    /// Reserve no swap space.
    #[cfg_attr(not(unix), allow(dead_code, reason = "only some Unix systems have this"))]
    pub(crate) no_reserve_swap: bool,
    /// Do not find out which access the file allows beyond the requested one.
    #[cfg_attr(not(windows), allow(dead_code, reason = "only Windows needs to know in advance"))]
    pub(crate) no_probe_handle: bool,
}

/// Memory without a file.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(unix), allow(dead_code, reason = "other systems have the length only"))]
pub(crate) struct AnonymousRequest {
    /// The length in bytes, at most `isize::MAX`.
    pub(crate) len: usize,
    /// The memory is meant for a stack.
    pub(crate) stack: bool,
    /// Fill all pages with zeros at once.
    pub(crate) populate: bool,
    /// The logarithm of the size of huge pages, or 0 for the system's default.
    pub(crate) huge: Option<u8>,
    /// Reserve no swap space.
    pub(crate) no_reserve_swap: bool,
}

/// Returns a length as the length of a slice.
///
/// # Errors
///
/// `InvalidData` if it is more than `isize::MAX`, which is the most that Rust allows.
pub(crate) fn slice_len(len: u64) -> Result<usize> {
    let fits = isize::try_from(len).ok().and_then(|len| usize::try_from(len).ok());
    fits.ok_or_else(|| Error::new(ErrorKind::InvalidData, "memory map length overflows isize"))
}

/// Checks a range of a mapping of `mapped` bytes.
///
/// # Errors
///
/// `InvalidInput` if the range is not within the mapping.
#[cfg(any(unix, windows, target_os = "wasi"))]
pub(crate) fn check_range(offset: usize, len: usize, mapped: usize) -> Result<()> {
    match offset.checked_add(len) {
        Some(end) if end <= mapped => Ok(()),
        _ => Err(ErrorKind::InvalidInput.into()),
    }
}

/// Clips a range that advice is for. It must start within the mapping, and may end up to its length past it, because
/// advice is for whole pages.
///
/// # Errors
///
/// `InvalidInput` for other ranges.
#[cfg(any(unix, target_os = "wasi"))]
pub(crate) fn advised_len(offset: usize, len: usize, mapped: usize) -> Result<usize> {
    match mapped.checked_sub(offset) {
        Some(rest) if len <= mapped => Ok(len.min(rest)),
        _ => Err(ErrorKind::InvalidInput.into()),
    }
}
