//! Bytes as a component, for `inspect` and `compose`.

use std::path::Path;

use wasi_mmap_cli::{compose, inspect};
use wasmparser::Validator;

/// Whatever the bytes are, they are described or refused; and what is composed is a component that needs nothing of
/// ours.
///
/// # Panics
///
/// If they are not.
pub fn components(bytes: &[u8]) {
    let path = Path::new("plugin.wasm");
    let described = [false, true].map(|json| inspect(path, bytes, json).map_err(|error| format!("{error:#}")));
    for refusal in described.iter().filter_map(|described| described.as_ref().err()) {
        assert!(!refusal.is_empty(), "a refusal says why");
    }
    let [text, json] = described;
    assert_eq!(text.is_ok(), json.is_ok(), "{text:?}, {json:?}");
    let composed = match compose(path, bytes) {
        Ok(composed) => composed,
        Err(error) => {
            let needless = format!("{error:#}").contains("needs no fallback");
            let imports_ours = json.is_ok_and(|json| !json.contains("\"ours\":[]"));
            assert!(!(needless && imports_ours), "it imports something of ours: {error:#}");
            return;
        }
    };
    assert!(text.is_ok(), "composed, but refused: {text:?}");
    Validator::new().validate_all(&composed).expect("what is composed is valid");
    let json = inspect(path, &composed, true).expect("what is composed is a component");
    assert!(json.contains("\"ours\":[]"), "what is composed needs something of ours: {json}");
}
