//! The standard library's files, for the cache.

#[cfg_attr(all(target_os = "wasi", target_env = "p1"), path = "std_file/by_position.rs")]
#[cfg_attr(not(any(unix, target_os = "wasi")), path = "std_file/none_by_offset.rs")]
mod by_offset;
#[cfg_attr(not(any(unix, target_os = "wasi")), path = "std_file/none.rs")]
mod os;

use std::cell::OnceCell;
use std::io;
use std::path::Path;

use wasi_mmap_core::{Backend, Error, FileInfo, FileKind, MapOptions, MapSource, Result, Rights};

use super::PAGE_SIZE;
use super::cache::{Cache, CacheOptions};
use super::file::{File, FileId};
use super::storage::Cached;

/// A [`std::fs::File`] that the cache reads and writes with `pread(2)` and `pwrite(2)`.
///
/// In a preview 1 module it moves the file's position instead, and uses `read(2)` and `write(2)`, which engines do with fewer
/// copies. Nobody else can see the position there: descriptors cannot be duplicated, and this one is the cache's own.
#[derive(Debug)]
pub struct StdFile(std::fs::File, by_offset::Position);

impl From<std::fs::File> for StdFile {
    fn from(file: std::fs::File) -> Self {
        Self(file, by_offset::Position::new())
    }
}

impl File for StdFile {
    fn info(&self) -> Result<FileInfo> {
        let metadata = self.0.metadata()?;
        let kind = if metadata.is_file() {
            FileKind::Regular
        } else if metadata.is_dir() {
            FileKind::Directory
        } else {
            FileKind::Other
        };
        Ok(FileInfo { kind, len: metadata.len(), rights: os::rights(&self.0)?, grows: false })
    }

    fn id(&self) -> Result<FileId> {
        Ok(os::id(&self.0)?)
    }

    fn len(&self) -> Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        retry(|| by_offset::read_at(&self.0, &self.1, offset, buffer))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<usize> {
        retry(|| by_offset::write_at(&self.0, &self.1, offset, bytes))
    }

    fn set_len(&self, len: u64) -> Result<()> {
        Ok(self.0.set_len(len)?)
    }

    fn sync(&self) -> Result<()> {
        Ok(self.0.sync_data()?)
    }
}

fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return Ok(outcome?),
        }
    }
}

thread_local! {
    /// The cache of the mappings that were made without one: one for each thread.
    static CACHE: OnceCell<Cache<StdFile>> = const { OnceCell::new() };
}

/// The cache that this thread's mappings are made in unless they are given one.
pub(super) fn default_cache() -> Cache<StdFile> {
    CACHE.with(|cache| cache.get_or_init(|| Cache::new(CacheOptions::default())).clone())
}

impl Cache<StdFile> {
    /// The cache of the mappings that are made without one: one for each thread.
    pub fn of_this_thread() -> Self {
        default_cache()
    }

    /// Makes this the cache of the mappings that this thread makes without one.
    ///
    /// # Errors
    ///
    /// `invalid` (`cache`) if the thread has such a cache already, because it has made a mapping.
    pub fn set_for_this_thread(self) -> Result<()> {
        let taken = || Error::invalid("cache", "this thread has its cache already");
        CACHE.with(|cache| cache.set(self)).map_err(|_| taken())
    }
}

impl Backend for Cached<StdFile> {
    type File = std::fs::File;

    fn open(path: &Path, rights: Rights) -> Result<std::fs::File> {
        let (read, write) = (rights.contains(Rights::READ), rights.contains(Rights::WRITE));
        Ok(std::fs::OpenOptions::new().read(read).write(write).open(path)?)
    }

    fn map_file(file: std::fs::File, options: &MapOptions) -> Result<Self> {
        Self::of_file(&default_cache(), file.into(), options)
    }

    fn map_anonymous(options: &MapOptions) -> Result<Self> {
        Self::of_memory(options)
    }

    fn map_named(name: &str, options: &MapOptions) -> Result<Self> {
        Self::of_named(name, options)
    }

    fn granularity() -> u64 {
        PAGE_SIZE
    }
}

impl MapSource<Cached<StdFile>> for std::fs::File {
    fn into_file(self) -> Result<std::fs::File> {
        Ok(self)
    }
}

/// Duplicates the file, where the system can. Preview 1 and 2 of WASI cannot.
impl MapSource<Cached<StdFile>> for &std::fs::File {
    fn into_file(self) -> Result<std::fs::File> {
        Ok(self.try_clone()?)
    }
}
