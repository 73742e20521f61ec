//! The files of the benchmarks.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, fadvise};
use wasi_mmap_conformance::measured::Random;
use wasmtime::Result;
use wasmtime::error::Context as _;

const MIB: u64 = 1 << 20;

/// The length of the text, and of what is scanned: 256 MiB.
pub(crate) const TEXT: u64 = 256 * MIB;
/// The length of the large file: 1 GiB.
pub(crate) const LARGE: u64 = 1024 * MIB;
/// The length of the file that is written: 64 MiB.
pub(crate) const WRITTEN: u64 = 64 * MIB;
/// The folder of small files, their number in each of its folders, the number of folders, and the length of each file.
pub(crate) const SMALL: &str = "small";
const SMALL_FILES: u64 = 100;
const SMALL_FOLDERS: u64 = 100;
const SMALL_LEN: u64 = 2048;

/// A folder with the files, which are kept for the next time.
pub(crate) struct Files {
    folder: PathBuf,
}

impl Files {
    pub(crate) fn new() -> Result<Self> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let files = Self { folder };
        for (name, len) in [("text", TEXT), ("large", LARGE), ("written", WRITTEN)] {
            let path = files.path(name);
            if fs::metadata(&path).is_ok_and(|metadata| metadata.len() == len) {
                continue;
            }
            let made = make(&path, len, 11).and_then(|file| Ok(file.sync_all()?));
            made.with_context(|| format!("cannot make {}", path.display()))?;
        }
        Ok(files)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the path of a file: `text`, `large` or `written`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Makes the folder of small files.
    pub(crate) fn make_small(&self) -> Result<()> {
        let complete = self.path(SMALL);
        if complete.is_dir() {
            return Ok(());
        }
        // Renamed when it is complete.
        let unfinished = self.path("small.unfinished");
        for number in 0..SMALL_FOLDERS {
            let folder = unfinished.join(number.to_string());
            fs::create_dir_all(&folder)?;
            for file in 0..SMALL_FILES {
                // The bytes of each are its own.
                make(&folder.join(file.to_string()), SMALL_LEN, number * SMALL_FILES + file)?;
            }
        }
        Ok(fs::rename(unfinished, complete)?)
    }

    /// Drops a file from the system's page cache. POSIX `posix_fadvise(2)`.
    pub(crate) fn cool(&self, name: &str) -> Result<()> {
        let file = File::open(self.path(name))?;
        file.sync_all()?;
        fadvise(&file, 0, None, Advice::DontNeed)?;
        Ok(())
    }
}

/// Lines of words: 60 bytes on average.
fn make(path: &Path, len: u64, seed: u64) -> Result<File> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let (mut random, mut written, mut line) = (Random::new(seed), 0, Vec::new());
    while written < len {
        line.clear();
        for _ in 0..=random.below(15) {
            let letters = random.below(26 * 26 * 26 * 26);
            let letter = |power: u64| b'a' + u8::try_from(letters / power % 26).unwrap_or_default();
            line.extend([letter(1), letter(26), letter(26 * 26), letter(26 * 26 * 26), b' ']);
        }
        line.push(b'\n');
        let count = line.len().min(usize::try_from(len - written)?);
        file.write_all(&line[..count])?;
        written += count as u64;
    }
    Ok(file.into_inner()?)
}
