//! The fallback: mappings simulated with ordinary file reads and writes, for where there are no real ones.
//!
//! A bounded [`Cache`] of pages stands between the mappings and their files, so that a file of any size costs the budget and
//! not its length. All mappings of one file in one program see each other through the cache. Shared changes are written
//! back on flush, eviction, resize, close and drop: only the bytes that were changed, never a whole page. Private changes and
//! memory without a file stay in memory.
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
//! - What others write to the file, the plugin's own ordinary writes among them, is seen after a flush or a refresh, or when
//!   the page has left the cache by itself.
//! - What is written to the mapping reaches the file at a flush, an eviction, a resize, a close or a drop.
//! - Nothing is shared between processes.
//! - Advice is a hint to the cache; `dont-need` and `will-need` are followed.
//! - `truncated` is seen when a page is next read from the file, or first written.

//!
//! # How the cache works, and what it was measured against
//!
//! - **Pages of 64 KiB**, in blocks of 4 KiB that are read by themselves where access is random. With pages of 16 or 256 KiB scans take
//!   a fourth more; other operations differ by less than a machine's noise (`cargo xtask bench pages`).
//! - **Replacement** is GCLOCK (Smith 1978) behind the remembered pages of 2Q (Johnson and Shasha 1994): a page that is read whole, or of
//!   which a few bytes are read out of order, goes straight to the caller the first time, and gets memory the second. With GCLOCK alone a
//!   scan took 1.27 times what `File::read` does and the whole budget; it takes 0.97 and a page.
//! - **Read-ahead**: what follows the page before it is read whole. A scan of small reads, as of lines, keeps four pages from its 16th on.
//! - **Small writes** to pages that are not there are kept as they came, in an eighth of the budget, and written in the order of the
//!   file. When each fetched its block and was written at its eviction, random writes took 2.7 times as long.
//! - Only changed bytes are written. To join changes over the bytes between them would be faster, and would overwrite what others wrote
//!   there meanwhile.

mod cache;
mod dirty;
mod file;
mod frames;
mod overlay;
mod pages;
mod patches;
mod std_file;
mod storage;

pub use cache::{Cache, CacheOptions, CacheStats};
pub use file::{File, FileId};
pub use std_file::StdFile;
pub use storage::Cached;

/// A mapping over the page cache: see [`wasi_mmap_core::Mapping`] for its operations.
pub type Mapping = wasi_mmap_core::Mapping<Cached<StdFile>>;

/// The options of a new mapping: see [`wasi_mmap_core::MappingOptions`].
pub type MappingOptions = wasi_mmap_core::MappingOptions<Cached<StdFile>>;

/// What the fallback gives for the size of a page, and for the granularity of offsets, in bytes: those of most systems.
pub const PAGE_SIZE: u64 = 4096;

/// The same, for indices.
const PAGE_LEN: usize = 4096;
