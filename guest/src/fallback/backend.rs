//! The fallback as a backend of `core`: mappings of the standard library's files in the cache of this thread.

use std::cell::OnceCell;
use std::path::Path;

use wasi_mmap_core::{Access, Backend, Error, MapOptions, MapSource, Result, Rights};
#[cfg(target_os = "wasi")]
use {
    super::file::FileId,
    std::ops::Range,
    wasi_mmap_sys::{
        HeldFile,
        observer::{Observer, add_observer},
    },
};

use super::page::PAGE_SIZE;
use super::page_cache::{Cache, CacheOptions};
use super::std_file::StdFile;
use super::storage::CachedStorage;

thread_local! {
    static CACHE: OnceCell<Cache<StdFile>> = const { OnceCell::new() };
}

impl Cache<StdFile> {
    /// Returns the cache in which this thread makes mappings unless it names another one.
    pub fn of_this_thread() -> Self {
        #[cfg(target_os = "wasi")]
        observe();
        CACHE.with(|cache| cache.get_or_init(|| Self::new(CacheOptions::default())).clone())
    }

    /// Makes this the cache in which this thread makes mappings unless it names another one.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] (`cache`) if the thread has such a cache already, because it has made a mapping.
    pub fn set_for_this_thread(self) -> Result<()> {
        #[cfg(target_os = "wasi")]
        observe();
        let taken = || Error::invalid("cache", "this thread has a cache already");
        CACHE.with(|cache| cache.set(self)).map_err(|_| taken())
    }
}

/// Shows the cache of this thread the ordinary I/O of the plugin.
#[cfg(target_os = "wasi")]
#[derive(Debug)]
struct CacheObserver;

#[cfg(target_os = "wasi")]
impl Observer for CacheObserver {
    fn before(&self, file: &HeldFile, range: &Range<u64>) {
        let is_file = |mapped: &StdFile| mapped.is_held(file);
        CACHE.with(|cache| cache.get().map(|cache| cache.before_io(key(file), is_file, range)));
    }

    fn after_write(&self, file: &HeldFile, range: &Range<u64>) {
        let is_file = |mapped: &StdFile| mapped.is_held(file);
        CACHE.with(|cache| cache.get().map(|cache| cache.after_write(key(file), is_file, range)));
    }
}

#[cfg(target_os = "wasi")]
fn key(file: &HeldFile) -> Option<FileId> {
    file.key().map(|(upper, lower)| FileId(upper, lower))
}

/// Shows each thread's cache the ordinary I/O of its thread.
#[cfg(target_os = "wasi")]
fn observe() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| add_observer(&CacheObserver));
}

impl Backend for CachedStorage<StdFile> {
    type File = StdFile;

    fn open(path: &Path, rights: Rights) -> Result<StdFile> {
        let (read, write) = (rights.contains(Rights::READ), rights.contains(Rights::WRITE));
        Ok(std::fs::OpenOptions::new().read(read).write(write).open(path)?.into())
    }

    fn map_file(file: StdFile, options: &MapOptions) -> Result<(Self, Access)> {
        Self::of_file(&Cache::of_this_thread(), file, options)
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

impl MapSource<CachedStorage<StdFile>> for std::fs::File {
    fn into_file(self) -> Result<StdFile> {
        Ok(self.into())
    }
}

/// The mapping keeps the file open for itself: it duplicates it, or on WASI, which cannot do that, holds it.
impl MapSource<CachedStorage<StdFile>> for &std::fs::File {
    #[cfg(not(target_os = "wasi"))]
    fn into_file(self) -> Result<StdFile> {
        Ok(self.try_clone()?.into())
    }

    #[cfg(target_os = "wasi")]
    fn into_file(self) -> Result<StdFile> {
        Ok(wasi_mmap_sys::HeldFile::new(std::os::fd::AsFd::as_fd(self))?.into())
    }
}
