//! The memory of plugins and the memory of mappings: where one is put in place of the other, and where one is lent to the other.
//! All unsafe code of the crate is here.

mod lend;
mod linear;
mod window;

pub(crate) use lend::Reading;
pub use linear::configure;
pub(crate) use linear::is_any;
pub(crate) use window::{HostWindow, Place, no_windows};
