//! Moves of pages.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod unsupported;

#[cfg(target_os = "linux")]
pub(crate) use linux::{move_pages, put_copies};
#[cfg(target_os = "linux")]
pub(super) use linux::{put_over_file, put_prepared};
#[cfg(not(target_os = "linux"))]
pub(crate) use unsupported::move_pages;
