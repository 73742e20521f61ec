//! Names the kinds of plugins, so that the sources need not repeat how they are told apart: `component`, `module` (of
//! preview 1), and `imported` for a component that imports its mappings.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(component, module, imported)");
    let variable = |name| env::var(name).unwrap_or_default();
    if variable("CARGO_CFG_TARGET_OS") != "wasi" {
        return;
    }
    if variable("CARGO_CFG_TARGET_ENV") == "p1" {
        println!("cargo::rustc-cfg=module");
        return;
    }
    println!("cargo::rustc-cfg=component");
    if env::var_os("CARGO_FEATURE_IMPORT").is_some() {
        println!("cargo::rustc-cfg=imported");
    }
}
