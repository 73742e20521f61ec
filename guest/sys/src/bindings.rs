//! The bindings that `wit-bindgen` generates for the interface, and for the part of WASI that it stands on.

#![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]

#[cfg(feature = "import")]
wit_bindgen::generate!({
    path: "wit",
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

// A component that exports the interface must not import it, too.
#[cfg(not(feature = "import"))]
wit_bindgen::generate!({
    path: "wit",
    inline: "
        package wasi-mmap:guest;

        world guest {
            import wasi:filesystem/types@0.2.12;
        }
    ",
    generate_all,
});

#[cfg(feature = "import")]
wasi_mmap_core::wit_conversions!(wasi_mmap::mmap::types);
