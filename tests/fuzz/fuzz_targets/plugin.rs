//! See `plugin` in the tests.
#![no_main]

#[path = "../../tests/all/fuzz/plugin.rs"]
mod plugin;
#[path = "../../tests/all/support.rs"]
#[allow(dead_code, reason = "shared with the tests, which need more of it")]
mod support;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| plugin::plugin(bytes));
