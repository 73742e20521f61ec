//! The types of the interface, which wasmtime's generator makes. The functions are registered by hand in `linker`,
//! which can borrow a plugin's bytes in place and lend it a mapping's, as generated signatures cannot.

#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

wasmtime::component::bindgen!({
    path: "wit",
    inline: "
        package wasi-mmap:vocabulary;

        world vocabulary {
            import wasi-mmap:mmap/types@0.1.0;
        }
    ",
});

pub(crate) use self::wasi_mmap::mmap::types;

wasi_mmap_core::wit_conversions!(types);
