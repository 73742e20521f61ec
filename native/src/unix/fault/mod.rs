//! Faults in mapped memory: a file that shrinks under its mapping, a disk that is full under a sparse file.
//!
//! The operating system reports both with SIGBUS. The [`handler`] repairs the memory so that the access can go on, and
//! records in the [`registry`] what was lost. After each access, [`FaultGuard::lost`] tells whether the bytes that it
//! copied can be trusted. The model is systemd's `sigbus.c`.

mod action;
mod guard;
mod handler;
#[cfg(target_os = "linux")]
mod pause;
mod registry;

pub(crate) use guard::FaultGuard;
#[cfg(target_os = "linux")]
pub(crate) use pause::{PausedStores, allow_pauses};
pub(crate) use registry::Fault;
