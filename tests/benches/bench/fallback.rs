//! The fallback's page cache in a plugin, against ordinary file reads and writes, and against an emulation of `mmap`.

use wasmtime::Result;
use wasmtime::error::Context as _;

use crate::files::{Files, LARGE, WRITTEN};
use crate::measure::{Comparison, Peer, Sample, Subject, peer};
use crate::native::open_written;
use crate::plugins::{Measure, Plugins};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// How many small reads, and how many small writes.
const READS: u64 = 200_000;
const WRITES: u64 = 100_000;

pub(crate) fn comparisons<'a>(files: &'a Files, plugins: &'a Plugins) -> Result<Vec<Comparison<'a>>> {
    let seconds = Measure::Seconds;
    let library =
        move |workload: &'static str, file: &'static str, numbers: &'static [u64], factor: f64| -> Subject<'a> {
            Box::new(move || Ok(plugins.library(seconds, workload, file, numbers)?.times(factor)))
        };
    let composed =
        move |workload: &'static str, file: &'static str, numbers: &'static [u64], factor: f64| -> Subject<'a> {
            Box::new(move || Ok(plugins.composed(workload, file, numbers)?.times(factor)))
        };
    let cold = move |subject: Subject<'a>| -> Subject<'a> {
        Box::new(move || {
            files.cool("text")?;
            subject()
        })
    };
    let emulation = move |measure, workload: &'static str, factor: f64| -> Option<Subject<'a>> {
        let subject = move || Ok(plugins.emulation(measure, workload, "large", &[64 * KIB])?.times(factor));
        plugins.has_emulation().then(|| -> Subject<'a> { Box::new(subject) })
    };
    const HOT: &[u64] = &[READS, 8 * MIB];
    const COLD: &[u64] = &[READS, LARGE];
    const SCATTERED: &[u64] = &[WRITES, WRITTEN];
    let per_read = 1e6 / READS as f64;
    Ok(vec![
        Comparison::new(
            "fallback-scan",
            "ms for 256 MiB by reads of 64 KiB",
            library("object-scan", "text", &[64 * KIB], 1e3),
            vec![peer("File::read in the plugin", 1.10, library("file-scan", "text", &[64 * KIB], 1e3))],
        ),
        Comparison::new(
            "fallback-cold-scan",
            "ms for 256 MiB by reads of 64 KiB, not in the page cache",
            cold(library("object-scan", "text", &[64 * KIB], 1e3)),
            vec![peer("File::read in the plugin", None, cold(library("file-scan", "text", &[64 * KIB], 1e3)))],
        ),
        Comparison::new(
            "fallback-composed-scan",
            "ms for 256 MiB by reads of 64 KiB",
            composed("object-scan", "text", &[64 * KIB], 1e3),
            vec![peer("File::read in the plugin", None, composed("file-scan", "text", &[64 * KIB], 1e3))],
        ),
        Comparison::new(
            "fallback-lines",
            "ms for the lines of 256 MiB",
            library("object-lines", "text", &[], 1e3),
            vec![peer("BufReader::read_until in the plugin", 1.10, library("file-lines", "text", &[], 1e3))],
        ),
        Comparison::new(
            "fallback-random-hot",
            "µs for 8 bytes in a hot set of 8 MiB",
            library("object-random", "large", HOT, per_read),
            vec![peer("File seek and read in the plugin", 0.05, library("file-random", "large", HOT, per_read))],
        ),
        Comparison::new(
            "fallback-random-cold",
            "µs for 8 bytes in 1 GiB, with a budget of 16 MiB",
            library("object-random", "large", COLD, per_read),
            vec![peer("File seek and read in the plugin", 1.2, library("file-random", "large", COLD, per_read))],
        ),
        Comparison::new(
            "fallback-write",
            "ms for 100,000 writes of 64 bytes in 64 MiB, and a flush",
            library("object-write", "written", SCATTERED, 1e3),
            vec![peer("File seek and write in the plugin", 0.5, library("file-write", "written", SCATTERED, 1e3))],
        ),
        Comparison::new(
            "fallback-first-byte",
            "ms to open and read 1 byte of 1 GiB",
            library("first-byte", "large", &[], 1e3),
            vec![Peer {
                suffix: "",
                name: "wasi-libc's emulated mmap",
                bar: Some(0.01),
                subject: emulation(seconds, "first-byte", 1e3),
            }],
        ),
        Comparison::new(
            "fallback-memory",
            "MiB of the plugin's memory to scan 1 GiB",
            Box::new(move || {
                Ok(plugins.library(Measure::Memory, "object-scan", "large", &[64 * KIB])?.times(1.0 / MIB as f64))
            }),
            vec![Peer {
                suffix: "",
                name: "wasi-libc's emulated mmap",
                bar: Some(0.03),
                subject: emulation(Measure::Memory, "scan", 1.0 / MIB as f64),
            }],
        ),
        Comparison::new(
            "fallback-amplification",
            "bytes written to the file for each byte changed at random",
            Box::new(move || amplification(files, plugins)),
            vec![Peer {
                suffix: "",
                name: "WASIX, which writes the whole mapping back (it cannot be had here)",
                bar: Some(0.01),
                subject: None,
            }],
        ),
    ])
}

/// How many bytes are written for each that is changed, by what the system counts.
fn amplification(files: &Files, plugins: &Plugins) -> Result<Sample> {
    const CHANGES: u64 = 1000;
    open_written(files)?.sync_all()?;
    let before = written()?;
    plugins.library(Measure::Seconds, "object-write", "written", &[CHANGES, WRITTEN])?;
    let after = written()?;
    Ok(Sample { answer: 0, amount: (after - before) / (CHANGES * 64) as f64 })
}

/// How many bytes this process has given to `write(2)`. Linux `proc_pid_io(5)`.
fn written() -> Result<f64> {
    let io = std::fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("wchar:")).context("no wchar")?;
    Ok(line.trim().parse()?)
}
