//! See [`wasi_mmap_conformance::fuzz::operations`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wasi_mmap_conformance::fuzz::operations(bytes));
