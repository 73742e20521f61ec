//! `cargo xtask demo`: runs a program on a file with every backend, and checks that the results agree.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::command::{build, command, program, scratch};
use crate::guests;
use crate::python;
use crate::run::{cannot_run, cargo, root};

/// Run a program natively, in wasmtime with and without windows, and on the fallback
#[derive(Debug, Args)]
#[command(after_help = "\
native    the program without a sandbox
window    in wasmtime, with pages of the file in the plugin's memory
host      in wasmtime, with copies from the host's mapping (windows are disabled)
fallback  in wasmtime, with nothing but WASI: the fallback's page cache is composed into the plugin

The memory is the private memory of the program natively, and its linear memory in the sandbox. Mapped pages of the file
belong to the page cache of the system and are not counted.

Exit status: 0 if all backends agree, otherwise 1")]
pub(crate) struct Options {
    /// The file to search; by default a large file that every Rust installation has
    file: Option<PathBuf>,

    /// The bytes to search for
    #[arg(long, default_value = "mmap")]
    pattern: String,

    /// Print a line of JSON for each backend
    #[arg(long)]
    json: bool,

    /// Instead, run a Python plugin that searches and edits a file; needs python3 with venv, and installs
    /// componentize-py
    #[arg(long, conflicts_with_all = ["file", "pattern", "json"])]
    python: bool,
}

/// The result of a backend: a line of `--json`.
#[derive(Debug, Serialize)]
struct Row {
    backend: &'static str,
    lines: u64,
    matches: u64,
    checksum: String,
    zero_copy: bool,
    seconds: f64,
    peak_bytes: u64,
}

/// The output of the program.
#[derive(Debug, Deserialize)]
struct Report {
    lines: u64,
    matches: u64,
    checksum: String,
    zero_copy: bool,
    seconds: f64,
}

/// The file that the command `wasi-mmap` writes with `--stats`.
#[derive(Debug, Deserialize)]
struct Stats {
    peak_memory_bytes: u64,
}

pub(crate) fn demo(options: &Options) -> Result<()> {
    if options.python {
        return python::demo();
    }
    let programs = Programs::build()?;
    let scratch = scratch()?;
    let file = match &options.file {
        Some(file) => fs::canonicalize(file).with_context(|| format!("cannot read {}", file.display()))?,
        None => large_file(scratch.path())?,
    };
    if !options.json {
        println!("{} ({} bytes), searching for {:?}", file.display(), fs::metadata(&file)?.len(), options.pattern);
    }
    let job = Job { file: &file, scratch: scratch.path(), pattern: &options.pattern };
    let rows = [programs.native(&job)?, programs.window(&job)?, programs.host(&job)?, programs.fallback(&job)?];
    let found = |row: &Row| (row.lines, row.matches, row.checksum.clone());
    let agree = rows.iter().all(|row| found(row) == found(&rows[0]));
    if options.json {
        for row in &rows {
            println!("{}", serde_json::to_string(row)?);
        }
    } else {
        print_table(&rows);
    }
    if !agree {
        bail!("the backends do not agree");
    }
    if !options.json {
        println!("All backends agree.");
    }
    Ok(())
}

fn print_table(rows: &[Row]) {
    println!(
        "{:<10} {:>12} {:>12} {:>10} {:>10} {:>9} {:>12}",
        "backend", "lines", "matches", "checksum", "zero-copy", "time", "peak memory"
    );
    for Row { backend, lines, matches, checksum, zero_copy, seconds, peak_bytes } in rows {
        let memory = *peak_bytes as f64 / f64::from(1 << 20);
        let zero_copy = if *zero_copy { "yes" } else { "no" };
        println!(
            "{backend:<10} {lines:>12} {matches:>12} {checksum:>10} {zero_copy:>10} {seconds:>7.2} s {memory:>8.1} MiB"
        );
    }
}

/// The arguments of the program.
struct Job<'a> {
    file: &'a Path,
    scratch: &'a Path,
    pattern: &'a str,
}

/// The program natively and as a plugin, and the command that runs it.
struct Programs {
    native: PathBuf,
    command: PathBuf,
    plugin: PathBuf,
}

impl Programs {
    fn build() -> Result<Self> {
        let guests = guests::build()?;
        let mut native = cargo("tests/programs");
        native.args(["build", "--release", "--locked", "--package", "demo", "--target-dir"]).arg(&guests.directory);
        build(&mut native)?;
        Ok(Self {
            native: program(guests.directory.join("release/demo")),
            command: command()?,
            plugin: guests.component("demo"),
        })
    }

    fn native(&self, job: &Job<'_>) -> Result<Row> {
        let mut command = Command::new(&self.native);
        command.args([job.file, job.scratch]).arg(job.pattern);
        let (report, memory) = run("native", &mut command)?;
        Ok(row("native", report, memory))
    }

    fn window(&self, job: &Job<'_>) -> Result<Row> {
        self.sandboxed("window", &["--backend", "host"], job)
    }

    fn host(&self, job: &Job<'_>) -> Result<Row> {
        self.sandboxed("host", &["--backend", "host", "--limit", "windows=0"], job)
    }

    fn fallback(&self, job: &Job<'_>) -> Result<Row> {
        self.sandboxed("fallback", &["--backend", "fallback"], job)
    }

    fn sandboxed(&self, backend: &'static str, options: &[&str], job: &Job<'_>) -> Result<Row> {
        let folder = job.file.parent().context("a file lies in a folder")?;
        let name = Path::new("/data").join(job.file.file_name().context("a file has a name")?);
        let stats = job.scratch.join("stats.json");
        let mut command = Command::new(&self.command);
        command.arg("run").args(options).arg("--read-only-dir").arg(format!("{}::/data", folder.display()));
        command.arg("--dir").arg(format!("{}::/scratch", job.scratch.display()));
        command.arg("--json").arg("--stats").arg(&stats).arg(&self.plugin).arg(name).args(["/scratch", job.pattern]);
        let (report, _) = run(backend, &mut command)?;
        let stats: Stats = serde_json::from_slice(&fs::read(&stats)?).context("the file that --stats wrote")?;
        Ok(row(backend, report, stats.peak_memory_bytes))
    }
}

fn row(backend: &'static str, report: Report, peak_bytes: u64) -> Row {
    let Report { lines, matches, checksum, zero_copy, seconds } = report;
    Row { backend, lines, matches, checksum, zero_copy, seconds, peak_bytes }
}

/// Runs a program, and returns its report and the peak of its private memory, which is sampled.
fn run(backend: &str, command: &mut Command) -> Result<(Report, u64)> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(|| cannot_run(command))?;
    let mut peak = 0;
    while child.try_wait()?.is_none() {
        peak = peak.max(private_memory(child.id()));
        std::thread::sleep(Duration::from_millis(2));
    }
    let status = child.wait()?;
    let mut printed = String::new();
    child.stdout.take().context("its output is piped")?.read_to_string(&mut printed)?;
    if !status.success() {
        bail!("the demo failed on {backend}: {status}");
    }
    let report = serde_json::from_str(&printed).with_context(|| format!("{backend} printed {printed:?}"))?;
    Ok((report, peak))
}

/// Returns the private memory of a process in bytes, or 0 if the system does not show it.
fn private_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let anonymous = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kibibytes = anonymous.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

/// The minimum size of the default file in bytes.
const LARGE: u64 = 50_000_000;

/// Returns a file of at least 50 MB: the largest library of the Rust installation, or else many copies of the licence.
fn large_file(scratch: &Path) -> Result<PathBuf> {
    let output =
        Command::new("rustc").args(["--print", "sysroot"]).current_dir(root()).output().context("cannot run rustc")?;
    let library = Path::new(String::from_utf8(output.stdout)?.trim()).join("lib");
    let mut files: Vec<_> = fs::read_dir(&library)
        .with_context(|| format!("cannot read {}", library.display()))?
        .filter_map(|entry| Some((entry.as_ref().ok()?.metadata().ok()?.len(), entry.ok()?.path())))
        .filter(|(_, path)| path.is_file())
        .collect();
    files.sort();
    if let Some((_, path)) = files.pop_if(|(len, _)| *len >= LARGE) {
        return Ok(path);
    }
    let path = scratch.join("licences.txt");
    let text = fs::read(root().join("LICENSE-APACHE"))?;
    let mut file = fs::File::create(&path)?;
    for _ in 0..=LARGE / text.len() as u64 {
        file.write_all(&text)?;
    }
    Ok(path)
}
