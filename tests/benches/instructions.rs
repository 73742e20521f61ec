//! Small operations, so often as is said: `instructions OPERATION COUNT`. `cargo xtask bench instructions` counts, with Valgrind, how
//! many instructions of the processor one takes, which a noisy machine does not change.

use std::fs::File;
use std::hint::black_box;
use std::io::BufRead;
use std::io::SeekFrom;
use std::process::ExitCode;

use memmap2::Mmap;
use wasi_mmap::{Access, Mapping, fallback};
use wasi_mmap_conformance::measured::Random;
use wasi_mmap_core::{Mapping as Object, Storage};
use wasmtime::{Result, bail};

/// How long the file is: it fits into the fallback's cache.
const LEN: usize = 1 << 20;

/// An operation and its name.
type Operation = (&'static str, fn(&std::path::Path, usize) -> Result<()>);

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

/// Places for 16 bytes.
fn places(count: usize) -> impl Iterator<Item = u64> {
    let mut random = Random::new(3);
    (0..count).map(move |_| random.below(LEN as u64 - 16))
}

fn copy(path: &std::path::Path, count: usize) -> Result<()> {
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
    // One page, so that what is counted is the write and not the file.
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

fn read_until(path: &std::path::Path, count: usize) -> Result<()> {
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

fn run(arguments: &[String]) -> Result<()> {
    let [name, count] = arguments else {
        // What there is.
        OPERATIONS.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(());
    };
    let Some((_, operation)) = OPERATIONS.iter().find(|(operation, _)| operation == name) else {
        bail!("no operation {name:?}");
    };
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("lines");
    // Lines of 40 bytes.
    let text: Vec<u8> = (0..LEN).map(|at| if at % 40 == 39 { b'\n' } else { b'a' }).collect();
    std::fs::write(&path, text)?;
    operation(&path, count.parse()?)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}
