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
//! - What other processes write to the file becomes visible after a flush, a refresh, or an eviction of the page.
//! - What is written to the mapping reaches the file on flush, eviction, resize, close or drop.
//! - On WASI, both happen at once for ordinary reads and writes of the plugin itself, if the mapping is in the cache of
//!   its thread. On other systems, and through the fallback component, a program's own I/O is like that of others.
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
//! `docs/page-cache.md` in the repository says how the cache was designed, and what it was measured against.

/// Tells tools, such as `wasi-mmap inspect`, that a plugin has the fallback in itself.
#[cfg(target_family = "wasm")]
#[expect(unsafe_code, reason = "names a section; a custom section of this name has no meaning to an engine")]
#[used]
#[unsafe(link_section = "wasi-mmap:fallback")]
static SECTION: [u8; env!("CARGO_PKG_VERSION").len()] = {
    let mut version = [0; env!("CARGO_PKG_VERSION").len()];
    version.copy_from_slice(env!("CARGO_PKG_VERSION").as_bytes());
    version
};

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
///
/// It is neither [`Send`] nor [`Sync`]: the mappings of a thread share its cache without a lock.
pub type Mapping = wasi_mmap_core::Mapping<CachedStorage<StdFile>>;

/// The options of a new mapping. See [`wasi_mmap_core::MappingOptions`].
pub type MappingOptions = wasi_mmap_core::MappingOptions<CachedStorage<StdFile>>;
