//! The standard library's files, for the cache.

use std::cell::OnceCell;
use std::io;
use std::path::Path;

use wasi_mmap_core::{Backend, Error, FileInfo, FileKind, MapOptions, Result, Rights};

use super::PAGE_SIZE;
use super::cache::{Cache, CacheOptions};
use super::file::{File, FileId};
use super::storage::Cached;

/// A [`std::fs::File`] that the cache reads and writes with `pread(2)` and `pwrite(2)`.
///
/// In a preview 1 module it moves the file's position instead, and uses `read(2)` and `write(2)`, which engines do with fewer
/// copies. Nobody else can see the position there: descriptors cannot be duplicated, and this one is the cache's own.
#[derive(Debug)]
pub struct StdFile(std::fs::File);

impl From<std::fs::File> for StdFile {
    fn from(file: std::fs::File) -> Self {
        Self(file)
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
        retry(|| os::read_at(&self.0, offset, buffer))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<usize> {
        retry(|| os::write_at(&self.0, offset, bytes))
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

/// The calls that the standard library does not have on every system: `fstat`, `fcntl`, `pread`, `pwrite`.
#[cfg(any(unix, target_os = "wasi"))]
mod os {
    use std::fs::File;
    use std::io;
    #[cfg(all(target_os = "wasi", target_env = "p1"))]
    use std::io::{Read, Seek, SeekFrom, Write};
    use std::mem::MaybeUninit;
    use std::os::fd::AsRawFd;

    use wasi_mmap_core::Rights;

    use super::FileId;

    pub(super) fn rights(file: &File) -> io::Result<Rights> {
        // SAFETY: the descriptor is open, and `F_GETFL` takes no further argument.
        let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) };
        if flags < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(match flags & libc::O_ACCMODE {
            libc::O_RDONLY => Rights::READ,
            libc::O_WRONLY => Rights::WRITE,
            libc::O_RDWR => Rights::all(),
            _ => Rights::empty(),
        })
    }

    #[allow(clippy::unnecessary_cast, clippy::cast_lossless, reason = "the types differ between systems")]
    pub(super) fn id(file: &File) -> io::Result<FileId> {
        let mut stat = MaybeUninit::<libc::stat>::uninit();
        // SAFETY: `fstat` writes a `stat` to the memory it is given, which is large enough, or fails.
        if unsafe { libc::fstat(file.as_raw_fd(), stat.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call succeeded, so it has written all of `stat`.
        let stat = unsafe { stat.assume_init() };
        Ok(FileId(stat.st_dev as u64, stat.st_ino as u64))
    }

    #[cfg(all(target_os = "wasi", target_env = "p1"))]
    pub(super) fn read_at(mut file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        file.seek(SeekFrom::Start(offset))?;
        file.read(buffer)
    }

    #[cfg(all(target_os = "wasi", target_env = "p1"))]
    pub(super) fn write_at(mut file: &File, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        file.seek(SeekFrom::Start(offset))?;
        file.write(bytes)
    }

    #[cfg(not(all(target_os = "wasi", target_env = "p1")))]
    pub(super) fn read_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let offset = to_offset(offset)?;
        // SAFETY: the descriptor is open, and `buffer` is as long as the call is told.
        count(unsafe { libc::pread(file.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), offset) })
    }

    #[cfg(not(all(target_os = "wasi", target_env = "p1")))]
    pub(super) fn write_at(file: &File, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let offset = to_offset(offset)?;
        // SAFETY: the descriptor is open, and `bytes` is as long as the call is told.
        count(unsafe { libc::pwrite(file.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), offset) })
    }

    #[cfg(not(all(target_os = "wasi", target_env = "p1")))]
    fn to_offset(offset: u64) -> io::Result<libc::off_t> {
        libc::off_t::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge.into())
    }

    #[cfg(not(all(target_os = "wasi", target_env = "p1")))]
    fn count(count: isize) -> io::Result<usize> {
        usize::try_from(count).map_err(|_| io::Error::last_os_error())
    }
}

/// A system without files, or whose files can be read at an offset only by moving their position.
#[cfg(not(any(unix, target_os = "wasi")))]
mod os {
    use std::fs::File;
    use std::io;

    use wasi_mmap_core::Rights;

    use super::FileId;

    pub(super) fn rights(_: &File) -> io::Result<Rights> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn id(_: &File) -> io::Result<FileId> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn read_at(_: &File, _: u64, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn write_at(_: &File, _: u64, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
