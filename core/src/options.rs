//! The options of a new mapping as backends take them, and the rules that they are checked against.

use std::borrow::Cow;

use crate::{Error, Result};

/// The access of a mapping: whether its bytes can be written, and whether writes reach the file.
///
/// Python: `ACCESS_READ` (1), `ACCESS_WRITE` (2, and `ACCESS_DEFAULT`, 0), `ACCESS_COPY` (3). Each stands for a
/// protection and a sharing mode of POSIX `mmap(2)`, whose numbers are the same on all systems: `PROT_READ` 1,
/// `PROT_WRITE` 2, `MAP_SHARED` 1, `MAP_PRIVATE` 2. No access has `PROT_EXEC`: a mapping never holds code.
///
/// # Example
///
/// ```
/// use wasi_mmap::{Access, Error, Mapping};
///
/// let mut mapping = Mapping::options().access(Access::Read).length(100).anonymous()?;
/// assert_eq!(mapping.write(b"text"), Err(Error::ReadOnly));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Access {
    /// Bytes can be read. Writes are refused. POSIX `PROT_READ`, `MAP_SHARED`.
    Read,
    /// Bytes can be read and written, and writes reach the file. The default, as in Python.
    ///
    /// POSIX `PROT_READ | PROT_WRITE`, `MAP_SHARED`.
    #[default]
    Write,
    /// Bytes can be read and written. Writes stay in this mapping and never reach the file.
    ///
    /// POSIX `PROT_READ | PROT_WRITE`, `MAP_PRIVATE`.
    Copy,
}

impl Access {
    /// Returns whether the mapping can be written.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_core::Access;
    ///
    /// assert!(Access::Copy.is_writable());
    /// assert!(!Access::Read.is_writable());
    /// ```
    pub fn is_writable(self) -> bool {
        self != Self::Read
    }
}

bitflags::bitflags! {
    /// The flags of a new mapping: Linux `mmap(2)`, Python `mmap.MAP_*`.
    ///
    /// The bits are this crate's own; each item names its constant and its number on Linux on x86-64 and ARM. There is
    /// no `MAP_FIXED`: the system chooses the address of a mapping.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::{MapFlags, Mapping};
    ///
    /// let mapping = Mapping::options().flags(MapFlags::PRIVATE | MapFlags::NO_RESERVE).length(1 << 20).anonymous()?;
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct MapFlags: u32 {
        /// Keep writes in this mapping, as [`Access::Copy`] does, but allow [`resize`](crate::Mapping::resize), which
        /// resizes the file. `MAP_PRIVATE`, 0x2; Python `flags=MAP_PRIVATE`.
        const PRIVATE = 1;
        /// Read the pages now instead of on first use. A hint. `MAP_POPULATE`, 0x8000.
        const POPULATE = 1 << 1;
        /// Reserve no swap space. A hint. `MAP_NORESERVE`, 0x4000.
        const NO_RESERVE = 1 << 2;
        /// Make the memory suitable for a stack. A hint. `MAP_STACK`, 0x20000.
        const STACK = 1 << 3;
        /// Use huge pages. Only for anonymous memory, and only if the system has them. `MAP_HUGETLB`, 0x40000.
        const HUGE_PAGES = 1 << 4;
        /// Map for writing as well, as [`Access::Write`] does, if the file is open for writing and the system does not
        /// refuse it. Otherwise the mapping is for reading, and this is no error.
        /// [`Mapping::access`](crate::Mapping::access) returns the access that it got.
        ///
        /// Only with [`Access::Read`], and only for a file that the caller has opened:
        /// [`MappingOptions::open`](crate::MappingOptions::open) opens it for reading alone. Without effect on other
        /// accesses, with [`PRIVATE`](Self::PRIVATE), and on memory without a file. Not a flag of `mmap(2)`.
        const WIDEST_ACCESS = 1 << 5;
        /// Allow the mapping to reach past the end of its file: see
        /// [`MappingOptions::beyond_end`](crate::MappingOptions::beyond_end). Not a flag of `mmap(2)`, which always allows
        /// it on POSIX systems.
        const BEYOND_END = 1 << 6;
    }
}

/// The maximum length of the name of named memory, in bytes.
const MAX_NAME_LEN: usize = 100;

/// Checks the name of named memory.
///
/// # Errors
///
/// [`Error::Invalid`] (`name`), if it is empty or longer than 100 bytes.
pub fn check_name(name: &str) -> Result<()> {
    match name.len() {
        0 => Err(Error::invalid("name", "memory cannot have an empty name")),
        1..=MAX_NAME_LEN => Ok(()),
        len => Err(Error::invalid("name", format!("{len} bytes are more than {MAX_NAME_LEN}"))),
    }
}

/// The options of a new mapping as a [`Backend`](crate::Backend) takes them. Programs use
/// [`MappingOptions`](crate::MappingOptions).
///
/// The default is Python's: the whole file, shared, for reading and writing.
///
/// # Example
///
/// ```
/// use wasi_mmap_core::{Access, MapOptions};
///
/// let options = MapOptions::new().access(Access::Read).offset(65536).length(100);
/// assert_eq!(options.requested_length(), Some(100));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use]
pub struct MapOptions {
    /// The offset in the file at which the mapping starts, in bytes.
    pub offset: u64,
    /// The length of the mapping in bytes; `None` or 0 for the rest of the file.
    pub length: Option<u64>,
    /// The access of the mapping.
    pub access: Access,
    /// The flags.
    pub flags: MapFlags,
}

bitflags::bitflags! {
    /// The rights of an open file or a descriptor. POSIX `O_RDONLY`, `O_WRONLY`, `O_RDWR`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct Rights: u32 {
        /// The file's bytes can be read.
        const READ = 1;
        /// The file's bytes can be written.
        const WRITE = 2;
    }
}

/// The facts about an open file that decide whether, and which part of it, can be mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileInfo {
    /// The kind of the file.
    pub kind: FileKind,
    /// The length of the file in bytes.
    pub len: u64,
    /// The rights of its descriptor.
    pub rights: Rights,
    /// True if a shared, writable mapping that reaches past the end extends the file, as on Windows.
    pub grows: bool,
}

/// The kind of a file. Only regular files can be mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A pipe or FIFO.
    Pipe,
    /// A socket.
    Socket,
    /// A character or block device.
    Device,
    /// Anything else.
    Other,
}

impl FileKind {
    /// Checks that files of this kind can be mapped.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for anything but a regular file.
    pub fn check(self) -> Result<()> {
        Err(Error::Unsupported(Cow::Borrowed(match self {
            Self::Regular => return Ok(()),
            Self::Directory => "mapping a directory",
            Self::Pipe => "mapping a pipe",
            Self::Socket => "mapping a socket",
            Self::Device => "mapping a device",
            Self::Other => "mapping anything but a regular file",
        })))
    }
}

/// The part of a file that a new mapping covers: never empty, aligned, and within the file, unless the file
/// [grows](FileInfo::grows) or the mapping may reach [past its end](MapFlags::BEYOND_END).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The offset in the file at which it starts, in bytes.
    pub offset: u64,
    /// The length in bytes, at least 1.
    pub len: u64,
}

impl Extent {
    /// Returns the offset in the file at which it ends, in bytes.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.len)
    }
}

/// Returns whether a file can end `length` bytes after `offset`: files have at most 2^63 - 1 bytes.
fn is_file_end(offset: u64, length: u64) -> bool {
    offset.checked_add(length).is_some_and(|end| i64::try_from(end).is_ok())
}

impl MapOptions {
    /// Makes the default options: the whole file, shared, for reading and writing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the offset in the file at which the mapping starts, in bytes: a multiple of the allocation granularity.
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// Sets the length of the mapping in bytes. 0, which is the default, means to the end of the file. On Windows, a
    /// writable, shared mapping may reach past the end of its file, and extends it.
    pub fn length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// Sets the access of the mapping.
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Sets the flags.
    pub fn flags(mut self, flags: MapFlags) -> Self {
        self.flags = flags;
        self
    }

    /// Returns the requested length in bytes, or `None` for the rest of the file.
    pub fn requested_length(&self) -> Option<u64> {
        self.length.filter(|&length| length != 0)
    }

    /// Returns whether writes stay in the mapping.
    pub fn is_private(&self) -> bool {
        self.access == Access::Copy || self.flags.contains(MapFlags::PRIVATE)
    }

    /// Returns the rights that the file must be open with.
    pub fn rights(&self) -> Rights {
        if self.access == Access::Write && !self.is_private() { Rights::all() } else { Rights::READ }
    }

    /// Returns the options with the access that a mapping of a file gets whose descriptor has `rights`: writing instead
    /// of reading, if [`MapFlags::WIDEST_ACCESS`] asks for it and the descriptor is open for writing.
    ///
    /// The part of the file is that of the options before, so that the mapping never extends the file: see
    /// [`extent_of_file`](Self::extent_of_file).
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_core::{Access, MapFlags, MapOptions, Rights};
    ///
    /// let options = MapOptions::new().access(Access::Read).flags(MapFlags::WIDEST_ACCESS);
    /// assert_eq!(options.with_rights(Rights::all()).access, Access::Write);
    /// assert_eq!(options.with_rights(Rights::READ).access, Access::Read);
    /// ```
    pub fn with_rights(self, rights: Rights) -> Self {
        let is_widest = self.flags.contains(MapFlags::WIDEST_ACCESS) && rights.contains(Rights::WRITE);
        let is_shared_reader = self.access == Access::Read && !self.is_private();
        if is_widest && is_shared_reader { self.access(Access::Write) } else { self }
    }

    /// Returns the part of a file that these options select. It ends past the end of the file only if the file
    /// [grows](FileInfo::grows) or if [`MapFlags::BEYOND_END`] allows it.
    ///
    /// The checks are made in Python's order: first the length of the file, then those of `mmap(2)`, alignment before
    /// permission.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for anything but a regular file, for huge pages, and for [`MapFlags::BEYOND_END`] past the
    /// end of a file that [grows](FileInfo::grows); [`Error::EmptyFile`];
    /// [`Error::BeyondEndOfFile`] (`offset`, `length`); [`Error::Invalid`] (`offset`); [`Error::NotPermitted`].
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_core::{Access, Extent, FileInfo, FileKind, MapOptions, Rights};
    ///
    /// let file = FileInfo { kind: FileKind::Regular, len: 10_000, rights: Rights::READ, grows: false };
    /// let options = MapOptions::new().access(Access::Read).offset(4096);
    /// assert_eq!(options.extent_of_file(&file, 4096)?, Extent { offset: 4096, len: 5904 });
    /// assert_eq!(options.offset(1).extent_of_file(&file, 4096).unwrap_err().name(), "invalid");
    /// # Ok::<(), wasi_mmap_core::Error>(())
    /// ```
    pub fn extent_of_file(&self, file: &FileInfo, granularity: u64) -> Result<Extent> {
        file.kind.check()?;
        let offset = self.offset;
        let reaches_beyond = self.flags.contains(MapFlags::BEYOND_END);
        let len = match self.requested_length() {
            None if file.len == 0 => return Err(Error::EmptyFile),
            None if offset >= file.len => {
                let reason = format!("{offset} is not before the end of the file, {}", file.len);
                return Err(Error::beyond_end_of_file("offset", reason));
            }
            None => file.len - offset,
            Some(length) => match file.len.checked_sub(offset) {
                Some(rest) if rest >= length => length,
                _ if reaches_beyond && is_file_end(offset, length) => length,
                _ if file.grows && self.rights().contains(Rights::WRITE) && is_file_end(offset, length) => length,
                _ => {
                    let reason =
                        format!("{length} bytes from offset {offset} reach past the end of the file, {}", file.len);
                    return Err(Error::beyond_end_of_file("length", reason));
                }
            },
        };
        self.check_alignment(granularity)?;
        let missing = self.rights() - file.rights;
        if missing.contains(Rights::READ) {
            return Err(Error::NotPermitted("mapping a file that is not open for reading".into()));
        }
        if missing.contains(Rights::WRITE) {
            return Err(Error::NotPermitted("a writable mapping of a file that is not open for writing".into()));
        }
        if self.flags.contains(MapFlags::HUGE_PAGES) {
            return Err(Error::Unsupported("huge pages for a file".into()));
        }
        let extent = Extent { offset, len };
        // The system would make the file longer, or refuse.
        if reaches_beyond && file.grows && extent.end() > file.len {
            return Err(Error::Unsupported("a mapping that reaches past the end of its file on this system".into()));
        }
        Ok(extent)
    }

    /// Returns the extent of new memory without a file.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] (`offset`, misaligned; `length`, absent or 0); [`Error::OutOfMemory`] for more than 2^63 - 1
    /// bytes.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_core::MapOptions;
    ///
    /// assert_eq!(MapOptions::new().length(100).extent_of_memory(4096)?.len, 100);
    /// assert_eq!(MapOptions::new().extent_of_memory(4096).unwrap_err().name(), "invalid");
    /// # Ok::<(), wasi_mmap_core::Error>(())
    /// ```
    pub fn extent_of_memory(&self, granularity: u64) -> Result<Extent> {
        self.check_alignment(granularity)?;
        let Some(len) = self.requested_length() else {
            return Err(Error::invalid("length", "memory without a file needs a length of at least 1"));
        };
        if i64::try_from(len).is_err() {
            return Err(Error::OutOfMemory);
        }
        Ok(Extent { offset: self.offset, len })
    }

    /// Returns the extent of named memory. `existing` is the length of the memory in bytes, if it exists.
    ///
    /// # Errors
    ///
    /// Those of [`extent_of_memory`](Self::extent_of_memory), if the memory is new; [`Error::BeyondEndOfFile`]
    /// (`length`), if the existing memory is shorter; [`Error::Invalid`] (`offset`).
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_core::MapOptions;
    ///
    /// assert_eq!(MapOptions::new().extent_of_named(Some(100), 4096)?.len, 100);
    /// let longer = MapOptions::new().length(101).extent_of_named(Some(100), 4096);
    /// assert_eq!(longer.unwrap_err().name(), "beyond-end-of-file");
    /// # Ok::<(), wasi_mmap_core::Error>(())
    /// ```
    pub fn extent_of_named(&self, existing: Option<u64>, granularity: u64) -> Result<Extent> {
        let Some(len) = existing else { return self.extent_of_memory(granularity) };
        self.check_alignment(granularity)?;
        match self.requested_length() {
            Some(length) if length > len => Err(Error::beyond_end_of_file(
                "length",
                format!("{length} is more than the length of the memory of that name, {len}"),
            )),
            length => Ok(Extent { offset: self.offset, len: length.unwrap_or(len) }),
        }
    }

    fn check_alignment(&self, granularity: u64) -> Result<()> {
        if self.offset.is_multiple_of(granularity) {
            return Ok(());
        }
        let reason = format!("{} is not a multiple of the granularity, {granularity}", self.offset);
        Err(Error::invalid("offset", reason))
    }
}
