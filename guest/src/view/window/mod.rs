//! Windows: the file's own pages, where there are any.

#[cfg(imported)]
mod imported;
#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(all(target_family = "wasm", not(imported)))]
mod unsupported;

#[cfg(imported)]
pub(super) use imported::{Window, WindowMut, WindowStorage};
#[cfg(not(target_family = "wasm"))]
pub(super) use native::{Window, WindowMut, WindowStorage};
#[cfg(all(target_family = "wasm", not(imported)))]
pub(super) use unsupported::{Window, WindowMut};
