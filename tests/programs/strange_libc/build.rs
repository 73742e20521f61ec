//! Renames a symbol that wasi-libc calls, for each program.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-bin=strange_close=--wrap=__wasm_import_filesystem_descriptor_drop");
    println!("cargo::rustc-link-arg-bin=strange_stat=--wrap=__wasm_import_filesystem_method_descriptor_stat");
}
