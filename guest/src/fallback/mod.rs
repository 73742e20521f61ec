//! The fallback: mappings over ordinary file reads and writes, for systems without real ones.
//!
//! A bounded page [`Cache`] lies between the mappings and their files, so that a file of any size takes no more memory
//! than the cache's budget. All mappings of one file in one program see each other's changes through the cache. Shared
//! changes are written back on flush, eviction, resize, close and drop: only the changed bytes, never whole pages.
//! Private changes and memory without a file stay in memory.
//!
//! ```
//! use wasi_mmap::{Access, fallback};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("greeting");
//! std::fs::write(&path, "hello, world\n")?;
//! let mut mapping = fallback::Mapping::options().access(Access::Write).open(&path)?;
//! mapping.write_all_at(b"there", 7)?;
//! mapping.flush()?;
//! assert_eq!(std::fs::read(&path)?, b"hello, there\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Differences from a real mapping
//!
//! - What others write to the file, including ordinary writes of the plugin itself, becomes visible after a flush, a
//!   refresh, or an eviction of the page.
//! - What is written to the mapping reaches the file on flush, eviction, resize, close or drop.
//! - Nothing is shared between processes.
//! - Advice only affects the cache. It follows `dont-need` and `will-need`.
//! - [`Error::Truncated`](crate::Error::Truncated) is reported when a page is next read from the file, or first
//!   written.
//!
//! # Structure
//!
//! Each module uses only those below it.
//!
//! | module | contains |
//! |---|---|
//! | `backend` | the constructors of [`Mapping`], and the cache of each thread |
//! | `storage` | [`CachedStorage`]: a mapping's source of bytes, and its private pages |
//! | `page_cache` | [`Cache`]: frames, page table, eviction, write buffer, write-back |
//! | `named_memory`, `private_pages` | memory with a name; copy-on-write pages |
//! | `std_file` | [`StdFile`]: the standard library's files |
//! | `file`, `page` | the trait [`File`]: I/O by offset; the size of pages |
//!
//! # Design of the cache
//!
//! - **Pages of 64 KiB**, in blocks of 4 KiB that are read separately where access is random. With pages of 16 or 256
//!   KiB, scans take a quarter longer; other operations differ by less than the noise (`cargo xtask bench pages`).
//! - **Replacement** is GCLOCK (Smith 1978) behind the ghost entries of 2Q (Johnson and Shasha 1994): the first read of
//!   a whole page, or of a few bytes out of order, goes straight to the caller, and the second one gives the page a
//!   frame. With GCLOCK alone, a scan took 1.27 times as long as `File::read` and the whole budget; now it takes 0.97
//!   times as long and one page.
//! - **Read-ahead**: a page that follows the one before it is read as a whole. A scan by small reads, such as lines,
//!   keeps four pages from its 16th page on.
//! - **Small writes** to pages that are not in the cache go to a write buffer, an eighth of the budget, and are written
//!   in the order of the file. When each write fetched its block, and eviction wrote it, random writes took 2.7 times
//!   as long.
//! - Only changed bytes are written. Merging changes over the bytes between them would be faster, but would overwrite
//!   what others wrote there in the meantime.

mod backend;
mod file;
mod named_memory;
mod page;
mod page_cache;
mod private_pages;
mod std_file;
mod storage;

pub use file::{File, FileId};
pub use page::PAGE_SIZE;
pub use page_cache::{Cache, CacheOptions, CacheStats};
pub use std_file::StdFile;
pub use storage::CachedStorage;

/// A mapping over the page cache. See [`wasi_mmap_core::Mapping`] for its operations.
pub type Mapping = wasi_mmap_core::Mapping<CachedStorage<StdFile>>;

/// The options of a new mapping. See [`wasi_mmap_core::MappingOptions`].
pub type MappingOptions = wasi_mmap_core::MappingOptions<CachedStorage<StdFile>>;
