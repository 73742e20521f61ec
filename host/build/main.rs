//! Finds or builds the fallback component that the crate embeds.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// A component that is built already.
const PREBUILT: &str = "WASI_MMAP_FALLBACK";
const TARGET: &str = "wasm32-wasip2";

fn main() {
    println!("cargo::rerun-if-env-changed={PREBUILT}");
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_FALLBACK").is_none() {
        return;
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let component = match env::var_os(PREBUILT) {
        Some(path) => PathBuf::from(path),
        None => build(&out),
    };
    println!("cargo::rerun-if-changed={}", component.display());
    if let Err(error) = fs::copy(&component, out.join("fallback.wasm")) {
        fail(&format!("cannot copy the fallback component {}: {error}", component.display()));
    }
}

/// Builds the component from the sources beside this crate.
fn build(out: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    for source in ["core/src", "guest/src", "guest/component", "wit"] {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    let target_dir = out.join("target");
    let status = Command::new(env::var_os("CARGO").expect("cargo sets it"))
        .args(["build", "--release", "--locked", "--target", TARGET, "--target-dir"])
        .arg(&target_dir)
        .current_dir(root.join("guest/component"))
        // The settings of this build are for another target.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .status();
    match status {
        Ok(status) if status.success() => {}
        _ => fail(&format!(
            "the fallback component could not be built: is its target installed (`rustup target add {TARGET}`)? \
             {PREBUILT} can name one that is built already"
        )),
    }
    target_dir.join(TARGET).join("release/wasi_mmap_fallback.wasm")
}

fn fail(message: &str) -> ! {
    println!("cargo::error={message}");
    std::process::exit(1)
}
