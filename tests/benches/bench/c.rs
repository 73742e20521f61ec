//! Programs in C as plugins, against the same natively: SQLite and LMDB from the registry, and a scan, also over what
//! wasi-libc offers in place of `mmap`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use wasi_mmap_host::Limit;
use wasmtime::component::Component;
use wasmtime::error::Context as _;
use wasmtime::{Module, Result, ensure};

use crate::files::Files;
use crate::measure::{Comparison, Peer, Sample, Subject, peer};
use crate::support::{Run, builder, engine, plugin_path, run_module};

/// The rows of the database of SQLite, which takes 180 MB, and the entries of that of LMDB.
const ROWS: &str = "840000";
const ENTRIES: &str = "500000";
const LOOKUPS: &str = "100000";

/// The databases in the folder of files.
const SQLITE: &str = "sqlite.db";
const LMDB: [&str; 2] = ["lmdb-32", "lmdb-64"];

const MAPPED: &str = "pragma mmap_size = 2000000000";
const READ: &str = "pragma mmap_size = 0";

/// The output of a program.
#[derive(Debug, Deserialize)]
struct Done {
    result: u64,
    seconds: f64,
}

fn sample(printed: &str) -> Result<Sample> {
    let done: Done = serde_json::from_str(printed).with_context(|| format!("the program printed {printed:?}"))?;
    Ok(Sample { result: done.result, amount: done.seconds })
}

/// Returns the folder of what `cargo xtask c` builds.
pub(crate) fn programs() -> Result<PathBuf> {
    let guests = plugin_path("bench", "wasm32-wasip2");
    let target = guests.ancestors().nth(4).context("the guests lie in the target folder")?;
    Ok(target.join("c/programs"))
}

/// A program, natively and as a plugin.
struct Program {
    native: PathBuf,
    plugin: Component,
    folder: PathBuf,
}

impl Program {
    fn new(native: &str, plugin: &str, files: &Files) -> Result<Self> {
        let programs = programs()?;
        let path = programs.join(plugin).with_extension("wasm");
        let bytes = fs::read(&path).with_context(|| format!("{} is missing", path.display()))?;
        let plugin = Component::from_binary(engine(), &bytes)?;
        Ok(Self { native: programs.join(native), plugin, folder: files.folder().to_owned() })
    }

    /// Runs the plugin: a command, a file, and further arguments.
    fn run(&self, command: &str, file: &str, arguments: &[&str]) -> Result<String> {
        let file = format!("/scratch/{file}");
        let arguments = [&["program", command, &file], arguments].concat();
        // LMDB with MDB_VL32 maps each 64 KiB by itself.
        let ctx = builder().limit(Limit::Windows, 8192).limit(Limit::Mappings, 8192).build();
        let (printed, outcome) = Run::new(ctx, &self.folder, &arguments)?.call_compiled(&self.plugin, true)?;
        ensure!(outcome == Ok(()), "the plugin failed: {arguments:?}");
        Ok(printed)
    }

    /// Does the same natively.
    fn run_native(&self, command: &str, file: &str, arguments: &[&str]) -> Result<String> {
        let mut native = Command::new(&self.native);
        native.arg(command).arg(self.folder.join(file)).args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit());
        let output = native.output().with_context(|| format!("cannot run {}", self.native.display()))?;
        ensure!(output.status.success(), "{native:?}: {}", output.status);
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// Makes a file or a folder, which is renamed when it is complete.
fn make(files: &Files, name: &str, fill: impl FnOnce(&str) -> Result<String>) -> Result<()> {
    if files.path(name).exists() {
        return Ok(());
    }
    let unfinished = format!("{name}.unfinished");
    let path = files.path(&unfinished);
    if path.is_dir() {
        fs::remove_dir_all(&path)?;
    } else if path.exists() {
        fs::remove_file(&path)?;
    }
    fill(&unfinished)?;
    Ok(fs::rename(path, files.path(name))?)
}

/// The programs and their files.
pub(crate) struct Programs {
    sqlite: Program,
    lmdb: Program,
    lmdb_vl32: Program,
    scan: Program,
    emulation: Module,
}

impl Programs {
    /// Compiles the programs, and makes their files.
    pub(crate) fn new(files: &Files) -> Result<Self> {
        let programs = Self {
            sqlite: Program::new("sqlite", "sqlite", files)?,
            lmdb: Program::new("lmdb", "lmdb", files)?,
            lmdb_vl32: Program::new("lmdb", "lmdb-vl32", files)?,
            scan: Program::new("scan", "scan", files)?,
            emulation: Module::from_file(engine(), emulation()?)?,
        };
        make(files, SQLITE, |file| programs.sqlite.run_native("fill", file, &[ROWS]))?;
        for name in LMDB {
            make(files, name, |folder| {
                fs::create_dir_all(files.path(folder))?;
                let arguments = ["s", "256", "0", ENTRIES];
                // The plugin's files are those of a 32-bit system.
                match name {
                    "lmdb-32" => programs.lmdb.run("fill", folder, &arguments),
                    _ => programs.lmdb.run_native("fill", folder, &arguments),
                }
            })?;
        }
        Ok(programs)
    }

    fn emulated_scan(&self, folder: &Path) -> Result<Sample> {
        sample(&run_module(&self.emulation, folder, &["scan", "scan", "/scratch/text"])?)
    }
}

/// Returns the path of the program over the `mmap` that wasi-libc emulates.
pub(crate) fn emulation() -> Result<PathBuf> {
    let path = programs()?.join("scan-emulated.wasm");
    ensure!(path.is_file(), "{} is missing, which `cargo xtask c` builds", path.display());
    Ok(path)
}

pub(crate) fn comparisons<'a>(files: &'a Files, programs: &'a Programs) -> Vec<Comparison<'a>> {
    let Programs { sqlite, lmdb, lmdb_vl32, scan, .. } = programs;
    let ms = |printed: String| Ok(sample(&printed)?.times(1e3));
    let named = |suffix, peer: Peer<'a>| Peer { suffix, ..peer };
    let look_up = move |pragmas: &'static str| -> Subject<'a> {
        Box::new(move || ms(sqlite.run("lookups", SQLITE, &[pragmas, ROWS, LOOKUPS])?))
    };
    let look_up_natively = move |pragmas: &'static str| -> Subject<'a> {
        Box::new(move || ms(sqlite.run_native("lookups", SQLITE, &[pragmas, ROWS, LOOKUPS])?))
    };
    let lmdb_unit = "ms for 100,000 reads at random of 500,000 entries";
    let read = move |program: &'a Program, folder: &'static str| -> Subject<'a> {
        Box::new(move || ms(program.run("lookups", folder, &["r", "256", LOOKUPS])?))
    };
    let read_natively =
        move || -> Subject<'a> { Box::new(move || ms(lmdb.run_native("lookups", LMDB[1], &["r", "256", LOOKUPS])?)) };
    vec![
        Comparison::new(
            "c-sqlite-mmap",
            "ms for 100,000 rows at random in 180 MB, with mmap_size",
            look_up(MAPPED),
            vec![
                named("", peer("the same without a sandbox", 1.5, look_up_natively(MAPPED))),
                named("-read", peer("the same without mmap_size", 0.5, look_up(READ))),
            ],
        ),
        Comparison::new(
            "c-sqlite-read",
            "ms for 100,000 rows at random in 180 MB, without mmap_size",
            look_up(READ),
            vec![peer("the same without a sandbox", None, look_up_natively(READ))],
        ),
        Comparison::new(
            "c-lmdb",
            lmdb_unit,
            read(lmdb, LMDB[0]),
            vec![peer("the same without a sandbox", None, read_natively())],
        ),
        Comparison::new(
            "c-lmdb-vl32",
            lmdb_unit,
            read(lmdb_vl32, LMDB[1]),
            vec![peer("LMDB without a sandbox, on the same file", None, read_natively())],
        ),
        Comparison::new(
            "c-scan",
            "ms to map 256 MiB and add them up",
            Box::new(move || ms(scan.run("scan", "text", &[])?)),
            vec![
                named(
                    "",
                    peer(
                        "the same without a sandbox",
                        None,
                        Box::new(move || ms(scan.run_native("scan", "text", &[])?)),
                    ),
                ),
                named(
                    "-emulated",
                    peer(
                        "wasi-libc's emulated mmap",
                        None,
                        Box::new(move || Ok(programs.emulated_scan(files.folder())?.times(1e3))),
                    ),
                ),
            ],
        ),
    ]
}
