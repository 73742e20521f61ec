//! `cargo xtask guests`: builds what runs as WebAssembly, as the build scripts of the host and the tests do.

#[path = "../../host/build/guests.rs"]
#[allow(dead_code, reason = "shared with build scripts, which need more of it")]
mod shared;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Error, Result};
use shared::{FALLBACK, MODULES, PROGRAMS};

use crate::run::target_dir;

/// The programs of the tests and the demo, and the fallback component.
#[derive(Debug)]
pub(crate) struct Guests {
    /// The target folder, which has a folder for each target.
    pub(crate) directory: PathBuf,
}

/// Returns the target folder of all guests.
pub(crate) fn directory() -> PathBuf {
    target_dir().join("guests")
}

/// Builds everything that runs as WebAssembly.
///
/// # Errors
///
/// Fails if a target is not installed, or if something does not build.
pub(crate) fn build() -> Result<Guests> {
    let directory = directory();
    for guests in [FALLBACK, PROGRAMS, MODULES] {
        guests.build(&directory).map_err(Error::msg)?;
    }
    Ok(Guests { directory })
}

impl Guests {
    /// Returns the path of a component.
    pub(crate) fn component(&self, name: &str) -> PathBuf {
        self.directory.join("wasm32-wasip2/release").join(format!("{name}.wasm"))
    }

    /// Makes a build in another target folder use these guests instead of building its own.
    pub(crate) fn provide<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("WASI_MMAP_FALLBACK", self.component("wasi_mmap_fallback"))
            .env("WASI_MMAP_PLUGINS", &self.directory)
    }
}
