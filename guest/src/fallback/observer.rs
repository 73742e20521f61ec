//! The ordinary file I/O of a plugin, which its mappings see at once, and which sees theirs.

use std::ops::Range;

use wasi_mmap_sys::observer::Observer;

use super::backend::with_cache_of_this_thread;
use super::file::FileId;

/// Keeps the cache of this thread and the files that the plugin reads and writes the same.
#[derive(Debug)]
pub(super) struct CacheObserver;

impl Observer for CacheObserver {
    fn before(&self, (upper, lower): (u64, u64), range: &Range<u64>) {
        with_cache_of_this_thread(|cache| cache.before_io(FileId(upper, lower), range));
    }

    fn after_write(&self, (upper, lower): (u64, u64), range: &Range<u64>) {
        with_cache_of_this_thread(|cache| cache.after_write(FileId(upper, lower), range));
    }
}
