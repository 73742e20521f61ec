//! See `wasi_mmap_tests::fuzz::faults`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wasi_mmap_tests::fuzz::faults(bytes));
