//! The page cache: bounded memory between mappings and their files.
//!
//! [`PageCache`](state::PageCache) owns all state. Its parts know nothing of each other, and each module uses only
//! those below it:
//!
//! | module | contains |
//! |---|---|
//! | `handle` | [`Cache`], which mappings share, and [`CachedFile`], a mapping's file in it |
//! | `state` | reads, writes, eviction and write-back |
//! | `coherence` | what the cache does when the program reads or writes a file by itself |
//! | `file_table` | the open files, their reference counts, and the detection of scans |
//! | `buffer_pool` | the frames, the page table, and replacement by GCLOCK |
//! | `write_buffer` | small writes to pages that have no frame |
//! | `frame` | one page in memory: its valid blocks and dirty ranges |
//! | `dirty_ranges`, `layout` | ranges of changed bytes; pages and blocks |
//! | `config`, `copy` | options and statistics; fast copies of a few bytes |

mod buffer_pool;
#[cfg(target_os = "wasi")]
mod coherence;
mod config;
mod copy;
mod dirty_ranges;
mod file_table;
mod frame;
mod handle;
mod layout;
mod state;
mod write_buffer;

pub use config::{CacheOptions, CacheStats};
pub use handle::Cache;

pub(super) use file_table::AccessPattern;
pub(super) use handle::CachedFile;
