//! Finds or builds the fallback component that the crate embeds.

mod guests;

use std::path::PathBuf;
use std::{env, fs};

/// Names a component that is built already.
const PREBUILT: &str = "WASI_MMAP_FALLBACK";

fn main() {
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-env-changed={PREBUILT}");
    if env::var_os("CARGO_FEATURE_FALLBACK").is_none() {
        return;
    }
    if let Err(why) = embed() {
        println!("cargo::error={why}");
        std::process::exit(1);
    }
}

/// The component in the package, for when it is not in its repository. `cargo xtask package` makes it, and checks that it
/// is what the sources give.
const PACKAGED: &str = "fallback.wasm";

/// Copies the component to where the crate includes it from.
fn embed() -> Result<(), String> {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let has_sources = package.join("../guest/component/Cargo.toml").is_file();
    let component = match env::var_os(PREBUILT) {
        Some(path) => {
            let path = PathBuf::from(path);
            println!("cargo::rerun-if-changed={}", path.display());
            path
        }
        None if !has_sources => package.join(PACKAGED),
        None => {
            guests::FALLBACK.watch();
            let binaries = guests::FALLBACK.build(&guests::directory()).map_err(|why| {
                format!(
                    "the fallback component could not be built: {why} ({PREBUILT} can name one that is built already)"
                )
            })?;
            binaries.join("wasi_mmap_fallback.wasm")
        }
    };
    let copy = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("fallback.wasm");
    fs::copy(&component, copy).map(drop).map_err(|error| format!("cannot copy {}: {error}", component.display()))
}
