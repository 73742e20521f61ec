//! Builds the programs of the tests for WebAssembly.

#[path = "../../host/build/guests.rs"]
mod guests;

use std::env;
use std::path::PathBuf;

use guests::{MODULES, PROGRAMS};

/// Names a folder with programs that are built already: TARGET/release/NAME.wasm.
const PREBUILT: &str = "WASI_MMAP_PLUGINS";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../../host/build/guests.rs");
    println!("cargo::rerun-if-env-changed={PREBUILT}");
    let programs = match env::var_os(PREBUILT) {
        Some(folder) => PathBuf::from(folder),
        None => build().unwrap_or_else(|why| {
            println!("cargo::error=the programs of the tests could not be built: {why}");
            std::process::exit(1);
        }),
    };
    println!("cargo::rustc-env=WASI_MMAP_PROGRAMS={}", programs.display());
}

fn build() -> Result<PathBuf, String> {
    let directory = guests::directory();
    for programs in [PROGRAMS, MODULES] {
        programs.watch();
        programs.build(&directory)?;
    }
    Ok(directory)
}
