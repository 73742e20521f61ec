//! See `tests/integration/fuzz/arguments.rs`.
#![no_main]

#[path = "../../integration/fuzz/arguments.rs"]
mod arguments;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| arguments::arguments(bytes));
