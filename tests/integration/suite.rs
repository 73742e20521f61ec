//! The behaviour suite on every backend.

use std::path::Path;

use super::support::{compile_and_run_module, plugin, run_component};
use wasi_mmap_conformance::case::Backend;
use wasi_mmap_conformance::cases::{self, Sizes};
use wasi_mmap_conformance::op::Subject;
use wasi_mmap_conformance::run::{Report, Verdict, run_all};
use wasi_mmap_conformance::viewing::Viewing;

/// Expects that every case was run, or skipped by name, and that none failed.
fn check(backend: Backend, through: &str, reports: &[Report]) {
    let failures: Vec<_> = reports.iter().filter(|report| matches!(report.verdict, Verdict::Failed(_))).collect();
    let skips = reports.iter().filter(|report| matches!(report.verdict, Verdict::Skipped(_))).count();
    let count = format!("{backend:?} {through}: {} cases, {skips} of them skipped", reports.len());
    // `cargo xtask test` prints these files at its end.
    let counts = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cases");
    std::fs::create_dir_all(&counts).expect("a folder for the counts");
    std::fs::write(counts.join(format!("{backend:?} {through}")), count).expect("a file for the count");
    assert!(failures.is_empty(), "{backend:?}: {failures:#?}");
    let all = cases::all(Sizes { page: 4096, granularity: 4096 });
    let expected: Vec<_> = all.iter().map(|case| case.name).collect();
    let found: Vec<_> = reports.iter().map(|report| report.case.as_str()).collect();
    assert_eq!(found, expected, "{backend:?} ran other cases");
    let skipped = all.iter().filter(|case| case.skips.iter().any(|(skipped, _)| *skipped == backend)).count();
    assert_eq!(skips, skipped, "{backend:?} skipped other cases");
}

fn in_process<S: Subject>(backend: Backend, through: &str) {
    let scratch = tempfile::tempdir().expect("a directory for the cases");
    let sizes = Sizes { page: S::page_size(), granularity: S::granularity() };
    let reports: Vec<_> = run_all::<S>(cases::all(sizes), backend, scratch.path()).collect();
    check(backend, through, &reports);
}

fn in_plugin(backend: Backend, arguments: &[&str]) {
    let scratch = tempfile::tempdir().expect("a directory for the cases");
    let printed = run_suite(backend, scratch.path(), arguments);
    let reports: Vec<Report> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    check(backend, if arguments.is_empty() { "in a plugin" } else { "in a plugin, through views" }, &reports);
}

/// Runs the plugin `suite` as a backend; answers what it printed.
pub fn run_suite(backend: Backend, scratch: &Path, arguments: &[&str]) -> String {
    let name = serde_json::to_string(&backend).expect("a name");
    let arguments = [&["suite", name.trim_matches('"'), "/scratch"], arguments].concat();
    let printed = match backend {
        Backend::Native | Backend::Windows => unreachable!("runs in process"),
        Backend::Host | Backend::HostWit => run_component(&plugin("suite", "wasm32-wasip2"), true, scratch, &arguments),
        Backend::Fallback | Backend::FallbackWit => {
            let composed = wasi_mmap_host::fallback::compose(&plugin("suite", "wasm32-wasip2"));
            run_component(&composed.expect("a composition"), false, scratch, &arguments)
        }
        Backend::FallbackLibrary => compile_and_run_module(&plugin("suite", "wasm32-wasip1"), scratch, &arguments),
    };
    printed.unwrap_or_else(|error| panic!("{backend:?}: {error:?}"))
}

#[test]
fn native() {
    in_process::<wasi_mmap::Mapping>(Backend::Native, "in process");
}

#[test]
fn host() {
    in_plugin(Backend::Host, &[]);
}

#[test]
fn host_wit() {
    in_plugin(Backend::HostWit, &[]);
}

#[test]
fn fallback() {
    in_plugin(Backend::Fallback, &[]);
}

#[test]
fn fallback_wit() {
    in_plugin(Backend::FallbackWit, &[]);
}

#[test]
fn fallback_library() {
    in_plugin(Backend::FallbackLibrary, &[]);
}

#[test]
fn native_views() {
    in_process::<Viewing<wasi_mmap::Mapping>>(Backend::Native, "in process, through views");
}

#[test]
fn host_views() {
    in_plugin(Backend::Host, &["--views"]);
}

#[test]
fn fallback_views() {
    in_plugin(Backend::Fallback, &["--views"]);
}

/// The library is the same code outside a sandbox, where Miri and sanitizers can see it.
#[test]
fn fallback_library_in_process() {
    in_process::<wasi_mmap::fallback::Mapping>(Backend::FallbackLibrary, "in process");
}

/// What a backend cannot do, the README says in the words of the case that shows it.
#[test]
fn the_readme_names_every_difference() {
    let readme = include_str!("../../README.md");
    for case in cases::all(Sizes { page: 4096, granularity: 4096 }) {
        for (backend, why) in case.skips {
            assert!(
                readme.contains(why),
                "the README does not say that {backend:?} does not run {:?}: {why}",
                case.name
            );
        }
    }
}
