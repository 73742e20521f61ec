//! The cache of compiled plugins: a folder of this user, with a file for each plugin that was run.
//!
//! Its files are native code, so whoever can write here can do all that this user can. The folder is used only if
//! nobody else can write to it, or put another in its place.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use etcetera::BaseStrategy;
use sha2::{Digest, Sha256};
use wasmtime::error::Context;
use wasmtime::{Engine, Result};

mod private;

/// The environment variable that names another folder, or none if it is empty.
pub(crate) const VARIABLE: &str = "WASI_MMAP_CACHE";

/// The size of all files at which the oldest are removed, in bytes.
pub(crate) const MOST_BYTES: u64 = 1 << 30;

/// The extension of the files.
const EXTENSION: &str = "compiled";

/// Returns the path of the cache's folder, or `None` if there is no cache.
pub(crate) fn location() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(VARIABLE) {
        return if path.is_empty() { None } else { std::path::absolute(path).ok() };
    }
    Some(etcetera::base_strategy::choose_native_strategy().ok()?.cache_dir().join("wasi-mmap"))
}

/// Checks that a plugin that can write to a directory cannot write to the cache, which would free it of the sandbox.
///
/// # Errors
///
/// Fails if the directory is the cache, or contains it, or lies in it.
pub(crate) fn check_separate(directory: &Path) -> Result<()> {
    let Some(cache) = location() else { return Ok(()) };
    if private::overlap(&cache, directory) {
        wasmtime::bail!(
            "--dir {} would let the plugin write to {}, where compiled plugins are kept, which run without a \
             sandbox: give it a directory within, or --read-only-dir, or keep them elsewhere ({VARIABLE}=FOLDER) or \
             nowhere ({VARIABLE}=)",
            directory.display(),
            cache.display()
        );
    }
    Ok(())
}

/// The reason why there is no cache.
#[derive(Debug)]
pub(crate) enum Unavailable {
    /// This user has none, or it cannot be made.
    Missing(String),
    /// Others could write to it.
    Unsafe(String),
}

/// What names a compiled plugin: a hash of everything that decides the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(String);

impl Key {
    /// Returns the key of a plugin for an engine. `is_composed` says that the fallback is composed into it.
    ///
    /// # Errors
    ///
    /// Fails if the plugin, or the program of this process, cannot be read.
    pub(crate) fn new(engine: &Engine, is_composed: bool, plugin: impl Read) -> io::Result<Self> {
        let mut hashed = Hashed(Sha256::new());
        std::hash::Hash::hash(&engine.precompile_compatibility_hash(), &mut hashed);
        // The engine takes code of an earlier patch release. That may have had a fault in the compiler which was mended
        // since, so another build of this command compiles anew.
        let program = std::env::current_exe()?.metadata()?;
        let built = program.modified()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        hashed.0.update(program.len().to_le_bytes());
        hashed.0.update(built.as_nanos().to_le_bytes());
        hashed.0.update([u8::from(is_composed)]);
        io::copy(&mut BufReader::with_capacity(256 << 10, plugin), &mut hashed)?;
        Ok(Self(hashed.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
    }
}

/// A hash of the bytes that are written to it.
struct Hashed(Sha256);

impl std::hash::Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        unreachable!("only the bytes that are hashed are wanted")
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file of the cache. Only this user can have written it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) file: File,
}

/// The number and the size of files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

/// The cache.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Opens the cache, and makes it if it is not there.
    ///
    /// # Errors
    ///
    /// Says why there is none.
    pub(crate) fn open() -> Result<Self, Unavailable> {
        let Some(folder) = location() else {
            return Err(Unavailable::Missing(format!("this user has no folder for it, or {VARIABLE} is empty")));
        };
        private::create(&folder)
            .map_err(|error| Unavailable::Missing(format!("{} cannot be made: {error}", folder.display())))?;
        Ok(Self { folder: private::check(&folder).map_err(Unavailable::Unsafe)? })
    }

    /// Returns the path of the folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.folder.join(&key.0).with_extension(EXTENSION)
    }

    /// Finds a compiled plugin, and notes that it was used.
    pub(crate) fn find(&self, key: &Key) -> Option<Entry> {
        let path = self.path(key);
        let file = private::open(&path).ok()?;
        // The oldest files are removed first. Without the note, this one would merely be compiled once more.
        let _ = file.set_modified(SystemTime::now());
        Some(Entry { path, file })
    }

    /// Keeps the bytes of a compiled plugin, and removes the files that were not used for the longest time if all
    /// together are too large.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written; the cache is then as before.
    pub(crate) fn store(&self, key: &Key, bytes: &[u8]) -> Result<()> {
        // Another process never sees a part of the file. After a crash of the system it may be damaged: its checksum
        // finds that, so it need not be on the disk before the plugin runs.
        let mut file = tempfile::Builder::new().suffix(".part").tempfile_in(&self.folder)?;
        file.write_all(bytes)?;
        let path = self.path(key);
        file.persist(&path).map_err(|error| error.error)?;
        self.remove_oldest(&path, MOST_BYTES).context("old files cannot be removed")
    }

    fn remove_oldest(&self, kept: &Path, most: u64) -> Result<()> {
        let mut files = self.files()?;
        let mut bytes: u64 = files.iter().map(|(_, metadata)| metadata.len()).sum();
        files.sort_by_key(|(_, metadata)| metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH));
        for (path, metadata) in files {
            if bytes > most && path != kept && remove(&path)? {
                bytes -= metadata.len();
            }
        }
        Ok(())
    }

    /// Returns the files of the cache, with those that a process that was ended has left behind.
    fn files(&self) -> io::Result<Vec<(PathBuf, fs::Metadata)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if !path.extension().is_some_and(|extension| extension == EXTENSION || extension == "part") {
                continue;
            }
            match path.symlink_metadata() {
                Ok(metadata) if metadata.is_file() => files.push((path, metadata)),
                Ok(_) => {}
                // Another process has removed or renamed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(files)
    }

    /// Returns the number and the size of the files.
    ///
    /// # Errors
    ///
    /// Fails if the folder cannot be read.
    pub(crate) fn amount(&self) -> Result<Amount> {
        let files = self.files()?;
        let bytes = files.iter().map(|(_, metadata)| metadata.len()).sum();
        Ok(Amount { files: files.len() as u64, bytes })
    }

    /// Removes all files, and returns how many.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be removed.
    pub(crate) fn clear(&self) -> Result<Amount> {
        let mut removed = Amount::default();
        for (path, metadata) in self.files()? {
            if remove(&path).with_context(|| format!("cannot remove {}", path.display()))? {
                removed.files += 1;
                removed.bytes += metadata.len();
            }
        }
        Ok(removed)
    }
}

/// Removes a file, and returns whether it was there.
fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_that_were_not_used_for_the_longest_time_are_removed_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache { folder: folder.path().to_owned() };
        let keys = ["a", "b", "c"].map(|name| Key(name.repeat(64)));
        for (age, key) in [300, 200, 100].into_iter().zip(&keys) {
            cache.store(key, &[0; 100]).expect("a file");
            let file = File::options().write(true).open(cache.path(key)).expect("a file");
            file.set_modified(SystemTime::now() - std::time::Duration::from_secs(age)).expect("a time");
        }
        fs::write(folder.path().join("of-another-program"), [0; 1000]).expect("a file");
        assert_eq!(cache.amount().expect("files"), Amount { files: 3, bytes: 300 });
        assert!(cache.find(&keys[0]).is_some(), "used just now");
        cache.remove_oldest(&cache.path(&keys[2]), 299).expect("removed");
        assert!(cache.find(&keys[1]).is_none() && cache.find(&keys[0]).is_some() && cache.find(&keys[2]).is_some());
        cache.remove_oldest(&cache.path(&keys[2]), 0).expect("removed");
        assert!(cache.find(&keys[0]).is_none() && cache.find(&keys[2]).is_some());
        assert_eq!(cache.clear().expect("cleared"), Amount { files: 1, bytes: 100 });
        assert!(folder.path().join("of-another-program").is_file());
    }
}
