//! Windows: sections and views. The folder `unix` is its counterpart, with the same names.
//!
//! Windows lets nobody make a file shorter while a part of it is mapped, so that no page goes missing under a mapping; but see
//! [the crate's documentation](crate#windows) for files on devices that go away.

mod attach;
mod file;
#[path = "../unix/no_hold.rs"]
mod hold;
mod map;
mod memory;
mod section;

pub use attach::Attached;
pub(crate) use file::{describe, open, set_len};
pub(crate) use hold::{Hold, Place};
pub(crate) use map::Map;
pub(crate) use memory::{Memory, Name, open_named};
pub(crate) use section::{granularity, page_size};
