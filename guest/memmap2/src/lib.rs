//! The API of memmap2 0.9.12, for every system, and for WebAssembly plugins.
//!
//! Programs that use memmap2 run as plugins if cargo takes this package in its place, with `[patch.crates-io]`. They
//! need no other change. On Unix and Windows, everything behaves as in memmap2.
//!
//! [`MmapOptions`] selects what to map. The result is an [`Mmap`] or [`MmapMut`], which is a slice of bytes, or an
//! [`MmapRaw`], which is a pointer and a length.
//!
//! ```
//! use memmap2::Mmap;
//! use std::fs::File;
//!
//! # fn main() -> std::io::Result<()> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("fruits");
//! std::fs::write(&path, "apples and pears")?;
//! let file = File::open(&path)?;
//! // SAFETY: nobody changes the file meanwhile.
//! let fruits = unsafe { Mmap::map(&file)? };
//! assert!(fruits.ends_with(b"pears"));
//! # Ok(())
//! # }
//! ```
//!
//! # Mappings in plugins
//!
//! With a host of wasi-mmap, a mapping is the file's own pages, in a window of the plugin's memory. With another host,
//! as a module for preview 1, or when the host's limits are reached, it is a copy: bytes that were changed are written
//! to the file by `flush`, and when the mapping is dropped. All copies of the same part of a file are one memory. The
//! README has a table of all functions and their behaviour.
//!
//! # Safety
//!
//! The bytes of a mapped file may be changed or cut off by others, such as another process, another mapping or a write
//! to the file. Rust does not allow that while there is a reference to them. Functions that map a file are `unsafe`
//! for this reason: the caller promises that nobody changes the file's bytes while they are used.

#[cfg(any(unix, target_os = "wasi"))]
mod advice;
mod descriptor;
mod if_safe;
mod mmap;
mod mmap_mut;
mod mmap_raw;
mod options;
#[cfg(target_os = "linux")]
mod remap;
mod request;
mod sys;

#[cfg(any(unix, target_os = "wasi"))]
pub use advice::{Advice, UncheckedAdvice};
pub use descriptor::{MmapAsRawDesc, MmapRawDescriptor};
pub use if_safe::MapIfSafeError;
pub use mmap::Mmap;
pub use mmap_mut::MmapMut;
pub use mmap_raw::MmapRaw;
pub use options::MmapOptions;
#[cfg(target_os = "linux")]
pub use remap::RemapOptions;
