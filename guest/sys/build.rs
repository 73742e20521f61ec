//! Names the two kinds of plugins, so that the sources need not repeat how they are told apart.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(component, module)");
    let variable = |name| env::var(name).unwrap_or_default();
    if variable("CARGO_CFG_TARGET_OS") == "wasi" {
        let kind = if variable("CARGO_CFG_TARGET_ENV") == "p1" { "module" } else { "component" };
        println!("cargo::rustc-cfg={kind}");
    }
}
