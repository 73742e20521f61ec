//! Backends, and the constructors of mappings over them.

use std::fs::File;
use std::path::Path;

#[cfg(doc)]
use crate::Error;
use crate::{Access, MapOptions, Mapping, MappingOptions, Result, Rights, Storage};

/// A storage that can open and map files by itself: through the operating system, through the host of a plugin, or as a
/// page cache.
pub trait Backend: Storage + Sized {
    /// An open file, or a descriptor handle.
    type File;

    /// Opens an existing file.
    ///
    /// # Errors
    ///
    /// [`Error::NotPermitted`]; [`Error::Io`].
    fn open(path: &Path, rights: Rights) -> Result<Self::File>;

    /// Maps a file, and takes it over. Returns the access that the mapping got:
    /// [`MapOptions::with_rights`] decides it.
    ///
    /// # Errors
    ///
    /// Those of [`MappingOptions::map`].
    fn map_file(file: Self::File, options: &MapOptions) -> Result<(Self, Access)>;

    /// Maps memory that belongs to no file and starts as zeros.
    ///
    /// # Errors
    ///
    /// Those of [`MappingOptions::anonymous`].
    fn map_anonymous(options: &MapOptions) -> Result<Self>;

    /// Maps memory that has a name.
    ///
    /// # Errors
    ///
    /// Those of [`MappingOptions::named`].
    fn map_named(name: &str, options: &MapOptions) -> Result<Self>;

    /// Returns the number of bytes that the offset in the file at which a mapping starts must be a multiple of.
    fn granularity() -> u64;
}

/// An open file that a backend can map: the argument of [`MappingOptions::map`].
///
/// A `&File` is duplicated, and a `File` is taken over.
pub trait MapSource<S: Backend> {
    /// Returns the file for the mapping to own.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], if the descriptor cannot be duplicated.
    fn into_file(self) -> Result<S::File>;
}

/// Constructors.
impl<S: Backend> Mapping<S> {
    /// Opens a file and maps all of it for reading. For everything else there are [`options`](Self::options).
    ///
    /// # Errors
    ///
    /// Those of [`MappingOptions::open`].
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::Mapping;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("greeting");
    /// std::fs::write(&path, "hello, world")?;
    /// let mapping = Mapping::open(&path)?;
    /// assert_eq!(mapping.find(b"world", ..)?, Some(7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().open(path)
    }

    /// Maps all of an open file for reading. The file's own position is neither used nor moved, and the mapping remains
    /// when the file is closed. For everything else there is [`MappingOptions::map`].
    ///
    /// # Errors
    ///
    /// Those of [`MappingOptions::map`]; in a plugin, [`Error::Unsupported`] for a file of a C library other than
    /// wasi-libc.
    ///
    /// # Example
    ///
    /// ```
    /// use std::fs::File;
    /// use wasi_mmap::Mapping;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("greeting");
    /// std::fs::write(&path, "hello, world")?;
    /// let mapping = Mapping::from_file(&File::open(&path)?)?;
    /// assert_eq!(mapping.find(b"world", ..)?, Some(7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_file<'a>(file: &'a File) -> Result<Self>
    where
        &'a File: MapSource<S>,
    {
        Self::options().map(file)
    }

    /// Returns the options of a new mapping, as [`File::options`](std::fs::File::options) does for a file.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::{Access, Mapping};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("greeting");
    /// std::fs::write(&path, "hello, world")?;
    /// let mut mapping = Mapping::options().access(Access::Write).length(5).open(&path)?;
    /// mapping.write(b"HELLO")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn options() -> MappingOptions<S> {
        MappingOptions::new()
    }

    /// Maps `length` bytes of memory that belong to no file, start as zeros, and can be read and written. POSIX
    /// `mmap(2)` with `MAP_ANONYMOUS`, Python `mmap.mmap(-1, length)`.
    ///
    /// # Errors
    ///
    /// Those of [`MappingOptions::anonymous`].
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::Mapping;
    ///
    /// let mut scratch = Mapping::anonymous(1 << 20)?;
    /// scratch.fill(.., 0xff)?;
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    pub fn anonymous(length: u64) -> Result<Self> {
        Self::options().length(length).anonymous()
    }

    /// Returns the number of bytes that the [offset](MappingOptions::offset) of a mapping must be a multiple of. Python
    /// `mmap.ALLOCATIONGRANULARITY`.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::Mapping;
    ///
    /// assert!(Mapping::granularity().is_power_of_two());
    /// ```
    pub fn granularity() -> u64 {
        S::granularity()
    }

    /// Returns the size of a page in bytes: the number that the start of a [flushed](Self::flush_range) or
    /// [advised](Self::advise_range) range must be a multiple of. Python `mmap.PAGESIZE`.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::Mapping;
    ///
    /// assert_eq!(Mapping::granularity() % Mapping::page_size(), 0);
    /// ```
    pub fn page_size() -> u64 {
        S::page_size()
    }
}
