//! The error type, with a case for each failure that a caller can act on.

use std::borrow::Cow;
use std::fmt;
use std::io;

/// The result of an operation on a mapping.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An argument that was refused, and the reason.
///
/// # Example
///
/// ```
/// use wasi_mmap::{Error, Mapping};
///
/// let mapping = Mapping::anonymous(5)?;
/// let Err(Error::OutOfRange(argument)) = mapping.get(7) else { panic!("it was not refused") };
/// assert_eq!(argument.to_string(), "index: 7 is outside a mapping of 5 bytes");
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// The name of the argument, as the WIT interface spells it.
    pub name: Cow<'static, str>,
    /// The reason, in words for a person to read.
    pub reason: Cow<'static, str>,
}

impl Argument {
    /// Makes an argument from its name and the reason.
    ///
    /// # Example
    ///
    /// ```
    /// let argument = wasi_mmap_core::Argument::new("step", "a slice step cannot be 0");
    /// assert_eq!(argument.to_string(), "step: a slice step cannot be 0");
    /// ```
    pub fn new(name: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), reason: reason.into() }
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.reason)
    }
}

/// The operating system that defines the number in an [`OsError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum System {
    /// Linux `errno`.
    Linux,
    /// macOS `errno`.
    MacOs,
    /// FreeBSD `errno`.
    FreeBsd,
    /// Windows `GetLastError()`.
    Windows,
    /// WASI `errno`, as in preview 1 and wasi-libc.
    Wasi,
    /// Any other system.
    Other,
}

impl System {
    /// The system that this crate was compiled for.
    pub const CURRENT: Self = if cfg!(any(target_os = "linux", target_os = "android")) {
        Self::Linux
    } else if cfg!(target_os = "macos") {
        Self::MacOs
    } else if cfg!(target_os = "freebsd") {
        Self::FreeBsd
    } else if cfg!(windows) {
        Self::Windows
    } else if cfg!(target_os = "wasi") {
        Self::Wasi
    } else {
        Self::Other
    };
}

/// An error of the operating system that has no case of its own in [`Error`].
///
/// The number is kept together with the system that defines it, because a plugin receives errors of its host's system.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct OsError {
    /// The system that defines `code`.
    pub system: System,
    /// The number: `errno`, or on Windows `GetLastError()`. 0 if there is none.
    pub code: i32,
    /// The system's text for the error.
    pub message: String,
}

/// The reason why an operation was refused or failed. A refused operation has changed nothing.
///
/// The cases are those of `error` in the WIT interface. They convert to [`io::Error`] and back without loss.
///
/// # Example
///
/// ```
/// use std::io;
/// use wasi_mmap::{Error, Mapping};
///
/// let mut mapping = Mapping::anonymous(5)?;
/// let error = mapping.write(b"too long").unwrap_err();
/// assert_eq!(error.name(), "out-of-range");
/// assert_eq!(io::Error::from(error).kind(), io::ErrorKind::InvalidInput);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The mapping was closed.
    #[error("the mapping is closed")]
    Closed,
    /// A write to a mapping that was made for reading.
    #[error("the mapping is read-only")]
    ReadOnly,
    /// An offset, length, index or count reaches outside the mapping.
    #[error("{0}")]
    OutOfRange(Argument),
    /// An argument that no mapping accepts.
    #[error("{0}")]
    Invalid(Argument),
    /// The file is empty. Empty mappings are not allowed.
    #[error("an empty file cannot be mapped")]
    EmptyFile,
    /// A new mapping that would reach past the end of its file; or, in a mapping that
    /// [may](crate::MappingOptions::beyond_end), a write past the end.
    #[error("{0}")]
    BeyondEndOfFile(Argument),
    /// The descriptor, the system or the host does not permit the operation.
    #[error("not permitted: {0}")]
    NotPermitted(Cow<'static, str>),
    /// The mapping is in use by a window.
    #[error("the mapping is in use by an attached window")]
    Busy,
    /// The file was truncated while it was mapped, and the bytes no longer exist.
    #[error("the file was truncated under the mapping")]
    Truncated,
    /// The operation would exceed a limit that the host has set.
    #[error("limit exceeded: {0}")]
    LimitExceeded(Cow<'static, str>),
    /// The system or the backend does not support the operation.
    #[error("not supported: {0}")]
    Unsupported(Cow<'static, str>),
    /// The system has too little memory or address space left.
    #[error("out of memory or address space")]
    OutOfMemory,
    /// The storage device is full, or a quota is exhausted.
    #[error("no space left on the storage device")]
    NoSpace,
    /// Any other error of the system.
    #[error(transparent)]
    Io(#[from] OsError),
}

impl Error {
    /// Makes an [`Error::OutOfRange`] from the name of an argument and the reason.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_core::Error;
    ///
    /// assert_eq!(Error::out_of_range("index", "5 is too large").to_string(), "index: 5 is too large");
    /// ```
    pub fn out_of_range(name: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::OutOfRange(Argument::new(name, reason))
    }

    /// Makes an [`Error::Invalid`] from the name of an argument and the reason.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_core::Error;
    ///
    /// assert_eq!(Error::invalid("step", "a slice step cannot be 0").name(), "invalid");
    /// ```
    pub fn invalid(name: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(Argument::new(name, reason))
    }

    /// Makes an [`Error::BeyondEndOfFile`] from the name of an argument and the reason.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_core::Error;
    ///
    /// assert_eq!(Error::beyond_end_of_file("length", "the file has 3 bytes").name(), "beyond-end-of-file");
    /// ```
    pub fn beyond_end_of_file(name: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::BeyondEndOfFile(Argument::new(name, reason))
    }

    /// Returns the name of the case, as the WIT interface spells it: `out-of-range`, `read-only`, …
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::{Error, Mapping};
    ///
    /// let mapping = Mapping::anonymous(5)?;
    /// assert_eq!(mapping.get(7).unwrap_err().name(), "out-of-range");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn name(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::ReadOnly => "read-only",
            Self::OutOfRange(_) => "out-of-range",
            Self::Invalid(_) => "invalid",
            Self::EmptyFile => "empty-file",
            Self::BeyondEndOfFile(_) => "beyond-end-of-file",
            Self::NotPermitted(_) => "not-permitted",
            Self::Busy => "busy",
            Self::Truncated => "truncated",
            Self::LimitExceeded(_) => "limit-exceeded",
            Self::Unsupported(_) => "unsupported",
            Self::OutOfMemory => "out-of-memory",
            Self::NoSpace => "no-space",
            Self::Io(_) => "io",
        }
    }

    /// Returns the argument that was refused, for the errors that have one: [`OutOfRange`](Self::OutOfRange),
    /// [`Invalid`](Self::Invalid), [`BeyondEndOfFile`](Self::BeyondEndOfFile).
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::{Error, Mapping};
    ///
    /// let mapping = Mapping::anonymous(5)?;
    /// let error = mapping.get(7).unwrap_err();
    /// assert_eq!(error.argument().map(|argument| &*argument.name), Some("index"));
    /// assert!(Error::Closed.argument().is_none());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn argument(&self) -> Option<&Argument> {
        match self {
            Self::OutOfRange(argument) | Self::Invalid(argument) | Self::BeyondEndOfFile(argument) => Some(argument),
            _ => None,
        }
    }

    fn io_kind(&self) -> io::ErrorKind {
        match self {
            Self::Closed => io::ErrorKind::NotConnected,
            Self::ReadOnly | Self::NotPermitted(_) => io::ErrorKind::PermissionDenied,
            Self::OutOfRange(_) | Self::Invalid(_) | Self::EmptyFile | Self::BeyondEndOfFile(_) => {
                io::ErrorKind::InvalidInput
            }
            Self::Busy => io::ErrorKind::ResourceBusy,
            Self::Truncated => io::ErrorKind::UnexpectedEof,
            Self::LimitExceeded(_) => io::ErrorKind::QuotaExceeded,
            Self::Unsupported(_) => io::ErrorKind::Unsupported,
            Self::OutOfMemory => io::ErrorKind::OutOfMemory,
            Self::NoSpace => io::ErrorKind::StorageFull,
            Self::Io(error) if error.system == System::CURRENT => io::Error::from_raw_os_error(error.code).kind(),
            Self::Io(_) => io::ErrorKind::Other,
        }
    }
}

/// Wraps the [`Error`], so that [`io::Error::get_ref`] and the conversion back return it.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(os) if os.system == System::CURRENT && os.code != 0 && os == OsError::of_code(os.code) => {
                io::Error::from_raw_os_error(os.code)
            }
            error => io::Error::new(error.io_kind(), error),
        }
    }
}

/// Returns the wrapped [`Error`], or the case that fits an error of another origin.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        let error = match error.downcast::<Error>() {
            Ok(inside) => return inside,
            Err(error) => error,
        };
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::NotPermitted(error.to_string().into())
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            io::ErrorKind::OutOfMemory => Self::OutOfMemory,
            io::ErrorKind::Unsupported => Self::Unsupported(error.to_string().into()),
            _ => Self::Io(OsError {
                system: System::CURRENT,
                code: error.raw_os_error().unwrap_or(0),
                message: error.to_string(),
            }),
        }
    }
}

impl OsError {
    /// Returns the error for a number of this system, with the system's text.
    fn of_code(code: i32) -> Self {
        Self { system: System::CURRENT, code, message: io::Error::from_raw_os_error(code).to_string() }
    }
}
