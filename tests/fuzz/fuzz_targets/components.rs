//! See `tests/integration/fuzz/components.rs`.
#![no_main]

#[path = "../../integration/fuzz/components.rs"]
mod components;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| components::components(bytes));
