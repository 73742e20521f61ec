//! System calls that replace memory, and the state they leave when they fail.
//!
//! `mmap(2)` with `MAP_FIXED` and `mremap(2)` with `MREMAP_FIXED` unmap the target before they put anything there, and
//! may fail in between. The gap is open to every other thread: the system may put an allocation or a stack there,
//! inside memory that its owner, for example a plugin, still reads and writes. So nothing else in this crate makes such
//! a call, and the functions here keep one contract:
//!
//! **When a function returns, with success or with an error, every page of the target is mapped and belongs to its
//! owner, and the source is as it was, or has moved as a whole.**
//!
//! This is how:
//!
//! - Pages are put in place by one call. Whatever can fail for other reasons than lack of memory is done elsewhere
//!   first: pages to be moved must be one area, and after a file system has failed once, its files are mapped elsewhere
//!   first ([`files`]).
//! - Before pages are moved, the target is [marked](mark). After a failure, the mark distinguishes untouched memory
//!   from memory that somebody else has mapped there since.
//! - Pages of a file that take the place of others of it are told from foreign memory by the system's own list
//!   ([`maps`]), where a mark would change the file.
//! - A gap is filled with `MAP_FIXED_NOREPLACE`, which takes no place from others. If somebody else has the place, the
//!   process ends: nothing has run in the memory since, so nobody has read or written memory that was not theirs.
//!
//! The functions that the handler for SIGBUS uses, [`put_zeros`] and [`put_zeros_anew`], are async-signal-safe.

mod abort;
mod calls;
#[cfg(target_os = "linux")]
mod care;
#[cfg(all(target_os = "linux", feature = "failures"))]
pub mod failures;
#[cfg(not(all(target_os = "linux", feature = "failures")))]
pub(super) mod failures;
mod files;
#[cfg(target_os = "linux")]
mod maps;
#[cfg(target_os = "linux")]
mod mark;
mod moves;
mod reservation;
mod zeros;

pub(crate) use abort::die;
pub(crate) use calls::Sharing;
pub(crate) use files::{put_file, put_file_back, remap_file};
pub(crate) use moves::move_pages;
#[cfg(target_os = "linux")]
pub(crate) use moves::put_copies;
pub use reservation::Reservation;
pub(crate) use zeros::{put_zeros, put_zeros_anew};
