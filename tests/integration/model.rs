//! Random operations against the model, on every backend.

use std::time::{SystemTime, UNIX_EPOCH};

use super::suite::run_suite;
use super::support::is_long;
use wasi_mmap::fallback::{Cache, CacheOptions};
use wasi_mmap_conformance::case::Backend;
use wasi_mmap_conformance::model::{Run, SEEDS, run};
use wasi_mmap_conformance::op::Subject;
use wasi_mmap_conformance::viewing::Viewing;

/// The runs: those of the seeds that are kept, and one more; in the long form another one each time.
fn runs() -> Vec<Run> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (seed, operations) = if is_long() { (now, 1_000_000) } else { (0, 20_000) };
    let kept = SEEDS.iter().map(|&seed| Run { seed, operations: 5_000, private: true, windows: false });
    kept.chain([Run { seed, operations, private: true, windows: false }]).collect()
}

fn in_process<S: Subject>() {
    let scratch = tempfile::tempdir().expect("a directory for the files");
    for one in runs() {
        if let Err(difference) = run::<S>(one, scratch.path()) {
            panic!("{difference}");
        }
    }
}

fn in_plugin(backend: Backend, arguments: &[&str]) {
    let scratch = tempfile::tempdir().expect("a directory for the files");
    for Run { seed, operations, .. } in runs() {
        let printed =
            run_suite(backend, scratch.path(), &[&[&*seed.to_string(), &operations.to_string()], arguments].concat());
        assert_eq!(printed, "agreed\n", "{backend:?}");
    }
}

#[test]
fn native() {
    in_process::<wasi_mmap::Mapping>();
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
    in_process::<Viewing<wasi_mmap::Mapping>>();
}

#[test]
fn host_views() {
    in_plugin(Backend::Host, &["--views"]);
}

#[test]
fn fallback_views() {
    in_plugin(Backend::Fallback, &["--views"]);
}

#[test]
fn fallback_library_in_process() {
    in_process::<wasi_mmap::fallback::Mapping>();
}

/// Two pages of the least size: nearly every access evicts one.
#[test]
fn fallback_library_with_the_least_memory() {
    let cache = Cache::new(CacheOptions::new().page_size(4096).budget(0));
    cache.set_for_this_thread().expect("the first mapping of this thread comes later");
    in_process::<wasi_mmap::fallback::Mapping>();
}
