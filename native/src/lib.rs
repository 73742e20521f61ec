//! wasi-mmap's mapping over the operating system's own memory mappings: `mmap(2)` made safe.
//!
//! [`Mapping`] is the object that plugins use through the WIT interface, here for a program with no sandbox. Bytes go in
//! and out by copy, and a file that shrinks under a mapping answers [`Error::Truncated`] instead of killing the
//! process with SIGBUS. Programs that want the pages themselves take them with [`Stable`], where the system holds the file's bytes
//! still, or with [`Lend`], whose methods are unsafe.
//!
//! ```
//! use wasi_mmap_native::{Access, Mapping};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("greeting");
//! std::fs::write(&path, "hello, world\n")?;
//! let mut mapping = Mapping::options().access(Access::Write).open(&path)?;
//! let offset = mapping.find(b"world", ..)?.expect("it was just written");
//! mapping.write_all_at(b"there", offset)?;
//! mapping.flush()?;
//! assert_eq!(std::fs::read(&path)?, b"hello, there\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # SIGBUS
//!
//! The first mapping of a process installs a handler for SIGBUS. It repairs faults inside mappings of this crate, and
//! hands every other on to the handler that was there before. A program that installs its own handler later must call
//! ours for faults that are not its own: that is what `sigaction(2)` returned to it.
//!
//! # macOS and other Unix systems
//!
//! A mapping cannot be resized, and memory has no names: both are `unsupported`. A flush on macOS goes as far as
//! `F_FULLFSYNC` does.
//!
//! # Windows
//!
//! The rules are those of CPython on Windows:
//!
//! - A writable, shared mapping that is longer than its file makes the file longer, with zeros. An empty file can be mapped
//!   with a length, and not without.
//! - Offsets are multiples of 65,536.
//! - A name of memory is the system's own, in the namespace of the session: other programs can use the same, Python's
//!   `tagname` among them. A `\` in it has the system's meaning. Memory that exists is as long as its pages.
//! - Nobody can make a file shorter while it is mapped. [`Mapping::resize`](wasi_mmap_core::Mapping::resize) to less unmaps it
//!   for a moment, and fails with `io` if the file has another mapping. A private mapping of a file cannot be resized.
//! - All advice is `unsupported`, and so are huge pages; other flags are hints that change nothing.
//!
//! There is no handler for faults: what Unix says with SIGBUS, Windows says with an exception that Rust cannot catch. Since no
//! file shrinks under its mapping, that leaves files on devices that go away, such as USB sticks and network drives, and devices
//! that are broken: reading a mapping of such a file ends the process, as it does with every mapping in Rust.

mod lend;
mod named;
#[cfg_attr(unix, path = "unix/mod.rs")]
#[cfg_attr(windows, path = "windows/mod.rs")]
mod os;
mod pages;
mod source;
mod stable;
mod storage;

pub use lend::{Lend, Shared};
pub use named::Namespace;
pub use os::Attached;
#[cfg(unix)]
pub use os::Reservation;
#[cfg(all(target_os = "linux", feature = "failures"))]
#[doc(hidden)]
pub use os::failures;
pub use stable::{Held, Stable, StableSlice, WindowPlan};
pub use storage::Native;
pub use wasi_mmap_core::{
    Access, Advice, Argument, Error, FlushFlags, MapFlags, OsError, Result, Rights, Slice, System,
};

/// A mapping of the operating system: see [`wasi_mmap_core::Mapping`] for its operations.
pub type Mapping = wasi_mmap_core::Mapping<Native>;

/// The options of a new mapping: see [`wasi_mmap_core::MappingOptions`].
pub type MappingOptions = wasi_mmap_core::MappingOptions<Native>;

/// The size of a page of memory, in bytes. POSIX `sysconf(_SC_PAGESIZE)`, Python `mmap.PAGESIZE`.
pub fn page_size() -> u64 {
    os::page_size()
}
