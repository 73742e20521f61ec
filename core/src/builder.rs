//! The options of a new mapping, as [`std::fs::OpenOptions`] are those of an open file.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

#[cfg(doc)]
use crate::Error;
use crate::{Access, Backend, MapFlags, MapOptions, MapSource, Mapping, Result};

/// The options of a new mapping, and the functions that make it: [`open`](Self::open), [`map`](Self::map),
/// [`anonymous`](Self::anonymous), [`named`](Self::named).
///
/// A file is mapped whole and for reading, and memory for reading and writing, unless the options say otherwise.
///
/// # Example
///
/// ```
/// use wasi_mmap::{Access, Mapping};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("data");
/// # std::fs::write(&path, vec![1; 200_000])?;
/// let mapping = Mapping::options().access(Access::Copy).offset(65536).length(100).open(&path)?;
/// assert_eq!(mapping.len()?, 100);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub struct MappingOptions<S> {
    /// The options, with any access.
    options: MapOptions,
    /// The access. By default, it depends on what is mapped.
    access: Option<Access>,
    /// Whether the mapping may reach past the end of its file, whatever the flags.
    beyond_end: bool,
    backend: PhantomData<fn() -> S>,
}

impl<S: Backend> MappingOptions<S> {
    /// Makes the default options. [`Mapping::options`] does the same.
    pub fn new() -> Self {
        Self { options: MapOptions::new(), access: None, beyond_end: false, backend: PhantomData }
    }

    /// Sets the access of the mapping: by default [`Access::Read`] for files, and [`Access::Write`] for memory.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::{Access, Mapping};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("file");
    /// std::fs::write(&path, "text")?;
    /// let mut copy = Mapping::options().access(Access::Copy).open(&path)?;
    /// copy.set(0, b'n')?;
    /// assert_eq!(copy.read_range(..)?, b"next");
    /// assert_eq!(std::fs::read(&path)?, b"text");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn access(mut self, access: Access) -> Self {
        self.access = Some(access);
        self
    }

    /// Sets the offset in the file at which the mapping starts, in bytes: a multiple of [`Mapping::granularity`]. The
    /// default is 0.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::{Error, Mapping};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("file");
    /// std::fs::write(&path, "text")?;
    /// assert!(matches!(Mapping::options().offset(1).open(&path), Err(Error::Invalid(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn offset(mut self, offset: u64) -> Self {
        self.options = self.options.offset(offset);
        self
    }

    /// Sets the length of the mapping in bytes. 0, which is the default, maps a file to its end. On Windows, a
    /// writable, shared mapping may reach past the end of its file, and extends it.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::Mapping;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("file");
    /// std::fs::write(&path, "text")?;
    /// let mapping = Mapping::options().length(2).open(&path)?;
    /// assert_eq!(mapping.read_range(..)?, b"te");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn length(mut self, length: u64) -> Self {
        self.options = self.options.length(length);
        self
    }

    /// Sets flags, most of which are hints. The default is none.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::{MapFlags, Mapping};
    ///
    /// let memory = Mapping::options().length(1 << 20).flags(MapFlags::PRIVATE | MapFlags::POPULATE).anonymous()?;
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    pub fn flags(mut self, flags: MapFlags) -> Self {
        self.options = self.options.flags(flags);
        self
    }

    /// Sets whether the mapping may reach past the end of its file, as those of `mmap(2)` do on POSIX systems. The
    /// [length](Self::length) must be given; the file may be empty. The default is false.
    ///
    /// The file does not become longer. Its bytes appear in the mapping as soon as it does, whoever makes it grow.
    ///
    /// - Bytes past the end are zeros. Bytes that the file had when it was mapped, or at the last
    ///   [`refresh`](Mapping::refresh), and has no longer, are [`Error::Truncated`], as in every mapping.
    /// - A write to a page that begins past the end is refused with [`Error::BeyondEndOfFile`] (`offset`).
    /// - [`resize`](Mapping::resize) makes the file end where the mapping ends, as in every mapping.
    /// - A view shows zeros past the end, too. It shows the file's bytes after the file has grown and the view was
    ///   checked or made anew, and in a plugin also after any other operation of this crate, and soon after the growth
    ///   without any.
    ///
    /// It is [`Error::Unsupported`] past the end of files of huge pages, and on Windows. It has no effect on memory
    /// without a file.
    ///
    /// # Example
    ///
    /// ```
    /// use std::io::Write;
    /// use wasi_mmap::{Error, Mapping};
    ///
    /// # if cfg!(windows) { return Ok(()); }
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("log");
    /// let mut log = std::fs::File::create(&path)?;
    /// let mapping = Mapping::options().length(1 << 20).beyond_end(true).open(&path)?;
    /// assert_eq!(mapping.get(0)?, 0);
    /// log.write_all(b"started\n")?;
    /// assert_eq!(mapping.read_range(..mapping.file_len()?)?, b"started\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn beyond_end(mut self, beyond_end: bool) -> Self {
        self.beyond_end = beyond_end;
        self
    }

    /// Opens a file, with the least rights that the mapping needs, and maps it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::NotPermitted`], if the file cannot be opened; those of [`map`](Self::map).
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::{Error, Mapping};
    ///
    /// let missing = Mapping::options().open("there/is/no/such/file");
    /// assert!(matches!(missing, Err(Error::Io(error)) if error.message.contains("o such file") || cfg!(windows)));
    /// ```
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Mapping<S>> {
        let options = self.or(Access::Read);
        Self::map_owned(S::open(path.as_ref(), options.rights())?, &options)
    }

    /// Maps a file that is open. POSIX `mmap(2)`, Python `mmap.mmap(fileno, length, …)`.
    ///
    /// A `&File` is duplicated, and a `File` is taken over. The file's own position is neither used nor moved, and the
    /// mapping remains when the file is renamed or deleted.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyFile`]; [`Error::BeyondEndOfFile`] (`offset`, `length`); [`Error::Invalid`] (`offset`, not a
    /// multiple of [`Mapping::granularity`]); [`Error::NotPermitted`], if the file is not open for what the mapping
    /// needs; [`Error::Unsupported`] for anything but a regular file; [`Error::LimitExceeded`]; [`Error::OutOfMemory`];
    /// [`Error::Io`].
    ///
    /// # Example
    ///
    /// ```
    /// use std::fs::File;
    /// use wasi_mmap::Mapping;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("file");
    /// std::fs::write(&path, "text")?;
    /// let file = File::open(&path)?;
    /// let mapping = Mapping::options().map(&file)?;
    /// assert_eq!(mapping.len()?, file.metadata()?.len());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map(&self, file: impl MapSource<S>) -> Result<Mapping<S>> {
        Self::map_owned(file.into_file()?, &self.or(Access::Read))
    }

    /// Maps memory that belongs to no file and starts as zeros; its length must be given. POSIX `mmap(2)` with
    /// `MAP_ANONYMOUS`, Python `mmap.mmap(-1, length)`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] (`length`, absent or 0; `offset`, misaligned); [`Error::LimitExceeded`];
    /// [`Error::OutOfMemory`].
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::{Error, Mapping};
    ///
    /// let mapping = Mapping::options().length(4096).anonymous()?;
    /// assert_eq!(mapping.get(0)?, 0);
    /// assert!(matches!(Mapping::options().anonymous(), Err(Error::Invalid(_))));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn anonymous(&self) -> Result<Mapping<S>> {
        let options = self.or(Access::Write);
        Ok(Mapping::new(S::map_anonymous(&options)?, options.access))
    }

    /// Maps memory that has a name. All mappings of one name share one memory, which exists as long as one of them. The
    /// first mapping sets its length, and it cannot be resized. The backend decides who shares a name: all plugins of
    /// one host that share a namespace, or all processes of one user. Python on Windows
    /// `mmap.mmap(-1, length, tagname)`.
    ///
    /// # Errors
    ///
    /// Those of [`anonymous`](Self::anonymous), but the length may be absent if the memory exists; [`Error::Invalid`]
    /// (`name`, empty or longer than 100 bytes); [`Error::BeyondEndOfFile`] (`length`, greater than that of the
    /// existing memory); [`Error::Unsupported`].
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::Mapping;
    ///
    /// # if cfg!(not(any(target_os = "linux", windows))) { return Ok(()); }
    /// let name = format!("example-{}", std::process::id());
    /// let mut one = Mapping::options().length(100).named(&name)?;
    /// let other = Mapping::options().named(&name)?;
    /// one.write(b"hello")?;
    /// assert_eq!(other.read_range(..5)?, b"hello");
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    pub fn named(&self, name: &str) -> Result<Mapping<S>> {
        let options = self.or(Access::Write);
        Ok(Mapping::new(S::map_named(name, &options)?, options.access))
    }

    fn map_owned(file: S::File, options: &MapOptions) -> Result<Mapping<S>> {
        let (storage, access) = S::map_file(file, options)?;
        Ok(Mapping::new(storage, access))
    }

    /// Returns the options as a backend takes them, with `access` as the default.
    fn or(&self, access: Access) -> MapOptions {
        let mut options = self.options.access(self.access.unwrap_or(access));
        options.flags.set(MapFlags::BEYOND_END, self.beyond_end || options.flags.contains(MapFlags::BEYOND_END));
        options
    }
}

/// Converts options that were given as a record: the arguments of the WIT interface.
impl<S> From<MapOptions> for MappingOptions<S> {
    fn from(options: MapOptions) -> Self {
        Self { options, access: Some(options.access), beyond_end: false, backend: PhantomData }
    }
}

impl<S: Backend> Default for MappingOptions<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Clone for MappingOptions<S> {
    fn clone(&self) -> Self {
        Self { options: self.options, access: self.access, beyond_end: self.beyond_end, backend: PhantomData }
    }
}

impl<S> fmt::Debug for MappingOptions<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { options: MapOptions { offset, length, flags, .. }, access, beyond_end, backend: _ } = self;
        f.debug_struct("MappingOptions")
            .field("offset", offset)
            .field("length", length)
            .field("access", access)
            .field("flags", flags)
            .field("beyond_end", beyond_end)
            .finish()
    }
}
