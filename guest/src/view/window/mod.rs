//! Windows: the file's own pages, where there are any.

#[cfg(all(feature = "import", target_os = "wasi", not(target_env = "p1")))]
mod imported;
#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(all(target_family = "wasm", not(all(feature = "import", target_os = "wasi", not(target_env = "p1")))))]
mod unsupported;

#[cfg(all(feature = "import", target_os = "wasi", not(target_env = "p1")))]
pub(super) use imported::{Window, WindowMut, WindowStorage};
#[cfg(not(target_family = "wasm"))]
pub(super) use native::{Window, WindowMut, WindowStorage};
#[cfg(all(target_family = "wasm", not(all(feature = "import", target_os = "wasi", not(target_env = "p1")))))]
pub(super) use unsupported::{Window, WindowMut};
