//! Programs over memmap2 as plugins, against the same without a sandbox, and against ordinary file I/O in the plugin.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wasi_mmap_conformance::measured::sum_times;
use wasmtime::component::Component;
use wasmtime::error::Context as _;
use wasmtime::{Result, ensure};

use crate::files::{Files, LARGE, SMALL};
use crate::measure::{Comparison, Peer, Sample, peer, timed};
use crate::plugins::Plugins;
use crate::support::{Run, any_windows, engine, plugin_path};
use crate::window::{anonymous, map};

/// The number of mappings that are made one after the other.
const CYCLES: u64 = 10_000;

pub(crate) fn comparisons<'a>(files: &'a Files, plugins: &'a Plugins) -> Result<Vec<Comparison<'a>>> {
    let per_cycle = |sample: Sample| sample.times(1e6 / CYCLES as f64);
    let ms = |sample: Sample| sample.times(1e3);
    let named = |suffix, peer: Peer<'a>| Peer { suffix, ..peer };
    let mut comparisons = vec![
        Comparison::new(
            "memmap2-map",
            "µs to map 256 MiB, read a byte, and drop the mapping",
            Box::new(move || plugins.host("map-cycles", "text", &[CYCLES]).map(per_cycle)),
            vec![
                named(
                    "",
                    peer("memmap2 without a sandbox", None, Box::new(move || native_cycles(files).map(per_cycle))),
                ),
                named(
                    "-file",
                    peer(
                        "std::fs::File in the plugin: open, read a byte, and close",
                        None,
                        Box::new(move || plugins.host("open-cycles", "text", &[CYCLES]).map(per_cycle)),
                    ),
                ),
            ],
        ),
        Comparison::new(
            "memmap2-scan",
            "ms for 256 MiB, from open on",
            Box::new(move || plugins.host("map-scan", "text", &[]).map(ms)),
            vec![
                named("", peer("memmap2 without a sandbox", 1.10, Box::new(move || native_scan(files).map(ms)))),
                named(
                    "-read-to-end",
                    peer(
                        "std::fs::File::read_to_end in the plugin",
                        None,
                        Box::new(move || plugins.host("whole-scan", "text", &[]).map(ms)),
                    ),
                ),
            ],
        ),
        Comparison::new(
            "memmap2-cold-scan",
            "ms for 256 MiB, from open on, not in the page cache",
            Box::new(move || {
                files.cool("text")?;
                plugins.host("map-scan", "text", &[]).map(ms)
            }),
            vec![peer(
                "memmap2 without a sandbox",
                1.10,
                Box::new(move || {
                    files.cool("text")?;
                    native_scan(files).map(ms)
                }),
            )],
        ),
        Comparison::new(
            "memmap2-memory",
            "MiB that plugin and host hold more with a mapping of 1 GiB that was read",
            Box::new(move || private(plugins, "map-keep", LARGE)),
            vec![peer(
                "std::fs::File::read_to_end in the plugin",
                0.01,
                Box::new(move || private(plugins, "whole-keep", LARGE)),
            )],
        ),
    ];
    match Ripgrep::find(files) {
        Ok(ripgrep) => {
            files.make_small()?;
            comparisons.push(ripgrep.clone().comparison("memmap2-rg-large", "ms for 256 MiB", "text"));
            comparisons.push(ripgrep.comparison("memmap2-rg-small", "ms for 10,000 files of 2 KiB", SMALL));
        }
        Err(error) => eprintln!("The rows of ripgrep are left out, which `cargo xtask published` builds: {error:#}"),
    }
    Ok(comparisons)
}

fn native_cycles(files: &Files) -> Result<Sample> {
    let file = std::fs::File::open(files.path("text"))?;
    timed(|| {
        let mut state = 0u64;
        for cycle in 0..usize::try_from(CYCLES)? {
            // SAFETY: nobody writes to the files that are read here.
            let map = unsafe { memmap2::Mmap::map(&file) }?;
            state = state.wrapping_add(u64::from(std::hint::black_box(map[cycle % map.len()])));
        }
        Ok(state)
    })
}

fn native_scan(files: &Files) -> Result<Sample> {
    timed(|| Ok(sum_times(&map(files, "text")?, 1)))
}

/// Returns the private memory that a workload holds at its end.
fn private(plugins: &Plugins, workload: &str, len: u64) -> Result<Sample> {
    let before = anonymous()?;
    plugins.host_and_then(workload, "large", &[len], |_, sample| {
        Ok(Sample { amount: (anonymous()? - before).max(1.0) / 1024.0, ..sample })
    })
}

/// ripgrep, natively and as a plugin.
#[derive(Clone)]
struct Ripgrep {
    native: PathBuf,
    plugin: Component,
    folder: PathBuf,
}

/// What is searched for: a word that is on every twentieth line or so, so that searching matters more than printing.
const WORD: &str = "abc[a-z]";

impl Ripgrep {
    /// Returns what was built.
    fn find(files: &Files) -> Result<Self> {
        let plugin = plugin_path("rg", "wasm32-wasip2");
        let guests = plugin.ancestors().nth(3).context("it lies in a folder")?;
        let native = guests.join("release/rg");
        ensure!(native.is_file(), "{} is missing", native.display());
        let bytes = std::fs::read(&plugin).with_context(|| format!("{} is missing", plugin.display()))?;
        Ok(Self { native, plugin: Component::from_binary(engine(), &bytes)?, folder: files.folder().to_owned() })
    }

    /// Compares searches of a file or a folder.
    fn comparison<'a>(self, name: &str, unit: &'static str, path: &'a str) -> Comparison<'a> {
        let named = |suffix, peer: Peer<'a>| Peer { suffix, ..peer };
        let ms = |sample: Sample| sample.times(1e3);
        let [ours, read] = [self.clone(), self.clone()];
        Comparison::new(
            name,
            unit,
            Box::new(move || ours.run("--mmap", path).map(ms)),
            vec![
                named("", peer("rg without a sandbox", None, Box::new(move || self.run_native(path).map(ms)))),
                named(
                    "-read",
                    peer("rg --no-mmap in the plugin", None, Box::new(move || read.run("--no-mmap", path).map(ms))),
                ),
            ],
        )
    }

    fn run(&self, mmap: &str, path: &str) -> Result<Sample> {
        let path = format!("/scratch/{path}");
        let arguments = [&["rg"][..], &arguments(mmap, &path)].concat();
        let mut run = Run::new(any_windows(), &self.folder, &arguments)?;
        timed(|| {
            let (printed, outcome) = run.call_compiled(&self.plugin, true)?;
            ensure!(outcome == Ok(()), "rg failed");
            total(&printed)
        })
    }

    fn run_native(&self, path: &str) -> Result<Sample> {
        let path = self.folder.join(path);
        let mut command = Command::new(&self.native);
        command.args(arguments("--mmap", path_text(&path)?)).stdin(Stdio::null()).stderr(Stdio::inherit());
        timed(|| {
            let output = command.output()?;
            ensure!(output.status.success(), "rg fails: {}", output.status);
            total(&String::from_utf8(output.stdout)?)
        })
    }
}

fn path_text(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is not UTF-8")
}

fn arguments<'a>(mmap: &'a str, path: &'a str) -> [&'a str; 8] {
    ["-j1", "--no-config", "--no-ignore", "--no-filename", "--count", mmap, WORD, path]
}

/// Adds the counts of all files.
fn total(printed: &str) -> Result<u64> {
    let counts: std::result::Result<Vec<u64>, _> = printed.lines().map(str::parse).collect();
    Ok(counts?.into_iter().sum())
}
