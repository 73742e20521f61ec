//! Unix: `mmap(2)`, made safe against SIGBUS. The folder `windows` is its counterpart, with the same names.

mod advice;
mod attach;
mod attach_stable;
mod fault;
mod file;
#[cfg_attr(not(target_os = "linux"), path = "no_hold.rs")]
mod hold;
mod map;
mod memory;
mod moved;
#[cfg_attr(not(target_os = "linux"), path = "no_names.rs")]
mod named;
pub(crate) mod replace;

pub use attach::Attached;
pub(crate) use file::{describe, open, set_len};
pub(crate) use hold::{Hold, Place};
pub(crate) use map::Map;
use map::page_len;
pub(crate) use memory::Memory;
pub(crate) use named::{Name, open_named};
pub use replace::Reservation;
#[cfg(all(target_os = "linux", feature = "failures"))]
pub use replace::failures;

/// The size of a page of memory, in bytes.
pub(crate) fn page_size() -> u64 {
    page_len() as u64
}

/// What the offset of a mapping must be a multiple of, in bytes.
pub(crate) fn granularity() -> u64 {
    page_size()
}
