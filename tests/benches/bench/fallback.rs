//! The fallback's page cache in a plugin, against ordinary file reads and writes, and against an emulation of `mmap`.

use wasmtime::Result;
use wasmtime::error::Context as _;

use crate::files::{Files, LARGE, WRITTEN};
use crate::measure::{Comparison, Peer, Sample, Subject, peer};
use crate::native::open_written;
use crate::plugins::{Measure, Plugins};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// The number of small reads, and of small writes.
const READS: u64 = 200_000;
const WRITES: u64 = 100_000;

/// The way in which a plugin uses the fallback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As a library in a component.
    Library,
    /// In a component that is composed with the fallback component, and serves itself.
    Composed,
    /// As the fallback component, through the interface: for plugins in other languages.
    Component,
    /// As a library in a module of preview 1.
    Module,
}

impl Form {
    /// The prefix of the names of its rows.
    fn prefix(self) -> &'static str {
        match self {
            Self::Library => "fallback",
            Self::Composed => "fallback-composed",
            Self::Component => "fallback-component",
            Self::Module => "fallback-module",
        }
    }

    fn run(self, plugins: &Plugins, workload: &str, file: &str, numbers: &[u64]) -> Result<Sample> {
        match self {
            Self::Library => plugins.host(&workload.replace("object", "library"), file, numbers),
            Self::Composed => plugins.composed(workload, file, numbers),
            Self::Component => plugins.composed(&workload.replace("object", "wit"), file, numbers),
            Self::Module => plugins.module(Measure::Seconds, workload, file, numbers),
        }
    }
}

/// An operation of a plugin on the mapping, and its equivalent without one.
struct Operation {
    name: &'static str,
    unit: &'static str,
    ours: &'static str,
    peer: &'static str,
    peer_name: &'static str,
    file: &'static str,
    numbers: &'static [u64],
    /// The number of units in a second.
    factor: f64,
    bar: f64,
    /// Whether it is measured through the interface, too.
    is_in_component: bool,
}

#[expect(clippy::cast_precision_loss, reason = "a small number")]
static OPERATIONS: [Operation; 5] = [
    Operation {
        name: "scan",
        unit: "ms for 256 MiB by reads of 64 KiB",
        ours: "object-scan",
        peer: "file-scan",
        peer_name: "File::read",
        file: "text",
        numbers: &[64 * KIB],
        factor: 1e3,
        bar: 1.1,
        is_in_component: true,
    },
    Operation {
        name: "lines",
        unit: "ms for the lines of 256 MiB",
        ours: "object-lines",
        peer: "file-lines",
        peer_name: "BufReader::read_until",
        file: "text",
        numbers: &[],
        factor: 1e3,
        bar: 1.1,
        is_in_component: true,
    },
    Operation {
        name: "random-hot",
        unit: "µs for 8 bytes in a hot set of 8 MiB",
        ours: "object-random",
        peer: "file-random",
        peer_name: "File seek and read",
        file: "large",
        numbers: &[READS, 8 * MIB],
        factor: 1e6 / READS as f64,
        bar: 0.05,
        is_in_component: true,
    },
    Operation {
        name: "random-cold",
        unit: "µs for 8 bytes in 1 GiB, with a budget of 16 MiB",
        ours: "object-random",
        peer: "file-random",
        peer_name: "File seek and read",
        file: "large",
        numbers: &[READS, LARGE],
        factor: 1e6 / READS as f64,
        bar: 1.2,
        is_in_component: false,
    },
    Operation {
        name: "write",
        unit: "ms for 100,000 writes of 64 bytes in 64 MiB, and a flush",
        ours: "object-write",
        peer: "file-write",
        peer_name: "File seek and write",
        file: "written",
        numbers: &[WRITES, WRITTEN],
        factor: 1e3,
        bar: 0.5,
        is_in_component: false,
    },
];

pub(crate) fn comparisons<'a>(files: &'a Files, plugins: &'a Plugins) -> Vec<Comparison<'a>> {
    let forms = [Form::Library, Form::Composed, Form::Component, Form::Module];
    let pairs = forms.into_iter().flat_map(|form| OPERATIONS.iter().map(move |operation| (form, operation)));
    let has_row = |form, operation: &Operation| form != Form::Component || operation.is_in_component;
    let mut comparisons: Vec<_> = pairs
        .filter(|(form, operation)| has_row(*form, operation))
        .map(|(form, operation)| {
            let Operation { name, unit, ours, peer: alone, peer_name, file, numbers, factor, bar, .. } = *operation;
            let run = move |workload: &'static str| -> Subject<'a> {
                Box::new(move || Ok(form.run(plugins, workload, file, numbers)?.times(factor)))
            };
            let bar = match (form, name) {
                // Every call crosses the border of a component, which no cache makes faster.
                (Form::Component, _) => None,
                (Form::Composed, "lines") => Some(1.3),
                _ => Some(bar),
            };
            let name = format!("{}-{name}", form.prefix());
            Comparison::new(name, unit, run(ours), vec![peer(peer_name, bar, run(alone))])
        })
        .collect();
    let cold_scan = move |workload: &'static str| -> Subject<'a> {
        Box::new(move || {
            files.cool("text")?;
            Ok(Form::Library.run(plugins, workload, "text", &[64 * KIB])?.times(1e3))
        })
    };
    let emulation = move |measure, workload: &'static str, factor: f64| -> Vec<Peer<'a>> {
        let subject = move || Ok(plugins.emulation(measure, workload, "large", &[64 * KIB])?.times(factor));
        let subject = plugins.has_emulation().then(|| -> Subject<'a> { Box::new(subject) });
        let bar = if workload == "first-byte" { 0.01 } else { 0.03 };
        vec![Peer { suffix: "", name: "wasi-libc's emulated mmap", bar: Some(bar), subject }]
    };
    let module = move |measure, workload: &'static str, factor: f64| -> Subject<'a> {
        Box::new(move || Ok(plugins.module(measure, workload, "large", &[64 * KIB])?.times(factor)))
    };
    let memory = 1.0 / MIB as f64;
    comparisons.extend([
        Comparison::new(
            "fallback-cold-scan",
            "ms for 256 MiB by reads of 64 KiB, not in the page cache",
            cold_scan("object-scan"),
            vec![peer("File::read", None, cold_scan("file-scan"))],
        ),
        Comparison::new(
            "fallback-first-byte",
            "ms to open and read 1 byte of 1 GiB",
            module(Measure::Seconds, "first-byte", 1e3),
            emulation(Measure::Seconds, "first-byte", 1e3),
        ),
        Comparison::new(
            "fallback-memory",
            "MiB of the plugin's memory to scan 1 GiB",
            module(Measure::Memory, "object-scan", memory),
            emulation(Measure::Memory, "scan", memory),
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
    ]);
    comparisons
}

/// The operations with other page sizes, which are compared with the default of 64 KiB.
pub(crate) fn page_sizes(plugins: &Plugins) -> Vec<Comparison<'_>> {
    let sizes = [
        ("16-kib", "pages of 16 KiB", 16 * KIB),
        ("32-kib", "pages of 32 KiB", 32 * KIB),
        ("128-kib", "pages of 128 KiB", 128 * KIB),
        ("256-kib", "pages of 256 KiB", 256 * KIB),
    ];
    let run = move |operation: &'static Operation, size: Option<u64>| -> Subject<'_> {
        let Operation { ours, file, numbers, factor, .. } = *operation;
        let numbers: Vec<u64> = numbers.iter().copied().chain(size).collect();
        Box::new(move || Ok(Form::Library.run(plugins, ours, file, &numbers)?.times(factor)))
    };
    let compare = |operation: &'static Operation| {
        let peers = sizes.map(|(suffix, name, size)| Peer { suffix, ..peer(name, None, run(operation, Some(size))) });
        Comparison::new(format!("pages-{}-", operation.name), operation.unit, run(operation, None), peers.into())
    };
    OPERATIONS.iter().map(compare).collect()
}

/// Returns the number of bytes written for each byte changed, as the system counts them.
fn amplification(files: &Files, plugins: &Plugins) -> Result<Sample> {
    const CHANGES: u64 = 1000;
    open_written(files)?.sync_all()?;
    let before = written()?;
    plugins.module(Measure::Seconds, "object-write", "written", &[CHANGES, WRITTEN])?;
    let after = written()?;
    Ok(Sample { result: 0, amount: (after - before) / (CHANGES * 64) as f64 })
}

/// Returns the number of bytes that this process has passed to `write(2)`. Linux `proc_pid_io(5)`.
fn written() -> Result<f64> {
    let io = std::fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("wchar:")).context("no wchar")?;
    Ok(line.trim().parse()?)
}
