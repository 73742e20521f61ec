//! Random operations against the model, on every backend that runs in a plugin.

use super::suite::{run_suite, test_every_backend};
use wasi_mmap_conformance::case::Backend;
use wasi_mmap_conformance::model::{Run, runs};

test_every_backend!(run_model);

fn run_model(backend: Backend, arguments: &[&str]) {
    let scratch = tempfile::tempdir().expect("a directory for the files");
    for Run { seed, operations, .. } in runs(backend) {
        let run = [seed.to_string(), operations.to_string()];
        let arguments = [&run.each_ref().map(String::as_str)[..], arguments].concat();
        let printed = run_suite(backend, scratch.path(), &arguments);
        assert_eq!(printed, "agreed\n", "{backend:?}");
    }
}
