//! The storage of a plugin's mapping: the host's mapping, or the plugin's own page cache.

use std::cmp::Ordering;
use std::ops::Range;
use std::os::fd::AsFd;
use std::path::Path;

use wasi_mmap_core::{Access, Advice, Backend, FlushFlags, MapOptions, MapSource, Result, Rights, Storage, Strided};
use wasi_mmap_sys::HeldFile;
use wasi_mmap_sys::bindings::wasi::filesystem::types::Descriptor;
#[cfg(feature = "fallback")]
use {
    crate::fallback::{Cache, CachedStorage, StdFile},
    wasi_mmap_core::{Error, provided},
};

use super::{HostStorage, host, path};

/// The storage of a plugin's mapping.
///
/// It is the host's mapping. Where there is only the fallback component, or a host that cannot map, and with the
/// feature `fallback`, it is the page cache of this crate, on the plugin's own descriptor: the same implementation as
/// in the component, without its border.
#[derive(Debug)]
pub struct PluginStorage(Kind);

#[derive(Debug)]
pub(crate) enum Kind {
    Host(HostStorage),
    #[cfg(feature = "fallback")]
    Cached(CachedStorage<StdFile>),
}

impl PluginStorage {
    pub(crate) fn kind(&self) -> &Kind {
        &self.0
    }

    fn of_host(storage: HostStorage) -> Self {
        Self(Kind::Host(storage))
    }

    /// Maps a file in the plugin.
    #[cfg(feature = "fallback")]
    fn cached(file: HeldFile, options: &MapOptions) -> Result<(Self, Access)> {
        let (storage, access) = CachedStorage::of_file(&Cache::of_this_thread(), StdFile::from(file), options)?;
        Ok((Self(Kind::Cached(storage)), access))
    }
}

impl Backend for PluginStorage {
    type File = HeldFile;

    fn open(path: &Path, rights: Rights) -> Result<HeldFile> {
        Ok(path::open(path, rights)?.into())
    }

    #[cfg(feature = "fallback")]
    fn map_file(file: HeldFile, options: &MapOptions) -> Result<(Self, Access)> {
        if host::is_simulated() {
            return Self::cached(file, options);
        }
        match HostStorage::map_borrowed(&file, options) {
            // The host cannot map this file. What cannot be mapped at all is refused by the cache, too.
            Err(Error::Unsupported(_)) => Self::cached(file, options),
            mapped => mapped.map(|(storage, access)| (Self::of_host(storage), access)),
        }
    }

    #[cfg(not(feature = "fallback"))]
    fn map_file(file: HeldFile, options: &MapOptions) -> Result<(Self, Access)> {
        // The fallback component maps only descriptors that it may keep.
        let (storage, access) = match file.into_descriptor() {
            Ok(descriptor) => HostStorage::map_descriptor(descriptor, options)?,
            Err(file) => HostStorage::map_borrowed(&file, options)?,
        };
        Ok((Self::of_host(storage), access))
    }

    fn map_anonymous(options: &MapOptions) -> Result<Self> {
        #[cfg(feature = "fallback")]
        if host::is_simulated() {
            return Ok(Self(Kind::Cached(CachedStorage::of_memory(options)?)));
        }
        HostStorage::map_anonymous(options).map(Self::of_host)
    }

    fn map_named(name: &str, options: &MapOptions) -> Result<Self> {
        // The components that share the interface share its names.
        HostStorage::map_named(name, options).map(Self::of_host)
    }

    fn granularity() -> u64 {
        host::granularity()
    }
}

impl MapSource<PluginStorage> for HeldFile {
    fn into_file(self) -> Result<HeldFile> {
        Ok(self)
    }
}

impl MapSource<PluginStorage> for Descriptor {
    fn into_file(self) -> Result<HeldFile> {
        Ok(self.into())
    }
}

/// Closes the file: the mapping keeps its own share of it.
impl MapSource<PluginStorage> for std::fs::File {
    fn into_file(self) -> Result<HeldFile> {
        MapSource::<PluginStorage>::into_file(&self)
    }
}

impl MapSource<PluginStorage> for &std::fs::File {
    fn into_file(self) -> Result<HeldFile> {
        Ok(HeldFile::new(self.as_fd())?)
    }
}

/// Passes an operation on to the storage.
macro_rules! with {
    ($self:ident, $storage:ident => $operation:expr) => {
        match $self {
            PluginStorage(Kind::Host($storage)) => $operation,
            #[cfg(feature = "fallback")]
            PluginStorage(Kind::Cached($storage)) => $operation,
        }
    };
}

impl Storage for PluginStorage {
    #[inline]
    fn len(&self) -> u64 {
        with!(self, storage => storage.len())
    }

    #[inline]
    fn offset(&self) -> u64 {
        with!(self, storage => storage.offset())
    }

    fn file_len(&self) -> Result<u64> {
        with!(self, storage => storage.file_len())
    }

    fn page_size() -> u64 {
        HostStorage::page_size()
    }

    #[inline]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        with!(self, storage => storage.read_at(offset, buffer))
    }

    #[inline]
    fn check_write(&self, range: &Range<u64>) -> Result<()> {
        with!(self, storage => storage.check_write(range))
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        with!(self, storage => storage.write_at(offset, bytes))
    }

    fn flush(&mut self, range: Range<u64>, flags: FlushFlags) -> Result<()> {
        with!(self, storage => storage.flush(range, flags))
    }

    fn advise(&mut self, advice: Advice, range: Range<u64>) -> Result<()> {
        with!(self, storage => storage.advise(advice, range))
    }

    fn resize(&mut self, len: u64) -> Result<()> {
        with!(self, storage => storage.resize(len))
    }

    fn refresh(&mut self) -> Result<()> {
        with!(self, storage => storage.refresh())
    }

    fn close(&mut self) -> Result<()> {
        with!(self, storage => storage.close())
    }

    fn is_busy(&self) -> bool {
        with!(self, storage => storage.is_busy())
    }

    fn read_vec(&self, range: Range<u64>) -> Result<Vec<u8>> {
        with!(self, storage => storage.read_vec(range))
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<u8>> {
        with!(self, storage => storage.read_ranges(ranges))
    }

    fn find(&self, needle: &[u8], range: Range<u64>) -> Result<Option<u64>> {
        with!(self, storage => storage.find(needle, range))
    }

    fn rfind(&self, needle: &[u8], range: Range<u64>) -> Result<Option<u64>> {
        with!(self, storage => storage.rfind(needle, range))
    }

    #[inline]
    fn read_line(&self, range: Range<u64>, line: &mut Vec<u8>) -> Result<()> {
        with!(self, storage => storage.read_line(range, line))
    }

    fn compare(&self, offset: u64, bytes: &[u8]) -> Result<Ordering> {
        with!(self, storage => storage.compare(offset, bytes))
    }

    fn fill(&mut self, range: Range<u64>, byte: u8) -> Result<()> {
        with!(self, storage => storage.fill(range, byte))
    }

    fn copy_within(&mut self, source: Range<u64>, destination: u64) -> Result<()> {
        with!(self, storage => storage.copy_within(source, destination))
    }

    fn copy_from(&mut self, destination: u64, source: &Self, range: Range<u64>) -> Result<()> {
        match (&mut self.0, &source.0) {
            (Kind::Host(to), Kind::Host(from)) => to.copy_from(destination, from, range),
            #[cfg(feature = "fallback")]
            (Kind::Cached(to), Kind::Cached(from)) => to.copy_from(destination, from, range),
            #[cfg(feature = "fallback")]
            (Kind::Host(_), Kind::Cached(_)) | (Kind::Cached(_), Kind::Host(_)) => {
                provided::copy_from(self, destination, source, range)
            }
        }
    }

    fn read_strided(&self, slice: Strided, buffer: &mut [u8]) -> Result<()> {
        with!(self, storage => storage.read_strided(slice, buffer))
    }

    fn write_strided(&mut self, slice: Strided, bytes: &[u8]) -> Result<()> {
        with!(self, storage => storage.write_strided(slice, bytes))
    }
}
