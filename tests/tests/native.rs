//! The behaviour suite on the operating system's own mappings.

use wasi_mmap_native::Mapping;
use wasi_mmap_tests::case::Backend;
use wasi_mmap_tests::cases::{self, Sizes};
use wasi_mmap_tests::op::Subject;
use wasi_mmap_tests::run::{Verdict, run_all};

#[test]
fn every_case() {
    let scratch = tempfile::tempdir().expect("a directory for the cases");
    let sizes = Sizes { page: <Mapping as Subject>::page_size(), granularity: <Mapping as Subject>::granularity() };
    let failures: Vec<_> = run_all::<Mapping>(cases::all(sizes), Backend::Native, scratch.path())
        .filter(|report| matches!(report.verdict, Verdict::Failed(_)))
        .collect();
    assert!(failures.is_empty(), "{failures:#?}");
}
