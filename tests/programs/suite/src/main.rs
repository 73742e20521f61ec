//! Runs the conformance suite in a sandbox.
//!
//! `suite BACKEND SCRATCH` prints a report for each case, as a line of JSON. `suite BACKEND SCRATCH SEED OPERATIONS`
//! runs that many random operations against the model, and prints `agreed` or the difference.
//! `suite BACKEND SCRATCH play FILE` plays the program that the bytes of a file encode, and
//! `suite BACKEND SCRATCH play-with-faults FILE` plays it while the file is truncated and extended. With `--views` at
//! the end, all of them read and write through views.

use std::path::Path;
use std::process::ExitCode;

use wasi_mmap_conformance::case::Backend;
use wasi_mmap_conformance::cases::{self, Sizes};
use wasi_mmap_conformance::model;
use wasi_mmap_conformance::op::Subject;
use wasi_mmap_conformance::run::run_all;
use wasi_mmap_conformance::viewing::Viewing;

#[cfg(not(target_env = "p1"))]
mod resource;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let views = arguments.last().is_some_and(|last| last == "--views");
    let arguments = &arguments[..arguments.len() - usize::from(views)];
    let (backend, scratch, part) = match arguments {
        [_, backend, scratch] => (backend, scratch, Part::Cases),
        [_, backend, scratch, play, file] if play == "play" => (backend, scratch, Part::Play(file)),
        [_, backend, scratch, play, file] if play == "play-with-faults" => {
            (backend, scratch, Part::PlayWithFaults(file))
        }
        [_, backend, scratch, seed, operations] => match (seed.parse(), operations.parse()) {
            (Ok(seed), Ok(operations)) => (backend, scratch, Part::Random { seed, operations }),
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
    match backend {
        #[cfg(not(target_env = "p1"))]
        Backend::HostWit | Backend::FallbackWit => run::<resource::Resource>(backend, scratch, part),
        _ if views => run::<Viewing<wasi_mmap::Mapping>>(backend, scratch, part),
        _ => run::<wasi_mmap::Mapping>(backend, scratch, part),
    }
    ExitCode::SUCCESS
}

/// The work to do.
enum Part<'a> {
    /// The cases of the behaviour suite.
    Cases,
    /// Random operations.
    Random {
        seed: u64,
        operations: usize,
    },
    /// The program in a file.
    Play(&'a str),
    PlayWithFaults(&'a str),
}

fn usage() -> ExitCode {
    eprintln!("usage: suite BACKEND SCRATCH [SEED OPERATIONS | play FILE | play-with-faults FILE] [--views]");
    ExitCode::FAILURE
}

fn run<S: Subject>(backend: Backend, scratch: &Path, part: Part<'_>) {
    let program = |file| std::fs::read(file).expect("a program");
    let outcome = match part {
        Part::Cases => {
            let sizes = Sizes { page: S::page_size(), granularity: S::granularity() };
            for report in run_all::<S>(cases::all(sizes), backend, scratch) {
                println!("{}", serde_json::to_string(&report).expect("a report is JSON"));
            }
            return;
        }
        Part::Random { seed, operations } => {
            model::run::<S>(model::Run { seed, operations, private: true, windows: false }, scratch)
        }
        Part::Play(file) => model::play_bytes::<S>(&program(file), scratch),
        Part::PlayWithFaults(file) => model::play_with_faults::<S>(&program(file), scratch),
    };
    match outcome {
        Ok(()) => println!("agreed"),
        Err(difference) => println!("{difference}"),
    }
}
