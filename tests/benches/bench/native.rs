//! The mapping without a sandbox, against `memmap2` and against CPython's `mmap`.

use std::fs::File;
use std::io::BufRead;
use std::process::{Command, Stdio};

use memchr::memmem;
use serde::Deserialize;
use wasi_mmap::{Access, Mapping};
use wasi_mmap_conformance::measured::{ABSENT, Random, sum_times};
use wasi_mmap_native::Lend;
use wasmtime::error::Context as _;
use wasmtime::{Result, ensure};

use crate::files::{Files, LARGE, TEXT, WRITTEN};
use crate::measure::{Comparison, Peer, Sample, Subject, peer, timed};
use crate::window::map;

const MIB: usize = 1 << 20;
/// The number of small reads, and of mappings.
const READS: usize = 4_000_000;
const OPENS: usize = 20_000;
/// The number of slices and of writes, which are slow in Python.
const PYTHON_SLICES: usize = 200_000;
const PYTHON_WRITES: usize = 500_000;

pub(crate) fn comparisons(files: &Files) -> Result<Vec<Comparison<'_>>> {
    let open = move |name: &str| Mapping::open(files.path(name));
    let ms = |sample: Sample| sample.times(1e3);
    let mut comparisons = vec![
        Comparison::new(
            "native-scan",
            "ms for 256 MiB",
            Box::new(move || {
                let mapping = open("text")?;
                // SAFETY: nobody writes to the files of benchmarks.
                let bytes = unsafe { mapping.as_slice() }?;
                std::hint::black_box(sum_times(bytes, 1));
                timed(|| Ok(sum_times(bytes, 1))).map(ms)
            }),
            vec![peer(
                "memmap2",
                1.02,
                Box::new(move || {
                    let map = map(files, "text")?;
                    std::hint::black_box(sum_times(&map, 1));
                    timed(|| Ok(sum_times(&map, 1))).map(ms)
                }),
            )],
        ),
        Comparison::new(
            "native-cold-scan",
            "ms for 256 MiB, not in the page cache",
            Box::new(move || {
                files.cool("text")?;
                let mapping = open("text")?;
                // SAFETY: as above.
                let bytes = unsafe { mapping.as_slice() }?;
                timed(|| Ok(sum_times(bytes, 1))).map(ms)
            }),
            vec![peer(
                "memmap2",
                None,
                Box::new(move || {
                    files.cool("text")?;
                    let map = map(files, "text")?;
                    timed(|| Ok(sum_times(&map, 1))).map(ms)
                }),
            )],
        ),
        Comparison::new(
            "native-read",
            "ms for 256 MiB by reads of 1 MiB",
            Box::new(move || {
                let mut mapping = open("text")?;
                let mut buffer = vec![0; MIB];
                let mut pass = || {
                    mapping.seek(std::io::SeekFrom::Start(0))?;
                    let mut state = 0u64;
                    while mapping.read(&mut buffer)? > 0 {
                        state += u64::from(buffer[MIB - 1]);
                    }
                    Ok(state)
                };
                pass()?;
                timed(pass).map(ms)
            }),
            vec![peer(
                "copy_from_slice from memmap2",
                1.10,
                Box::new(move || {
                    let (map, mut buffer) = (map(files, "text")?, vec![0; MIB]);
                    let mut pass = || {
                        map.chunks(MIB).fold(0u64, |state, chunk| {
                            buffer[..chunk.len()].copy_from_slice(std::hint::black_box(chunk));
                            state + u64::from(buffer[MIB - 1])
                        })
                    };
                    pass();
                    timed(|| Ok(pass())).map(ms)
                }),
            )],
        ),
        Comparison::new(
            "native-small",
            "ns for 16 bytes at random in 256 MiB",
            Box::new(move || {
                let mapping = open("text")?;
                let mut bytes = [0; 16];
                small_reads(|at| {
                    mapping.read_exact_at(&mut bytes, at)?;
                    Ok(bytes[0])
                })
            }),
            vec![peer(
                "a bounds-checked slice of memmap2",
                1.5,
                Box::new(move || {
                    let map = map(files, "text")?;
                    let mut bytes = [0; 16];
                    small_reads(|at| {
                        let at = usize::try_from(at)?;
                        bytes.copy_from_slice(map.get(at..at + 16).context("a range")?);
                        Ok(std::hint::black_box(bytes)[0])
                    })
                }),
            )],
        ),
        Comparison::new(
            "native-find",
            "ms for an absent needle in 256 MiB",
            Box::new(move || {
                let mapping = open("text")?;
                let find = || Ok(mapping.find_from_cursor(ABSENT, None, None)?.unwrap_or(u64::MAX));
                find()?;
                timed(find).map(ms)
            }),
            vec![peer(
                "memmem on memmap2",
                1.05,
                Box::new(move || {
                    let map = map(files, "text")?;
                    let find = || memmem::find(&map, ABSENT).map_or(u64::MAX, |at| at as u64);
                    std::hint::black_box(find());
                    timed(|| Ok(find())).map(ms)
                }),
            )],
        ),
        Comparison::new(
            "native-lines",
            "ms for the lines of 256 MiB",
            Box::new(move || {
                let mut mapping = open("text")?;
                let mut line = Vec::new();
                lines(|| {
                    line.clear();
                    let count = mapping.read_line_into(&mut line)?;
                    Ok((count, line.first().copied()))
                })
                .map(ms)
            }),
            vec![peer(
                "BufRead::read_until on memmap2",
                1.10,
                Box::new(move || {
                    let map = map(files, "text")?;
                    let (mut rest, mut line) = (&map[..], Vec::new());
                    lines(|| {
                        line.clear();
                        let count = rest.read_until(b'\n', &mut line)?;
                        Ok((count, line.first().copied()))
                    })
                    .map(ms)
                }),
            )],
        ),
        Comparison::new(
            "native-open",
            "µs to open, map and close",
            Box::new(move || {
                let path = files.path("large");
                timed(|| (0..OPENS).try_fold(0, |_, _| Ok(Mapping::open(&path)?.len()?)))
                    .map(|sample| sample.times(1e6 / OPENS as f64))
            }),
            vec![peer(
                "memmap2",
                1.5,
                Box::new(move || {
                    timed(|| (0..OPENS).try_fold(0, |_, _| Ok(map(files, "large")?.len() as u64)))
                        .map(|sample| sample.times(1e6 / OPENS as f64))
                }),
            )],
        ),
    ];
    comparisons.extend(python(files));
    Ok(comparisons)
}

/// Small reads at random, in nanoseconds for each, after as many that touch the pages.
fn small_reads(mut read: impl FnMut(u64) -> Result<u8>) -> Result<Sample> {
    let mut pass = || {
        let (mut random, mut state) = (Random::new(3), 0u64);
        for _ in 0..READS {
            state = state.wrapping_add(u64::from(read(random.below(TEXT - 16))?));
        }
        Ok(state)
    };
    pass()?;
    Ok(timed(pass)?.times(1e9 / READS as f64))
}

fn lines(mut next: impl FnMut() -> Result<(usize, Option<u8>)>) -> Result<Sample> {
    timed(|| {
        let mut state = 0;
        loop {
            match next()? {
                (_, None) => return Ok(state),
                (count, Some(first)) => state += count as u64 * u64::from(first),
            }
        }
    })
}

/// Compares a loop over CPython's `mmap` with the same loop over ours.
fn python(files: &Files) -> Vec<Comparison<'_>> {
    let version = Command::new("python3").arg("--version").output();
    let has_python = version.is_ok_and(|output| output.status.success());
    let peer = move |workload: &'static str, name: &'static str| Peer {
        suffix: "",
        name: "CPython's mmap",
        bar: Some(1.0),
        subject: has_python.then(|| -> Subject<'_> { Box::new(move || run_python(files, workload, name)) }),
    };
    let ms = |sample: Sample| sample.times(1e3);
    let read = move |name: &str| Mapping::open(files.path(name));
    vec![
        Comparison::new(
            "python-find",
            "ms for an absent needle in 256 MiB",
            Box::new(move || {
                let mapping = read("text")?;
                let find = || Ok(mapping.find_from_cursor(ABSENT, None, None)?.unwrap_or(u64::MAX));
                find()?;
                timed(find).map(ms)
            }),
            vec![peer("find", "text")],
        ),
        Comparison::new(
            "python-lines",
            "ms for the lines of 64 MiB",
            Box::new(move || {
                let mut mapping = read("written")?;
                timed(|| {
                    let mut state = 0;
                    loop {
                        let line = mapping.read_line()?;
                        if line.is_empty() {
                            return Ok(state);
                        }
                        state += line.len() as u64;
                    }
                })
                .map(ms)
            }),
            vec![peer("lines", "written")],
        ),
        Comparison::new(
            "python-slices",
            "µs for a slice of 1 KiB at random in 1 GiB",
            Box::new(move || {
                let mapping = read("large")?;
                let slices = || {
                    let mut state = 0;
                    for number in 0..PYTHON_SLICES as u64 {
                        let start = number * 7919 * 512 % (LARGE - 1024);
                        let bytes = mapping.read_range(start..start + 1024)?;
                        state += u64::from(bytes[0]);
                    }
                    Ok(state)
                };
                slices()?;
                timed(slices).map(|sample| sample.times(1e6 / PYTHON_SLICES as f64))
            }),
            vec![peer("slices", "large")],
        ),
        Comparison::new(
            "python-random-write",
            "µs for a write of 8 bytes at random in a copy of 64 MiB",
            Box::new(move || {
                let mut mapping = Mapping::options().access(Access::Copy).open(files.path("written"))?;
                let mut writes = || {
                    for number in 0..PYTHON_WRITES as u64 {
                        mapping.write_all_at(b"8 bytes.", number * 7919 * 512 % (WRITTEN - 8))?;
                    }
                    Ok(mapping.len()?)
                };
                writes()?;
                timed(writes).map(|sample| sample.times(1e6 / PYTHON_WRITES as f64))
            }),
            vec![peer("random-write", "written")],
        ),
    ]
}

/// The output of the script.
#[derive(Debug, Deserialize)]
struct Done {
    result: u64,
    amount: f64,
}

fn run_python(files: &Files, workload: &str, name: &str) -> Result<Sample> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/python_mmap.py");
    let mut command = Command::new("python3");
    command.args([script, workload]).arg(files.path(name)).stderr(Stdio::inherit());
    let output = command.output().context("python3")?;
    ensure!(output.status.success(), "python3 {workload} failed");
    let Done { result, amount } = serde_json::from_slice(&output.stdout).context("what the script prints")?;
    Ok(Sample { result, amount })
}

/// Opens the file that is written, as plugins do: without creating it.
pub(crate) fn open_written(files: &Files) -> Result<File> {
    Ok(File::options().read(true).write(true).open(files.path("written"))?)
}
