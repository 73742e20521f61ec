//! The size of a page, and the plugin's memory.

use std::hint::black_box;
use std::ops::Range;
use std::sync::OnceLock;

use wasi_mmap_sys::bindings::wasi_mmap::mmap::mapping::granularity;
use wasi_mmap_sys::copies;
use wasi_mmap_sys::window;

/// A page of WebAssembly.
const WASM_PAGE: usize = 64 << 10;

/// Returns the number of bytes of which addresses and offsets in files are multiples: what the host aligns windows to,
/// or 4096 if there are none.
pub(crate) fn size() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    *SIZE.get_or_init(|| {
        let host = window::alignment().map_or(0, |window| window.max(granularity()));
        let host = usize::try_from(host).ok().filter(|host| host.is_power_of_two());
        host.unwrap_or(0).max(copies::PAGE)
    })
}

/// Returns the range that starts at an address, rounded up to whole pages; `None` if that is past the last address.
pub(crate) fn whole(start: usize, len: usize) -> Option<Range<usize>> {
    let len = len.checked_next_multiple_of(size())?;
    Some(start..start.checked_add(len)?)
}

/// Makes the plugin's memory at least `len` bytes longer, and returns what is new: zeros.
pub(crate) fn grow(len: usize) -> Option<Range<usize>> {
    // Some versions of the C library take all memory that there is for their heap when the first bytes are allocated.
    drop(black_box(Box::new(0_u8)));
    let pages = len.div_ceil(WASM_PAGE);
    let before = core::arch::wasm32::memory_grow(0, pages);
    // The last page of a memory of 4 GiB ends past the last address.
    if before == usize::MAX || before + pages > usize::MAX / WASM_PAGE {
        return None;
    }
    Some(before * WASM_PAGE..(before + pages) * WASM_PAGE)
}

/// Returns whether a range lies within the plugin's memory.
pub(crate) fn is_memory(range: &Range<usize>) -> bool {
    range.end.div_ceil(WASM_PAGE) <= core::arch::wasm32::memory_size(0)
}
