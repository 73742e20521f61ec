//! See `tests/integration/fuzz/plugin.rs`.
#![no_main]

#[path = "../../integration/fuzz/plugin.rs"]
mod plugin;

use wasi_mmap_test_support as support;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| plugin::plugin(bytes));
