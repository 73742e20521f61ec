//! What a new mapping is asked to be, and the rules that decide whether it can be.

use std::borrow::Cow;

use crate::{Error, Result};

/// What a mapping may do with its bytes, and where a write goes.
///
/// Python: `ACCESS_READ` (1), `ACCESS_WRITE` (2, and `ACCESS_DEFAULT`, 0), `ACCESS_COPY` (3). Each stands for a protection and a
/// sharing of POSIX `mmap(2)`, whose numbers are the same everywhere: `PROT_READ` is 1, `PROT_WRITE` 2, `MAP_SHARED` 1,
/// `MAP_PRIVATE` 2. There is none with `PROT_EXEC`: a mapping never holds code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Access {
    /// Bytes can be read; a write is refused. POSIX `PROT_READ`, `MAP_SHARED`.
    Read,
    /// Bytes can be read and written, and writes reach the file. The default, as in Python.
    /// POSIX `PROT_READ | PROT_WRITE`, `MAP_SHARED`.
    #[default]
    Write,
    /// Bytes can be read and written; writes stay in this mapping and never reach the file.
    /// POSIX `PROT_READ | PROT_WRITE`, `MAP_PRIVATE`.
    Copy,
}

impl Access {
    /// Whether the mapping takes writes at all.
    pub fn is_writable(self) -> bool {
        self != Self::Read
    }
}

bitflags::bitflags! {
    /// Further wishes for a new mapping: Linux `mmap(2)`, Python `mmap.MAP_*`.
    ///
    /// The bits are this crate's own; the numbers of Linux on x86-64 and ARM are listed beside each. `MAP_FIXED` has none:
    /// where a mapping lies is the system's affair.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct MapFlags: u32 {
        /// Keep writes in this mapping, as [`Access::Copy`] does, yet allow `resize` (which resizes the file), as Python
        /// does for `flags=MAP_PRIVATE`, 0x2.
        const PRIVATE = 1;
        /// Read the pages in at once (`MAP_POPULATE`, 0x8000). A hint.
        const POPULATE = 1 << 1;
        /// Reserve no swap space (`MAP_NORESERVE`, 0x4000). A hint.
        const NO_RESERVE = 1 << 2;
        /// The memory is meant for a stack (`MAP_STACK`, 0x20000). A hint.
        const STACK = 1 << 3;
        /// Take huge pages (`MAP_HUGETLB`, 0x40000); for anonymous memory, and only where the system has them.
        const HUGE_PAGES = 1 << 4;
    }
}

/// The longest name that memory can have, in bytes.
const LONGEST_NAME: usize = 100;

/// Refuses a name that memory cannot have.
///
/// # Errors
///
/// `invalid` (`name`), if it is empty or longer than 100 bytes.
pub fn check_name(name: &str) -> Result<()> {
    match name.len() {
        0 => Err(Error::invalid("name", "memory cannot have an empty name")),
        1..=LONGEST_NAME => Ok(()),
        len => Err(Error::invalid("name", format!("{len} bytes are more than {LONGEST_NAME}"))),
    }
}

/// What part of a file to map, and how. The default is what Python does when it is told nothing: the whole file, shared,
/// for reading and writing.
///
/// ```
/// use wasi_mmap_core::{Access, MapOptions};
/// let options = MapOptions::new().access(Access::Read).offset(65536).length(100);
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
    /// What an open file or a descriptor may do. POSIX `O_RDONLY`, `O_WRONLY`, `O_RDWR`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct Rights: u32 {
        /// Its bytes can be read.
        const READ = 1;
        /// Its bytes can be written.
        const WRITE = 2;
    }
}

/// What a supplier knows of a file before it maps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileInfo {
    /// What kind of file it is.
    pub kind: FileKind,
    /// How long it is, in bytes.
    pub len: u64,
    /// What its descriptor may do.
    pub rights: Rights,
    /// Whether a shared, writable mapping that reaches past the end makes the file longer, as on Windows.
    pub grows: bool,
}

/// The kinds of file that the rules tell apart. Only regular files can be mapped.
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
    /// Refuses what cannot be mapped.
    ///
    /// # Errors
    ///
    /// `unsupported` for all but regular files.
    pub fn check(self) -> Result<()> {
        Err(Error::Unsupported(Cow::Borrowed(match self {
            Self::Regular => return Ok(()),
            Self::Directory => "mapping a directory",
            Self::Pipe => "mapping a pipe",
            Self::Socket => "mapping a socket",
            Self::Device => "mapping a device",
            Self::Other => "mapping what is no regular file",
        })))
    }
}

/// The part of a file that a new mapping covers: never empty, aligned, and inside the file, unless the file
/// [grows](FileInfo::grows).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Where it starts in the file.
    pub offset: u64,
    /// How long it is; at least 1.
    pub len: u64,
}

impl Extent {
    /// Where it ends in the file.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.len)
    }
}

/// Whether a file can end where so many bytes from an offset end.
fn is_file_end(offset: u64, length: u64) -> bool {
    offset.checked_add(length).is_some_and(|end| i64::try_from(end).is_ok())
}

impl MapOptions {
    /// The whole file, shared, for reading and writing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts the mapping at this offset in the file, in bytes: a multiple of the allocation granularity.
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// Maps this many bytes. 0, like no length at all, means to the end of the file. On Windows, a writable, shared mapping may
    /// reach past the end, and makes the file longer.
    pub fn length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// Sets what the mapping may do.
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Sets further wishes.
    pub fn flags(mut self, flags: MapFlags) -> Self {
        self.flags = flags;
        self
    }

    /// Returns the length asked for, or `None` for the rest of the file.
    pub fn requested_length(&self) -> Option<u64> {
        self.length.filter(|&length| length != 0)
    }

    /// Whether writes are to stay in the mapping.
    pub fn is_private(&self) -> bool {
        self.access == Access::Copy || self.flags.contains(MapFlags::PRIVATE)
    }

    /// What the file must be open for.
    pub fn rights(&self) -> Rights {
        if self.access == Access::Write && !self.is_private() { Rights::all() } else { Rights::READ }
    }

    /// The part of a file that these options mean, checked in Python's order: the file's length, then what `mmap(2)`
    /// checks, alignment before permission. It ends behind the file's end only if the file [grows](FileInfo::grows).
    ///
    /// # Errors
    ///
    /// `unsupported` for anything but a regular file, and for huge pages; `empty-file`; `beyond-end-of-file` (`offset`,
    /// `length`); `invalid` (`offset`); `not-permitted`.
    pub fn extent_of_file(&self, file: &FileInfo, granularity: u64) -> Result<Extent> {
        file.kind.check()?;
        let offset = self.offset;
        let len = match self.requested_length() {
            None if file.len == 0 => return Err(Error::EmptyFile),
            None if offset >= file.len => {
                let reason = format!("{offset} is not before the end of the file, {}", file.len);
                return Err(Error::beyond_end_of_file("offset", reason));
            }
            None => file.len - offset,
            Some(length) => match file.len.checked_sub(offset) {
                Some(rest) if rest >= length => length,
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
        Ok(Extent { offset, len })
    }

    /// The extent of anonymous or named memory that these options mean.
    ///
    /// # Errors
    ///
    /// `invalid` (`offset`, and `length` when it is absent or 0); `out-of-memory` for more than 2^63 - 1 bytes.
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

    /// The extent of named memory that these options mean; `existing` is how long the memory is, if it exists.
    ///
    /// # Errors
    ///
    /// As [`extent_of_memory`](Self::extent_of_memory) for new memory; `beyond-end-of-file` (`length`) where the memory is
    /// shorter; `invalid` (`offset`).
    pub fn extent_of_named(&self, existing: Option<u64>, granularity: u64) -> Result<Extent> {
        let Some(len) = existing else { return self.extent_of_memory(granularity) };
        self.check_alignment(granularity)?;
        match self.requested_length() {
            Some(length) if length > len => Err(Error::beyond_end_of_file(
                "length",
                format!("{length} is more than the memory of that name has, {len}"),
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
