//! Windows against memory of the plugin's own, against a mapping without a sandbox, and against copies.

use std::fs::File;

use memmap2::Mmap;
use wasi_mmap_conformance::measured::{random_loads, sum_times, touch};
use wasmtime::Result;
use wasmtime::error::Context as _;

use crate::files::{Files, LARGE};
use crate::measure::{Comparison, Peer, Sample, peer, timed};
use crate::plugins::Plugins;

/// The number of scans of the file in one measurement.
const PASSES: usize = 4;
/// The number of words that are loaded.
const LOADS: usize = 4_000_000;
/// The number of windows that are attached and detached, and the length of each: 64 KiB.
const CYCLES: u64 = 10_000;
const WINDOW: u64 = 64 << 10;
/// The numbers of windows that stay attached meanwhile.
const MANY: u64 = 10_000;
const FEW: u64 = 50;

pub(crate) fn comparisons<'a>(files: &'a Files, plugins: &'a Plugins) -> Result<Vec<Comparison<'a>>> {
    let passes = PASSES as u64;
    let per_pass = move |sample: Sample| sample.times(1e3 / PASSES as f64);
    let per_load = |sample: Sample| sample.times(1e9 / LOADS as f64);
    let per_cycle = |sample: Sample| sample.times(1e6 / CYCLES as f64);
    let named = |suffix, peer: Peer<'a>| Peer { suffix, ..peer };
    Ok(vec![
        Comparison::new(
            "window-scan",
            "ms for 256 MiB",
            Box::new(move || plugins.host("view-scan", "text", &[passes]).map(per_pass)),
            vec![
                named(
                    "",
                    peer(
                        "memory of the plugin's own",
                        1.05,
                        Box::new(move || plugins.host("memory-scan", "text", &[passes]).map(per_pass)),
                    ),
                ),
                named(
                    "-native",
                    peer(
                        "memmap2 without a sandbox",
                        1.10,
                        Box::new(move || {
                            let map = map(files, "text")?;
                            std::hint::black_box(sum_times(&map, 1));
                            timed(|| Ok(sum_times(&map, PASSES))).map(per_pass)
                        }),
                    ),
                ),
            ],
        ),
        Comparison::new(
            "window-scan-copies",
            "ms for 256 MiB",
            Box::new(move || plugins.host("view-scan", "text", &[1]).map(|sample| sample.times(1e3))),
            vec![
                named(
                    "-read-at",
                    peer(
                        "read-at of 1 MiB",
                        None,
                        Box::new(move || {
                            plugins.host("object-scan", "text", &[1 << 20]).map(|sample| sample.times(1e3))
                        }),
                    ),
                ),
                named(
                    "-file",
                    peer(
                        "std::fs::File in the plugin, reads of 1 MiB",
                        None,
                        Box::new(move || plugins.host("file-scan", "text", &[1 << 20]).map(|sample| sample.times(1e3))),
                    ),
                ),
            ],
        ),
        Comparison::new(
            "window-first-scan",
            "ms for 256 MiB, from open on",
            Box::new(move || plugins.host("view-first", "text", &[]).map(|sample| sample.times(1e3))),
            vec![peer(
                "memmap2 without a sandbox",
                None,
                Box::new(move || timed(|| Ok(sum_times(&map(files, "text")?, 1))).map(|sample| sample.times(1e3))),
            )],
        ),
        Comparison::new(
            "window-cold-scan",
            "ms for 256 MiB, from open on, not in the page cache",
            Box::new(move || {
                files.cool("text")?;
                plugins.host("view-first", "text", &[]).map(|sample| sample.times(1e3))
            }),
            vec![peer(
                "memmap2 without a sandbox",
                None,
                Box::new(move || {
                    files.cool("text")?;
                    timed(|| Ok(sum_times(&map(files, "text")?, 1))).map(|sample| sample.times(1e3))
                }),
            )],
        ),
        Comparison::new(
            "window-random",
            "ns for a load of 8 bytes in 1 GiB",
            Box::new(move || plugins.host("view-random", "large", &[LOADS as u64]).map(per_load)),
            vec![
                named(
                    "-native",
                    peer(
                        "memmap2 without a sandbox",
                        1.15,
                        Box::new(move || {
                            let map = map(files, "large")?;
                            touch(&map);
                            timed(|| Ok(random_loads(&map, LOADS))).map(per_load)
                        }),
                    ),
                ),
                named(
                    "",
                    peer(
                        "memory of the plugin's own",
                        None,
                        Box::new(move || plugins.host("memory-random", "large", &[LOADS as u64]).map(per_load)),
                    ),
                ),
            ],
        ),
        Comparison::new(
            "window-attach",
            "µs to attach 64 KiB, read a byte, and detach",
            Box::new(move || plugins.host("view-cycles", "large", &[CYCLES, WINDOW]).map(per_cycle)),
            vec![peer(
                "mmap, read a byte and munmap without a sandbox",
                3.0,
                Box::new(move || native_cycles(files).map(per_cycle)),
            )],
        ),
        Comparison::new(
            "window-attach-stable",
            "µs to attach 64 KiB that a lease holds, read a byte, and detach",
            Box::new(move || plugins.stable("view-cycles", "large", &[CYCLES, WINDOW]).map(per_cycle)),
            vec![peer(
                "a window that needs no guarantee",
                1.15,
                Box::new(move || plugins.host("view-cycles", "large", &[CYCLES, WINDOW]).map(per_cycle)),
            )],
        ),
        Comparison::new(
            "window-attach-engine",
            "µs to attach 64 KiB in a memory of the engine's own, read a byte, and detach",
            Box::new(move || plugins.in_engine_memory("view-cycles", "large", &[CYCLES, WINDOW]).map(per_cycle)),
            vec![peer(
                "in a memory that is configured for windows",
                1.1,
                Box::new(move || plugins.host("view-cycles", "large", &[CYCLES, WINDOW]).map(per_cycle)),
            )],
        ),
        Comparison::new(
            "window-attach-many",
            "µs to attach 64 KiB, read a byte, and detach, beside 10,000 windows",
            Box::new(move || plugins.unlimited("view-cycles", "large", &[CYCLES, WINDOW, MANY]).map(per_cycle)),
            vec![peer(
                "beside 50 windows",
                1.1,
                Box::new(move || plugins.unlimited("view-cycles", "large", &[CYCLES, WINDOW, FEW]).map(per_cycle)),
            )],
        ),
        Comparison::new(
            "window-attach-engine-many",
            "µs to attach 64 KiB in a memory of the engine's own, read a byte, and detach, beside 10,000 windows",
            Box::new(move || plugins.in_engine_memory("view-cycles", "large", &[CYCLES, WINDOW, MANY]).map(per_cycle)),
            vec![peer(
                "beside 50 windows",
                1.1,
                Box::new(move || {
                    plugins.in_engine_memory("view-cycles", "large", &[CYCLES, WINDOW, FEW]).map(per_cycle)
                }),
            )],
        ),
        Comparison::new(
            "window-memory",
            "KiB that plugin and host hold more with a window of 1 GiB",
            Box::new(move || private(plugins, LARGE)),
            vec![peer("a window of 64 KiB", None, Box::new(move || private(plugins, WINDOW)))],
        ),
    ])
}

/// A mapping of a peer.
pub(crate) fn map(files: &Files, name: &str) -> Result<Mmap> {
    let file = File::open(files.path(name))?;
    // SAFETY: nobody writes to the files that are read here.
    Ok(unsafe { Mmap::map(&file) }?)
}

fn native_cycles(files: &Files) -> Result<Sample> {
    let file = File::open(files.path("large"))?;
    timed(|| {
        let mut state = 0u64;
        for cycle in 0..CYCLES {
            let mut options = memmap2::MmapOptions::new();
            options.offset(cycle * WINDOW % (LARGE - WINDOW)).len(usize::try_from(WINDOW)?);
            // SAFETY: as in `map`.
            let map = unsafe { options.map(&file) }?;
            state = state.wrapping_add(u64::from(std::hint::black_box(map[0])));
        }
        Ok(state)
    })
}

/// Returns the private memory that a window of `len` bytes costs, all of which is read.
fn private(plugins: &Plugins, len: u64) -> Result<Sample> {
    let before = anonymous()?;
    plugins.host_and_then("view-keep", "large", &[len], |_, _| {
        Ok(Sample { result: 0, amount: (anonymous()? - before).max(1.0) })
    })
}

/// Returns the private memory of this process in KiB. Linux `proc_pid_status(5)`.
pub(crate) fn anonymous() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("no RssAnon")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
