//! Names the plugins that the library is for, so that the sources need not repeat how they are told apart.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(component)");
    let variable = |name| env::var(name).unwrap_or_default();
    if variable("CARGO_CFG_TARGET_OS") == "wasi" && variable("CARGO_CFG_TARGET_ENV") != "p1" {
        println!("cargo::rustc-cfg=component");
    }
}
