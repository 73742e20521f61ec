//! Windows: parts of a mapping placed in other memory. Only Unix has them.

#[cfg(unix)]
mod growth;
#[cfg(unix)]
mod placed;
#[cfg(windows)]
mod unsupported;

#[cfg(unix)]
pub(crate) use growth::{start_watching, watch};
#[cfg(unix)]
pub(crate) use placed::Content;
#[cfg(unix)]
pub use placed::Window;
#[cfg(windows)]
pub use unsupported::Window;
