//! Runs the behaviour suite in a sandbox, or on Windows.
//!
//! `suite BACKEND SCRATCH` prints a report for each case, a line of JSON. `suite BACKEND SCRATCH SEED OPERATIONS` runs so many
//! random operations against the model, and prints how it differs. With `--views` at the end, both read and write through views.

use std::path::Path;
use std::process::ExitCode;

use wasi_mmap_tests::case::Backend;
use wasi_mmap_tests::cases::{self, Sizes};
use wasi_mmap_tests::model;
use wasi_mmap_tests::op::Subject;
use wasi_mmap_tests::run::run_all;
use wasi_mmap_tests::viewing::Viewing;

#[cfg(target_env = "p2")]
mod resource;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let views = arguments.last().is_some_and(|last| last == "--views");
    let arguments = &arguments[..arguments.len() - usize::from(views)];
    let (backend, scratch, random) = match arguments {
        [_, backend, scratch] => (backend, scratch, None),
        [_, backend, scratch, seed, operations] => match (seed.parse(), operations.parse()) {
            (Ok(seed), Ok(operations)) => (backend, scratch, Some((seed, operations))),
            _ => return usage(),
        },
        _ => return usage(),
    };
    let (backend, scratch) = match serde_json::from_str(&format!("\"{backend}\"")) {
        Ok(backend) => (backend, Path::new(scratch)),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let windows = backend == Backend::Windows;
    let random = random.map(|(seed, operations)| model::Run { seed, operations, private: true, windows });
    match backend {
        #[cfg(target_env = "p2")]
        Backend::HostWit | Backend::FallbackWit => run::<resource::Resource>(backend, scratch, random),
        _ if views => run::<Viewing<wasi_mmap::Mapping>>(backend, scratch, random),
        _ => run::<wasi_mmap::Mapping>(backend, scratch, random),
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: suite BACKEND SCRATCH [SEED OPERATIONS] [--views]");
    ExitCode::FAILURE
}

fn run<S: Subject>(backend: Backend, scratch: &Path, random: Option<model::Run>) {
    if let Some(random) = random {
        match model::run::<S>(random, scratch) {
            Ok(()) => println!("agreed"),
            Err(difference) => println!("{difference}"),
        }
        return;
    }
    let sizes = Sizes { page: S::page_size(), granularity: S::granularity() };
    for report in run_all::<S>(cases::all(sizes), backend, scratch) {
        println!("{}", serde_json::to_string(&report).expect("a report is JSON"));
    }
}
