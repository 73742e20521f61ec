//! A wrapper of the compiler for the fuzz targets (`RUSTC_WRAPPER`), which does not instrument the engine.
//!
//! cargo-fuzz instruments every crate. For the compiler of the engine this takes minutes and gigabytes, makes it many
//! times slower, and lets its coverage guide the fuzzer instead of that of our code.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, ExitCode};

/// The dependencies that parse the bytes of a fuzzer, and so are to guide it. They are instrumented as our own crates
/// are.
const READERS: [&str; 7] = ["clap_builder", "clap_lex", "memchr", "wac_graph", "wac_parser", "wac_types", "wasmparser"];

/// The beginnings of flags that instrument a crate, or keep it from being compiled in parallel.
const INSTRUMENTING: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold",
    "-Zsanitizer",
    "-Cdebug-assertions",
    "-Ccodegen-units=1",
];

/// Returns whether cargo has called this process as a wrapper, with the compiler and its arguments.
pub(crate) fn is_called_as_compiler(arguments: &[OsString]) -> bool {
    arguments.get(1).is_some_and(|first| Path::new(first).file_stem() == Some(OsStr::new("rustc")))
}

/// Compiles one crate.
pub(crate) fn compile(arguments: &[OsString]) -> ExitCode {
    let name = arguments.windows(2).find(|pair| pair[0] == "--crate-name").map(|pair| &pair[1]);
    // Cargo caps the lints of dependencies.
    let ours = !arguments.iter().any(|argument| argument == "--cap-lints");
    let instrumented = ours || READERS.iter().any(|reader| name.is_some_and(|name| name == reader));
    let mut compiler = Command::new(&arguments[1]);
    compiler.args(arguments[2..].iter().filter(|argument| {
        let text = argument.to_string_lossy();
        instrumented || !INSTRUMENTING.iter().any(|flag| text.starts_with(flag))
    }));
    match compiler.status() {
        Ok(status) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
        Err(error) => {
            eprintln!("error: cannot run {}: {error}", arguments[1].display());
            ExitCode::FAILURE
        }
    }
}
