//! Files whose bytes nobody can change, and memory that maps them: because of a seal, fs-verity, a read-only file
//! system, or a read lease. Only Linux has them.

mod kind;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod unsupported;

pub use kind::Stability;
pub(crate) use kind::unstable;
#[cfg(target_os = "linux")]
pub(crate) use linux::{Guarantee, StablePages};
#[cfg(not(target_os = "linux"))]
pub(crate) use unsupported::{Guarantee, StablePages};
