//! Mappings of each system. All modules have the same names: `Mapped`, `file_len` and `check_immutable`.

#[cfg_attr(unix, path = "unix/mod.rs")]
#[cfg_attr(windows, path = "windows.rs")]
#[cfg_attr(target_os = "wasi", path = "wasi/mod.rs")]
#[cfg_attr(not(any(unix, windows, target_os = "wasi")), path = "unsupported.rs")]
mod system;

pub(crate) use system::{Mapped, check_immutable, file_len};

#[cfg(target_os = "wasi")]
pub(crate) use system::explain_too_large;

/// Adds the way out to the error for a file that is larger than memory: there is none here.
#[cfg(not(target_os = "wasi"))]
pub(crate) fn explain_too_large(error: std::io::Error) -> std::io::Error {
    error
}
