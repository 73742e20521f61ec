//! Random operations against the model, in this process: on the operating system's mappings, and on the fallback library.

use wasi_mmap::fallback::{Cache, CacheOptions};
use wasi_mmap_tests::model::{Run, run};
use wasi_mmap_tests::op::Subject;

fn random<S: Subject>() {
    let scratch = tempfile::tempdir().expect("a directory for the files");
    if let Err(difference) = run::<S>(Run { seed: 1, operations: 20_000, private: true }, scratch.path()) {
        panic!("{difference}");
    }
}

#[test]
fn native() {
    random::<wasi_mmap::Mapping>();
}

#[test]
fn fallback_library() {
    random::<wasi_mmap::fallback::Mapping>();
}

/// Two pages of the least size: nearly every access evicts one.
#[test]
fn fallback_library_with_the_least_memory() {
    let cache = Cache::new(CacheOptions::new().page_size(4096).budget(0));
    cache.set_for_this_thread().expect("the first mapping of this thread comes later");
    random::<wasi_mmap::fallback::Mapping>();
}
