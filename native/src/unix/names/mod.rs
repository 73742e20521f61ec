//! Named memory, shared by all processes of a user.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod unsupported;

#[cfg(target_os = "linux")]
pub(crate) use linux::{NameLock, open_named};
#[cfg(not(target_os = "linux"))]
pub(crate) use unsupported::{NameLock, open_named};
