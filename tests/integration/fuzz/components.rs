//! The fuzz target for `inspect` and `compose`, which get any bytes as a component.

use std::path::Path;

use wasi_mmap_cli::{compose, inspect};
use wasmparser::Validator;

/// Inspects and composes a component.
///
/// # Panics
///
/// Panics if it is neither described nor refused with a reason, or if the composition is not valid or has imports of
/// our interface.
pub fn components(bytes: &[u8]) {
    let path = Path::new("plugin.wasm");
    let described = [false, true].map(|json| inspect(path, bytes, json).map_err(|error| format!("{error:#}")));
    for refusal in described.iter().filter_map(|described| described.as_ref().err()) {
        assert!(!refusal.is_empty(), "the error is empty");
    }
    let [text, json] = described;
    assert_eq!(text.is_ok(), json.is_ok(), "{text:?}, {json:?}");
    let composed = match compose(path, bytes) {
        Ok(composed) => composed,
        Err(error) => {
            let needless = format!("{error:#}").contains("needs no fallback");
            let imports_ours = json.is_ok_and(|json| !json.contains("\"ours\":[]"));
            assert!(!(needless && imports_ours), "it does import our interface: {error:#}");
            return;
        }
    };
    assert!(text.is_ok(), "composed, but not described: {text:?}");
    Validator::new().validate_all(&composed).expect("the composition is valid");
    let json = inspect(path, &composed, true).expect("the composition is a component");
    assert!(json.contains("\"ours\":[]"), "the composition imports our interface: {json}");
}
