//! The one error type: a case for each thing that a caller can act on.

use std::borrow::Cow;
use std::fmt;
use std::io;

/// What this project's operations answer.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An argument that was refused: its name, and why, for a person to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// The argument's name, as the WIT interface spells it.
    pub name: Cow<'static, str>,
    /// Why it was refused.
    pub reason: Cow<'static, str>,
}

impl Argument {
    /// Names an argument and the reason why it was refused.
    pub fn new(name: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), reason: reason.into() }
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.reason)
    }
}

/// The kind of system that the number in an [`OsError`] belongs to.
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
    /// Any other.
    Other,
}

impl System {
    /// The system that this code was compiled for.
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
/// It keeps the number together with the system that the number belongs to: a plugin may read an error that its host
/// met on another system.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct OsError {
    /// Whose numbers `code` uses.
    pub system: System,
    /// The number: `errno`, or on Windows `GetLastError()`; 0 if the system gave none.
    pub code: i32,
    /// What the system says of it.
    pub message: String,
}

/// Why an operation was refused or failed. A refused operation has changed nothing.
///
/// The cases are those of `error` in the WIT interface, and convert to [`io::Error`] and back without loss.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The mapping was closed.
    #[error("the mapping is closed")]
    Closed,
    /// The mapping was made for reading.
    #[error("the mapping is read-only")]
    ReadOnly,
    /// An offset, length, index or count reaches outside the mapping.
    #[error("{0}")]
    OutOfRange(Argument),
    /// An argument that no mapping could take.
    #[error("{0}")]
    Invalid(Argument),
    /// The file is empty, and an empty mapping cannot be.
    #[error("an empty file cannot be mapped")]
    EmptyFile,
    /// A new mapping would reach past the end of its file.
    #[error("{0}")]
    BeyondEndOfFile(Argument),
    /// The descriptor, the system or the host does not allow it.
    #[error("not permitted: {0}")]
    NotPermitted(Cow<'static, str>),
    /// The mapping's memory is in use elsewhere: a window is attached to it.
    #[error("the mapping is in use by an attached window")]
    Busy,
    /// The file was made shorter while it was mapped, and the bytes are gone.
    #[error("the file was truncated under the mapping")]
    Truncated,
    /// A limit that the host set would be exceeded.
    #[error("limit exceeded: {0}")]
    LimitExceeded(Cow<'static, str>),
    /// This system or this implementation cannot do it.
    #[error("not supported: {0}")]
    Unsupported(Cow<'static, str>),
    /// The system has no memory or no address space left for it.
    #[error("out of memory or address space")]
    OutOfMemory,
    /// The storage device or the quota is full.
    #[error("no space left on the storage device")]
    NoSpace,
    /// The system failed in another way.
    #[error(transparent)]
    Io(#[from] OsError),
}

impl Error {
    /// [`Error::OutOfRange`] for one argument.
    pub fn out_of_range(name: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::OutOfRange(Argument::new(name, reason))
    }

    /// [`Error::Invalid`] for one argument.
    pub fn invalid(name: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(Argument::new(name, reason))
    }

    /// [`Error::BeyondEndOfFile`] for one argument.
    pub fn beyond_end_of_file(name: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::BeyondEndOfFile(Argument::new(name, reason))
    }

    /// The case's name, as the WIT interface spells it: `out-of-range`, `read-only`, …
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

    /// The argument that was refused, where one was.
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

/// Keeps the [`Error`] inside, where `get_ref` and the conversion back find it.
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

/// Takes an [`Error`] that is inside back out; sorts any other error into the case that fits.
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
    /// What this system says of one of its own numbers.
    fn of_code(code: i32) -> Self {
        Self { system: System::CURRENT, code, message: io::Error::from_raw_os_error(code).to_string() }
    }
}
