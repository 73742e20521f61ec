//! The bindings that `wit-bindgen` generates for the interface, for operations that [`Mapping`](crate::Mapping) does
//! not offer.

#![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]

wit_bindgen::generate!({
    path: "../wit",
    inline: "
        package wasi-mmap:guest;

        world guest {
            include wasi-mmap:mmap/plugin@0.1.0;
            import wasi:filesystem/preopens@0.2.12;
        }
    ",
    features: ["windows"],
    generate_all,
});

wasi_mmap_core::wit_conversions!(wasi_mmap::mmap::types);
