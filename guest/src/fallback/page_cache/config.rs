//! The options of a cache, and its statistics.

/// Options of a [`Cache`](super::Cache): its page size and memory budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct CacheOptions {
    pub(super) page_size: usize,
    pub(super) budget: usize,
}

impl Default for CacheOptions {
    /// Pages of 64 KiB, which is the most that WASI reads in one call, and a budget of 16 MiB.
    fn default() -> Self {
        Self { page_size: 64 * 1024, budget: 16 * 1024 * 1024 }
    }
}

impl CacheOptions {
    /// Returns the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the page size, the unit that the cache reads, in bytes. It is rounded up to a power of two, at least 4096.
    pub fn page_size(mut self, bytes: usize) -> Self {
        self.page_size = bytes.clamp(4096, 1 << 30).next_power_of_two();
        self
    }

    /// Sets the memory budget in bytes. The cache always has at least two pages. An eighth of the budget is for the
    /// write buffer, which holds small writes to pages that are not in the cache.
    pub fn budget(mut self, bytes: usize) -> Self {
        self.budget = bytes;
        self
    }
}

/// Statistics of a [`Cache`](super::Cache).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Accesses that found their page in the cache.
    pub hits: u64,
    /// Accesses that read their page from the file.
    pub misses: u64,
    /// Bytes read from files.
    pub bytes_read: u64,
    /// Calls that wrote to a file.
    pub writes: u64,
    /// Bytes written to files.
    pub bytes_written: u64,
    /// Memory that the pages and the write buffer take now, in bytes.
    pub memory: usize,
}
