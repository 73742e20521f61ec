//! Errors as the numbers that C programs know.

use std::io;

use wasi_mmap_core::{Error, System};

/// A value of `errno`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) i32);

pub(crate) type Result<T> = std::result::Result<T, Errno>;

pub(crate) const EACCES: Errno = Errno(libc::EACCES);
pub(crate) const EAGAIN: Errno = Errno(libc::EAGAIN);
pub(crate) const EBADF: Errno = Errno(libc::EBADF);
pub(crate) const EEXIST: Errno = Errno(libc::EEXIST);
pub(crate) const EFAULT: Errno = Errno(libc::EFAULT);
pub(crate) const EINVAL: Errno = Errno(libc::EINVAL);
pub(crate) const ENODEV: Errno = Errno(libc::ENODEV);
pub(crate) const ENOLCK: Errno = Errno(libc::ENOLCK);
pub(crate) const ENOMEM: Errno = Errno(libc::ENOMEM);
pub(crate) const ENOTSUP: Errno = Errno(libc::ENOTSUP);
pub(crate) const EOVERFLOW: Errno = Errno(libc::EOVERFLOW);
pub(crate) const EPERM: Errno = Errno(libc::EPERM);

impl Errno {
    /// Tells the program.
    pub(crate) fn set(self) {
        // SAFETY: the C library returns the address of this thread's `errno`.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY: as above.
        unsafe { errno.write(self.0) };
    }

    /// Returns what the last call of the C library said.
    pub(crate) fn last() -> Self {
        Self(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
    }
}

impl From<Error> for Errno {
    fn from(error: Error) -> Self {
        Self(match error {
            Error::Closed => libc::EBADF,
            Error::ReadOnly | Error::NotPermitted(_) => libc::EACCES,
            Error::OutOfRange(_) | Error::Invalid(_) => libc::EINVAL,
            Error::Busy => libc::EAGAIN,
            Error::Unsupported(_) => libc::ENODEV,
            Error::LimitExceeded(_) | Error::OutOfMemory => libc::ENOMEM,
            Error::NoSpace => libc::ENOSPC,
            Error::Io(os) if os.system == System::Wasi && os.code != 0 => os.code,
            // What the numbers of another system mean is not known here.
            _ => libc::EIO,
        })
    }
}

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(code) => Self(code),
            None => Error::from(error).into(),
        }
    }
}

/// Returns what C functions return: 0, or -1 and `errno`.
pub(crate) fn status(outcome: Result<()>) -> libc::c_int {
    match outcome {
        Ok(()) => 0,
        Err(errno) => {
            errno.set();
            -1
        }
    }
}
