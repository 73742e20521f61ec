//! Windows: sections and views. The module `unix` is its counterpart, with the same names.
//!
//! Windows does not let anybody make a file shorter while a part of it is mapped, so no page disappears from a mapping.
//! For files on devices that are removed, see [the crate's documentation](crate#windows).

mod file;
mod mapping;
mod memory;
mod names;
mod section;

pub(crate) use file::{describe, open, set_len};
pub(crate) use mapping::OsMapping;
pub(crate) use memory::SharedMemory;
pub(crate) use names::{NameLock, open_named};
pub(crate) use section::{granularity, page_size};
