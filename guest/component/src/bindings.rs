//! The bindings that `wit-bindgen` generates for the interface.

#![allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated code")]

wit_bindgen::generate!({
    path: "wit",
    world: "wasi-mmap:mmap/fallback",
    features: ["windows"],
    generate_all,
    with: { "wasi:filesystem/types@0.2.12": wasi_mmap_sys::bindings::wasi::filesystem::types },
    pub_export_macro: true,
});

pub(crate) use exports::wasi_mmap::mmap::types;

wasi_mmap_core::wit_conversions!(types);
