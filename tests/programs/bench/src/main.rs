//! The workloads of the benchmarks in a sandbox: `bench WORKLOAD FILE NUMBER…` runs one once, and prints a line of JSON
//! with what came out, how many seconds the thing itself took, and how large the memory is afterwards.

mod calls;
mod maps;
mod scan;
mod small;
mod views;
mod wit;
mod write;

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use wasi_mmap::Access;
use wasi_mmap::fallback::{self, Cache, CacheOptions};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The arguments of a workload.
struct Job<'a> {
    file: &'a str,
    numbers: &'a [u64],
}

impl Job<'_> {
    /// A number of the command line, as what counts things in memory.
    fn number(&self, index: usize) -> usize {
        let number = self.numbers.get(index).unwrap_or_else(|| panic!("number {index} is missing"));
        usize::try_from(*number).expect("it fits into the memory")
    }
}

/// Maps the job's file with the fallback's library, with pages of another size if the number with this index says so.
fn library(job: &Job<'_>, access: Access, index: usize) -> Result<fallback::Mapping> {
    if let Some(&size) = job.numbers.get(index) {
        Cache::new(CacheOptions::new().page_size(usize::try_from(size)?)).set_for_this_thread()?;
    }
    Ok(fallback::Mapping::options().access(access).open(job.file)?)
}

/// The result, and the time that it took.
struct Done {
    result: u64,
    took: Duration,
}

/// Times `work`.
fn timed(work: impl FnOnce() -> Result<u64>) -> Result<Done> {
    let started = Instant::now();
    let result = std::hint::black_box(work()?);
    Ok(Done { result, took: started.elapsed() })
}

/// A workload and its name.
type Workload = (&'static str, fn(&Job<'_>) -> Result<Done>);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let workloads = || {
        [
            scan::WORKLOADS,
            small::WORKLOADS,
            views::WORKLOADS,
            write::WORKLOADS,
            calls::WORKLOADS,
            wit::WORKLOADS,
            maps::WORKLOADS,
        ]
    };
    let [name, file, numbers @ ..] = &arguments[..] else {
        let names: Vec<_> = workloads().concat().iter().map(|(name, _)| *name).collect();
        eprintln!("usage: bench WORKLOAD FILE NUMBER…, with a workload of {}", names.join(", "));
        return ExitCode::from(2);
    };
    let numbers: Vec<u64> = numbers.iter().map(|number| number.parse().expect("a number")).collect();
    let Some((_, run)) = workloads().concat().into_iter().find(|(workload, _)| workload == name) else {
        eprintln!("bench: no workload {name}");
        return ExitCode::from(2);
    };
    match run(&Job { file, numbers: &numbers }) {
        Ok(Done { result, took }) => {
            let memory = core::arch::wasm32::memory_size(0) * 65536;
            let done = serde_json::json!({"result": result, "seconds": took.as_secs_f64(), "memory_bytes": memory});
            println!("{done}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench: {name} {file}: {error}");
            ExitCode::FAILURE
        }
    }
}
