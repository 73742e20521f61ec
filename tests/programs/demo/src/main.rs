//! The uses of a mapping, in one program that is the same natively and as a plugin.
//!
//! `demo FILE SCRATCH-DIRECTORY PATTERN` counts the lines of a file and computes a checksum, through views; finds a
//! pattern, edits a private copy, and writes through a shared mapping of a scratch file. It prints a line of JSON.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read, SeekFrom};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use wasi_mmap::{Access, Mapping, Views};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The number of bytes that are viewed at a time.
const CHUNK: usize = 1 << 20;
/// The number of bytes that are copied to the scratch file.
const SCRATCH: u64 = 1 << 20;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, file, scratch, pattern] = &arguments[..] else {
        eprintln!("usage: demo FILE SCRATCH-DIRECTORY PATTERN");
        return ExitCode::from(2);
    };
    match demo(Path::new(file), Path::new(scratch), pattern.as_bytes()) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn demo(file: &Path, scratch: &Path, pattern: &[u8]) -> Result<String> {
    let started = Instant::now();
    let named = |path: &Path| {
        let path = path.display().to_string();
        move |error| format!("{path}: {error}")
    };
    let Scan { lines, checksum, is_zero_copy } = scan(file).map_err(named(file))?;
    let matches = count_matches(file, pattern).map_err(named(file))?;
    edit_private_copy(file).map_err(named(file))?;
    let copy = scratch.join("demo.scratch");
    write_shared(file, &copy).map_err(named(&copy))?;
    Ok(serde_json::json!({
        "lines": lines,
        "matches": matches,
        "checksum": format!("{checksum:08x}"),
        "zero_copy": is_zero_copy,
        "seconds": started.elapsed().as_secs_f64(),
    })
    .to_string())
}

/// The results of one pass over all bytes.
struct Scan {
    /// The last one may lack its line feed.
    lines: u64,
    /// CRC-32, as `gzip` and zlib have it.
    checksum: u32,
    /// True if the bytes were the file's own pages, and not copies.
    is_zero_copy: bool,
}

fn scan(file: &Path) -> Result<Scan> {
    let mapping = Mapping::open(file)?;
    let (mut lines, mut last, mut checksum) = (0, b'\n', crc32fast::Hasher::new());
    let mut is_zero_copy = true;
    // SAFETY: nobody may write to the file while the demo reads it: a writer would make the result wrong.
    for view in unsafe { mapping.views(.., CHUNK) }? {
        let view = view?;
        lines += memchr::memchr_iter(b'\n', &view).count() as u64;
        checksum.update(&view);
        last = view.last().copied().unwrap_or(last);
        is_zero_copy &= view.is_zero_copy();
        view.check()?;
    }
    Ok(Scan { lines: lines + u64::from(last != b'\n'), checksum: checksum.finalize(), is_zero_copy })
}

/// Counts the occurrences of the pattern, which may overlap.
fn count_matches(file: &Path, pattern: &[u8]) -> Result<u64> {
    let mapping = Mapping::open(file)?;
    let (mut matches, mut start) = (0, 0);
    while let Some(offset) = mapping.find(pattern, start..)? {
        matches += 1;
        start = offset + 1;
    }
    Ok(matches)
}

/// Changes the first and the last byte of a private copy; the file must stay as it was.
fn edit_private_copy(file: &Path) -> Result<()> {
    let before = ends(file)?;
    let mut copy = Mapping::options().access(Access::Copy).open(file)?;
    for index in [0, -1] {
        let old = copy.get(index)?;
        copy.set(index, !old)?;
        if copy.get(index)? != !old {
            return Err("the private copy did not take a change".into());
        }
    }
    copy.flush()?;
    copy.close()?;
    if ends(file)? == before { Ok(()) } else { Err("a private change reached the file".into()) }
}

/// The first and the last byte of a file, by ordinary reads.
fn ends(path: &Path) -> io::Result<[u8; 2]> {
    use std::io::Seek;
    let (mut file, mut ends) = (File::open(path)?, [0; 2]);
    file.read_exact(&mut ends[..1])?;
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut ends[1..])?;
    Ok(ends)
}

/// Copies the start of the file, changes the copy through a shared mapping, and reads it back by ordinary reads.
fn write_shared(file: &Path, scratch: &Path) -> Result<()> {
    let mut start = Vec::new();
    File::open(file)?.take(SCRATCH).read_to_end(&mut start)?;
    fs::write(scratch, &start)?;

    let mut mapping = Mapping::options().access(Access::Write).open(scratch)?;
    let len = mapping.len()?;
    // Grow by one byte, move everything up, and put a mark in front.
    mapping.resize(len + 1)?;
    mapping.copy_within(..len, 1)?;
    mapping.write_all_at(b"#", 0)?;
    mapping.flush()?;

    let written = fs::read(scratch)?;
    let is_there = written.first() == Some(&b'#') && written[1..] == start;
    mapping.close()?;
    fs::remove_file(scratch)?;
    if is_there { Ok(()) } else { Err("a shared change did not reach the file".into()) }
}
