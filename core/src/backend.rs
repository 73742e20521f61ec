//! Where mappings come from: the constructors, the same for every supplier that can make a storage.

use std::path::Path;

use crate::{Access, MapOptions, Mapping, Result, Rights, Storage};

/// A supplier that can make storages by itself: the operating system, the host of a plugin, a page cache.
pub trait Backend: Storage + Sized {
    /// What a mapping of a file is made from: an open file, or a descriptor handle.
    type File;

    /// Opens an existing file.
    fn open(path: &Path, rights: Rights) -> Result<Self::File>;

    /// Maps a file, which the storage takes over.
    fn map_file(file: Self::File, options: &MapOptions) -> Result<Self>;

    /// Maps memory that belongs to no file and starts as zeros.
    fn map_anonymous(options: &MapOptions) -> Result<Self>;

    /// Maps memory that has a name.
    fn map_named(name: &str, options: &MapOptions) -> Result<Self>;

    /// What the offset of a mapping must be a multiple of, in bytes.
    fn granularity() -> u64;
}

/// The constructors.
impl<S: Backend> Mapping<S> {
    /// Opens a file and maps all of it.
    ///
    /// # Errors
    ///
    /// What opening the file answers; `empty-file`; as [`from_file`](Self::from_file).
    pub fn open(path: impl AsRef<Path>, access: Access) -> Result<Self> {
        Self::open_with(path, &MapOptions::new().access(access))
    }

    /// Opens a file, with the least rights that the mapping needs, and maps it as `options` say.
    ///
    /// # Errors
    ///
    /// What opening the file answers; as [`from_file`](Self::from_file).
    pub fn open_with(path: impl AsRef<Path>, options: &MapOptions) -> Result<Self> {
        Self::from_file(S::open(path.as_ref(), options.rights())?, options)
    }

    /// Maps a file that is already open: POSIX `mmap(2)`, Python `mmap.mmap(fileno, length, …)`.
    ///
    /// The mapping owns the file it is given; the file's own position is neither used nor moved, and the mapping goes on
    /// when the file is renamed or deleted.
    ///
    /// # Errors
    ///
    /// `empty-file`; `beyond-end-of-file` (`offset`, `length`); `invalid` (`offset`, not a multiple of
    /// [`granularity`](Self::granularity)); `not-permitted`; `unsupported` (not a regular file); `limit-exceeded`;
    /// `out-of-memory`; `io`.
    pub fn from_file(file: S::File, options: &MapOptions) -> Result<Self> {
        Ok(Self::new(S::map_file(file, options)?, options.get_access()))
    }

    /// Maps `length` bytes of memory that belong to no file and start as zeros: POSIX `mmap(2)` with `MAP_ANONYMOUS`,
    /// Python `mmap.mmap(-1, length)`.
    ///
    /// # Errors
    ///
    /// As [`anonymous_with`](Self::anonymous_with).
    pub fn anonymous(length: u64) -> Result<Self> {
        Self::anonymous_with(&MapOptions::new().length(length))
    }

    /// Maps memory that belongs to no file, as `options` say; its length must be given.
    ///
    /// # Errors
    ///
    /// `invalid` (`length` 0 or absent, `offset` misaligned); `limit-exceeded`; `out-of-memory`.
    pub fn anonymous_with(options: &MapOptions) -> Result<Self> {
        Ok(Self::new(S::map_anonymous(options)?, options.get_access()))
    }

    /// Maps memory that has a name: two mappings of one name share one memory, which lives as long as one of them. The
    /// first one says how long it is, and starts it as zeros; it cannot be resized. Who shares a name, the backend says. Python on Windows `mmap.mmap(-1, length, tagname)`.
    ///
    /// # Errors
    ///
    /// As [`anonymous_with`](Self::anonymous_with), but the length may be absent where the memory exists; `invalid`
    /// (`name` empty, or longer than 100 bytes); `beyond-end-of-file` (`length` is greater than the memory that exists);
    /// `unsupported`.
    pub fn named(name: &str, options: &MapOptions) -> Result<Self> {
        Ok(Self::new(S::map_named(name, options)?, options.get_access()))
    }

    /// What [`MapOptions::offset`] must be a multiple of, in bytes. Python `mmap.ALLOCATIONGRANULARITY`.
    pub fn granularity() -> u64 {
        S::granularity()
    }
}
