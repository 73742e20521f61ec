//! The semantics of wasi-mmap's mapping: a run of bytes with a cursor that behaves like Python's [`mmap.mmap`].
//!
//! This crate holds every rule that a caller can see (bounds, defaults, order of checks, errors) and nothing else: no
//! operating system, no WebAssembly, no unsafe code. The bytes come from a [`Storage`]: an OS mapping (crate
//! `wasi-mmap-native`), the host of a plugin, or a page cache over ordinary file I/O (both in crate `wasi-mmap`).
//! Programs depend on one of those crates and use [`Mapping`] through it.
//!
//! # Example
//!
//! Any storage makes the same object; this one is a plain vector.
//!
//! ```
//! use wasi_mmap_core::{Access, Advice, FlushFlags, Mapping, Result, Storage};
//! use std::ops::Range;
//!
//! struct Memory(Vec<u8>);
//!
//! impl Storage for Memory {
//!     fn len(&self) -> u64 { self.0.len() as u64 }
//!     fn offset(&self) -> u64 { 0 }
//!     fn file_len(&self) -> Result<u64> { Ok(self.len()) }
//!     fn page_size() -> u64 { 4096 }
//!     fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
//!         let start = offset as usize;
//!         buffer.copy_from_slice(&self.0[start..start + buffer.len()]);
//!         Ok(())
//!     }
//!     fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
//!         let start = offset as usize;
//!         self.0[start..start + bytes.len()].copy_from_slice(bytes);
//!         Ok(())
//!     }
//!     fn flush(&mut self, _: Range<u64>, _: FlushFlags) -> Result<()> { Ok(()) }
//!     fn advise(&mut self, _: Advice, _: Range<u64>) -> Result<()> { Ok(()) }
//!     fn resize(&mut self, len: u64) -> Result<()> { self.0.resize(len as usize, 0); Ok(()) }
//!     fn refresh(&mut self) -> Result<()> { Ok(()) }
//! }
//!
//! let mut mapping = Mapping::new(Memory(b"one\ntwo\n".to_vec()), Access::Write);
//! assert_eq!(mapping.read_line()?, b"one\n");
//! assert_eq!(mapping.find(b"o", 1..)?, Some(6));
//! # Ok::<(), wasi_mmap_core::Error>(())
//! ```
//!
//! [`mmap.mmap`]: https://docs.python.org/3/library/mmap.html

#![forbid(unsafe_code)]

mod advice;
mod backend;
mod beyond_end;
mod builder;
mod error;
mod flush;
mod lines;
mod lock;
mod mapping;
mod options;
pub mod provided;
mod search;
mod slice;
mod storage;
mod wit;

pub use advice::Advice;
pub use backend::{Backend, MapSource};
pub use beyond_end::BeyondEnd;
pub use builder::MappingOptions;
pub use error::{Argument, Error, OsError, Result, System};
pub use flush::FlushFlags;
pub use lines::{SHORT_LINE, append_short_line, line_feed_in};
pub use lock::{HeldLock, LockKind, LockRange, LockTable};
pub use mapping::{Internals, Mapping, SearchPlan, Whence, part_of_window};
pub use options::{Access, Extent, FileInfo, FileKind, MapFlags, MapOptions, Rights, check_name};
pub use search::{Chunks, Direction, Search};
pub use slice::{Slice, Strided};
pub use storage::{Storage, zeroed};
