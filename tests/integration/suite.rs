//! The conformance suite on every backend that runs in a plugin.

use std::path::Path;

use super::support::{compile_and_run_module, plugin, run_component};
use wasi_mmap_conformance::case::Backend;
use wasi_mmap_conformance::run::{Report, check};

/// Defines a test for each way in which a plugin reaches its mappings: calls `$test` with the backend and the last
/// arguments of the plugin `suite`.
macro_rules! test_every_backend {
    ($test:ident) => {
        test_every_backend! { $test:
            host(Host);
            host_wit(HostWit);
            fallback(Fallback);
            fallback_wit(FallbackWit);
            fallback_library(FallbackLibrary);
            host_views(Host, "--views");
            fallback_views(Fallback, "--views");
        }
    };
    ($test:ident: $($name:ident($backend:ident $(, $argument:literal)*);)*) => {
        $(
            #[test]
            fn $name() {
                $test(Backend::$backend, &[$($argument),*]);
            }
        )*
    };
}
pub(crate) use test_every_backend;

test_every_backend!(run_cases);

fn run_cases(backend: Backend, arguments: &[&str]) {
    let scratch = tempfile::tempdir().expect("a directory for the cases");
    let printed = run_suite(backend, scratch.path(), arguments);
    let reports: Vec<Report> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    let through = if arguments.is_empty() { "in a plugin" } else { "in a plugin, through views" };
    check(backend, through, &reports, env!("CARGO_TARGET_TMPDIR").as_ref());
}

/// Runs the plugin `suite` on a backend, and returns its output.
pub fn run_suite(backend: Backend, scratch: &Path, arguments: &[&str]) -> String {
    let name = serde_json::to_string(&backend).expect("a name");
    let arguments = [&["suite", name.trim_matches('"'), "/scratch"], arguments].concat();
    let printed = match backend {
        Backend::Native | Backend::Windows | Backend::FallbackNative => unreachable!("runs in process"),
        Backend::Host | Backend::HostWit => run_component(&plugin("suite", "wasm32-wasip2"), true, scratch, &arguments),
        Backend::Fallback | Backend::FallbackWit => {
            let composed = wasi_mmap_host::fallback::compose(&plugin("suite", "wasm32-wasip2"));
            run_component(&composed.expect("a composition"), false, scratch, &arguments)
        }
        Backend::FallbackLibrary => compile_and_run_module(&plugin("suite", "wasm32-wasip1"), scratch, &arguments),
    };
    printed.unwrap_or_else(|error| panic!("{backend:?}: {error:?}"))
}
