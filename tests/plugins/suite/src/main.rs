//! Runs the behaviour suite in a sandbox: `suite BACKEND SCRATCH` prints a report for each case, a line of JSON.

use std::path::Path;
use std::process::ExitCode;

use wasi_mmap_tests::case::Backend;
use wasi_mmap_tests::cases::{self, Sizes};
use wasi_mmap_tests::op::Subject;
use wasi_mmap_tests::run::run_all;

#[cfg(target_env = "p2")]
mod resource;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, backend, scratch] = &arguments[..] else {
        eprintln!("usage: suite BACKEND SCRATCH");
        return ExitCode::FAILURE;
    };
    let (backend, scratch) = match serde_json::from_str(&format!("\"{backend}\"")) {
        Ok(backend) => (backend, Path::new(scratch)),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    match backend {
        #[cfg(target_env = "p2")]
        Backend::HostWit | Backend::FallbackWit => run::<resource::Resource>(backend, scratch),
        _ => run::<wasi_mmap::Mapping>(backend, scratch),
    }
    ExitCode::SUCCESS
}

fn run<S: Subject>(backend: Backend, scratch: &Path) {
    let sizes = Sizes { page: S::page_size(), granularity: S::granularity() };
    for report in run_all::<S>(cases::all(sizes), backend, scratch) {
        println!("{}", serde_json::to_string(&report).expect("a report is JSON"));
    }
}
