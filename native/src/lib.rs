//! wasi-mmap's mapping over the operating system's own memory mappings: `mmap(2)` made safe.
//!
//! [`Mapping`] is the object that plugins use through the WIT interface, here for a program without a sandbox. Its
//! operations copy bytes in and out. If a file shrinks under a mapping, they return [`Error::Truncated`], and the
//! process does not die by SIGBUS. Programs that need the pages themselves use [`Stable`], where the system guarantees
//! that the file's bytes do not change, or the views of the crate `wasi-mmap`, which are unsafe.
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
//! forwards all others to the previous handler. A program that installs its own handler later must call this one, which
//! `sigaction(2)` returned to it, for faults that are not its own.
//!
//! # SIGSEGV
//!
//! On Linux, the first window that depends on a read lease installs a handler for SIGSEGV, which forwards all faults
//! that are not its own. It is put on top again if a program or an engine has installed another one by the time that a
//! lease ends.
//!
//! # macOS and other Unix systems
//!
//! Resizing a mapping, named memory, and [`Stable`] are [`Error::Unsupported`]. On macOS, a flush ends with
//! `F_FULLFSYNC`.
//!
//! # Windows
//!
//! The rules are those of CPython on Windows:
//!
//! - A writable, shared mapping that is longer than its file extends the file with zeros. An empty file can be mapped
//!   if a length is given.
//! - Offsets are multiples of 65,536.
//! - The name of memory is a name of the system, in the namespace of the session. Other programs can use the same name,
//!   for example Python with `tagname`. A `\` in it has the system's meaning. The length of existing memory is that of
//!   its pages.
//! - Nobody can make a file shorter while it is mapped. [`Mapping::resize`](wasi_mmap_core::Mapping::resize) to a
//!   smaller length unmaps it for a moment, and fails with [`Error::Io`] if the file has another mapping. A private
//!   mapping of a file cannot be resized.
//! - All advice is [`Error::Unsupported`], and so are huge pages. Other flags are hints without effect.
//!
//! There is no handler for faults: instead of SIGBUS, Windows raises an exception that Rust cannot catch. Files do not
//! shrink under a mapping, so this concerns only files on broken devices and on devices that are removed, such as USB
//! sticks and network drives. Reading a mapping of such a file ends the process, as it does with every mapping in Rust.

#[cfg(all(test, target_os = "linux"))]
mod alone;
mod attach;
mod lock;
mod namespace;
mod pages;
mod shared_pages;
mod slices;
mod source;
mod stability;
mod stable;
mod storage;
#[cfg(unix)]
mod unix;
mod window;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as sys;
#[cfg(windows)]
use windows as sys;

pub use attach::WindowPlan;
pub use lock::FileLock;
pub use namespace::Namespace;
pub use shared_pages::SharedPages;
// What the views of `wasi-mmap` are made of.
#[doc(hidden)]
pub use slices::Lend;
pub use stability::Stability;
pub use stable::{Stable, StableSlice};
pub use storage::{Mapping, MappingOptions, OsStorage};
#[cfg(unix)]
pub use sys::Reservation;
#[cfg(all(target_os = "linux", feature = "failures"))]
#[doc(hidden)]
pub use sys::failures;
pub use wasi_mmap_core::{
    Access, Advice, Argument, Error, FlushFlags, HeldLock, LockKind, LockRange, MapFlags, MapOptions, OsError, Result,
    Rights, Slice, System,
};
pub use window::Window;

/// Returns the size of a page of memory, in bytes. POSIX `sysconf(_SC_PAGESIZE)`, Python `mmap.PAGESIZE`.
pub fn page_size() -> u64 {
    sys::page_size()
}
