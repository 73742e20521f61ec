//! Unix: `mmap(2)`, made safe against SIGBUS. The module `windows` is its counterpart, with the same names.

mod advice;
mod beyond_end;
mod fault;
mod file;
mod mapping;
mod memory;
mod names;
mod page;
mod replace;
mod resize;

pub(crate) use beyond_end::GrowingFile;
pub(crate) use fault::{Fault, FaultGuard};
#[cfg(target_os = "linux")]
pub(crate) use fault::{PausedStores, allow_pauses};
pub(crate) use file::{describe, open, set_len};
pub(crate) use mapping::OsMapping;
pub(crate) use memory::SharedMemory;
pub(crate) use names::{NameLock, open_named};
pub(crate) use page::{granularity, page_len, page_size};
pub use replace::Reservation;
#[cfg(all(target_os = "linux", feature = "failures"))]
pub use replace::failures;
pub(crate) use replace::{Sharing, move_pages, put_file, put_zeros, remap_file};
#[cfg(target_os = "linux")]
pub(crate) use replace::{die, put_copies};
