//! `cargo xtask bench instructions`: counts the instructions of small operations with Valgrind, which other load on the
//! machine does not change.

use std::fmt::Write as _;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use memmap2::Mmap;
use wasi_mmap::{Access, Mapping, fallback};
use wasi_mmap_conformance::measured::Random;
use wasi_mmap_core::{Mapping as Object, Storage};
use wasmtime::error::Context as _;
use wasmtime::{Result, bail};

/// Count the instructions of small operations
#[derive(Debug, Parser)]
#[command(
    bin_name = "cargo xtask bench instructions",
    after_help = "\
Needs Valgrind.

Exit status: 0; 1 if an operation could not be counted; 2 if the command line is invalid"
)]
struct Options {
    /// Print a line of JSON for each operation: name, ours, unit
    #[arg(long)]
    json: bool,

    /// Write the table to this folder, as instructions.md
    #[arg(long, value_name = "FOLDER")]
    save: Option<PathBuf>,

    /// Runs an operation so that it can be counted: its name, and how many times
    #[arg(long, hide = true, num_args = 2)]
    part: Option<Vec<String>>,

    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

/// The numbers of repetitions. Their difference counts, so that what comes before and after does not.
const COUNTS: [u64; 2] = [1_000, 11_000];

/// The length of the file in bytes, which fits into the fallback's cache.
const LEN: usize = 1 << 20;

/// An operation and its name.
type Operation = (&'static str, fn(&Path, usize) -> Result<()>);

const OPERATIONS: &[Operation] = &[
    ("memmap2: copy 16 bytes", |path, count| copy(path, count)),
    ("native: read_at 16 bytes", |path, count| read_at(&Mapping::open(path)?, count)),
    ("native: get", |path, count| get(&Mapping::open(path)?, count)),
    ("native: read_byte", |path, count| read_byte(Mapping::open(path)?, count)),
    ("native: write_at 16 bytes", |path, count| write_at(Mapping::options().access(Access::Write).open(path)?, count)),
    ("native: read_line_into", |path, count| read_line(Mapping::open(path)?, count)),
    ("fallback: read_at 16 bytes", |path, count| read_at(&fallback::Mapping::open(path)?, count)),
    ("fallback: get", |path, count| get(&fallback::Mapping::open(path)?, count)),
    ("fallback: read_byte", |path, count| read_byte(fallback::Mapping::open(path)?, count)),
    ("fallback: write_at 16 bytes", |path, count| {
        write_at(fallback::Mapping::options().access(Access::Write).open(path)?, count)
    }),
    ("fallback: read_line_into", |path, count| read_line(fallback::Mapping::open(path)?, count)),
    ("BufRead: read_until", |path, count| read_until(path, count)),
];

/// Returns random offsets of 16 bytes.
fn places(count: usize) -> impl Iterator<Item = u64> {
    let mut random = Random::new(3);
    (0..count).map(move |_| random.below(LEN as u64 - 16))
}

fn copy(path: &Path, count: usize) -> Result<()> {
    let file = File::open(path)?;
    // SAFETY: nobody writes to the file.
    let map = unsafe { Mmap::map(&file) }?;
    let mut buffer = [0; 16];
    for at in places(count) {
        let at = usize::try_from(at)?;
        let Some(bytes) = map.get(at..at + 16) else { bail!("past the end") };
        buffer.copy_from_slice(bytes);
        black_box(&buffer);
    }
    Ok(())
}

fn read_at<S: Storage>(mapping: &Object<S>, count: usize) -> Result<()> {
    let mut buffer = [0; 16];
    for at in places(count) {
        mapping.read_exact_at(&mut buffer, at)?;
        black_box(&buffer);
    }
    Ok(())
}

fn get<S: Storage>(mapping: &Object<S>, count: usize) -> Result<()> {
    for at in places(count) {
        black_box(mapping.get(i64::try_from(at)?)?);
    }
    Ok(())
}

fn read_byte<S: Storage>(mut mapping: Object<S>, count: usize) -> Result<()> {
    for at in 0..count {
        if at % LEN == 0 {
            mapping.seek(SeekFrom::Start(0))?;
        }
        black_box(mapping.read_byte()?);
    }
    Ok(())
}

fn write_at<S: Storage>(mut mapping: Object<S>, count: usize) -> Result<()> {
    // Within one page, so that the writes are counted and not the file.
    for at in places(count) {
        mapping.write_all_at(black_box(&[1; 16]), at % 4000)?;
    }
    Ok(())
}

fn read_line<S: Storage>(mut mapping: Object<S>, count: usize) -> Result<()> {
    let mut line = Vec::with_capacity(64);
    for _ in 0..count {
        line.clear();
        if mapping.read_line_into(&mut line)? == 0 {
            mapping.seek(SeekFrom::Start(0))?;
        }
        black_box(&line);
    }
    Ok(())
}

fn read_until(path: &Path, count: usize) -> Result<()> {
    let file = File::open(path)?;
    // SAFETY: nobody writes to the file.
    let map = unsafe { Mmap::map(&file) }?;
    let (mut rest, mut line) = (&map[..], Vec::with_capacity(64));
    for _ in 0..count {
        line.clear();
        if rest.read_until(b'\n', &mut line)? == 0 {
            rest = &map[..];
        }
        black_box(&line);
    }
    Ok(())
}

/// Runs an operation `count` times.
fn run(name: &str, count: usize) -> Result<()> {
    let Some((_, operation)) = OPERATIONS.iter().find(|(operation, _)| *operation == name) else {
        bail!("unknown operation {name:?}");
    };
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("lines");
    // Lines of 40 bytes.
    let text: Vec<u8> = (0..LEN).map(|at| if at % 40 == 39 { b'\n' } else { b'a' }).collect();
    std::fs::write(&path, text)?;
    operation(&path, count)
}

/// Returns the number of instructions of a run of this program that repeats an operation `count` times.
fn instructions(name: &str, count: u64) -> Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(std::env::current_exe()?);
    let output = valgrind.args(["--part", name, &count.to_string()]).output()?;
    let messages = String::from_utf8_lossy(&output.stderr);
    let collected = messages.lines().find_map(|line| line.split_once("Collected : ")).map(|(_, count)| count.trim());
    match collected {
        Some(count) if output.status.success() => Ok(count.parse()?),
        _ => bail!("{name}: {}: {messages}", output.status),
    }
}

fn count(options: &Options) -> Result<()> {
    let valgrind = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    if !valgrind.is_ok_and(|status| status.success()) {
        bail!("Valgrind is missing; on Debian: apt-get install valgrind");
    }
    let bar = ProgressBar::new(OPERATIONS.len() as u64);
    bar.set_style(ProgressStyle::with_template("{spinner} {msg} {pos}/{len} {elapsed}").expect("a template"));
    let mut table = String::from("| operation | instructions |\n|---|--:|\n");
    for (name, _) in OPERATIONS {
        bar.set_message(*name);
        let [few, many] = COUNTS.map(|count| instructions(name, count));
        let each = (many? - few?) / (COUNTS[1] - COUNTS[0]);
        bar.suspend(|| match options.json {
            true => println!("{}", serde_json::json!({"name": name, "ours": each, "unit": "instructions"})),
            false => println!("{name:<30} {each:>6}"),
        });
        writeln!(table, "| {name} | {each} |")?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    if let Some(folder) = &options.save {
        let text = format!(
            "# Instructions of small operations\n\nThe number of instructions of an {} processor that each operation takes natively, \
             with its loop and its random offset,\ncounted by Valgrind's callgrind. Lines have 40 bytes. \
             `cargo xtask bench instructions --save docs/bench` writes this page.\n\n{table}",
            std::env::consts::ARCH
        );
        let path = folder.join("instructions.md");
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match options.part.as_deref() {
        Some([name, count]) => count.parse().map_err(Into::into).and_then(|count| run(name, count)),
        _ => count(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
