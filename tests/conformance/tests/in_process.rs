//! The suite and the model on the backends that run in process: native mappings, and the fallback as a library.

use wasi_mmap::Mapping;
#[cfg(unix)]
use wasi_mmap::fallback::{self, Cache, CacheOptions};
use wasi_mmap_conformance::case::Backend;
use wasi_mmap_conformance::cases::{self, Sizes};
use wasi_mmap_conformance::model;
use wasi_mmap_conformance::op::Subject;
use wasi_mmap_conformance::run::{check, run_all};
use wasi_mmap_conformance::viewing::Viewing;

/// The backend of [`Mapping`] on this system.
const NATIVE: Backend = if cfg!(windows) { Backend::Windows } else { Backend::Native };

fn run_cases<S: Subject>(backend: Backend, through: &str) {
    let scratch = tempfile::tempdir().expect("a directory for the cases");
    let sizes = Sizes { page: S::page_size(), granularity: S::granularity() };
    let reports: Vec<_> = run_all::<S>(cases::all(sizes), backend, scratch.path()).collect();
    check(backend, through, &reports, env!("CARGO_TARGET_TMPDIR").as_ref());
}

fn run_model<S: Subject>(backend: Backend) {
    let scratch = tempfile::tempdir().expect("a directory for the files");
    for run in model::runs(backend) {
        if let Err(difference) = model::run::<S>(run, scratch.path()) {
            panic!("{difference}");
        }
    }
}

/// Defines a test of the suite and one of the model for each backend.
macro_rules! backends {
    ($($(#[$attribute:meta])* $name:ident: $subject:ty, $backend:expr, $through:literal;)*) => {
        mod suite {
            use super::*;

            $(
                $(#[$attribute])*
                #[test]
                fn $name() {
                    run_cases::<$subject>($backend, $through);
                }
            )*
        }

        mod random_operations {
            use super::*;

            $(
                $(#[$attribute])*
                #[test]
                fn $name() {
                    run_model::<$subject>($backend);
                }
            )*
        }
    };
}

backends! {
    native: Mapping, NATIVE, "in process";
    native_views: Viewing<Mapping>, NATIVE, "in process, through views";
    // The same code as in a sandbox, where Valgrind can see it. It is not available on Windows.
    #[cfg(unix)]
    fallback_in_process: fallback::Mapping, Backend::FallbackNative, "in process";
}

/// Two pages of the smallest size: nearly every access evicts one.
#[cfg(unix)]
#[test]
fn random_operations_on_the_fallback_with_the_smallest_cache() {
    let cache = Cache::new(CacheOptions::new().page_size(4096).budget(0));
    cache.set_for_this_thread().expect("the first mapping of this thread comes later");
    run_model::<fallback::Mapping>(Backend::FallbackNative);
}
