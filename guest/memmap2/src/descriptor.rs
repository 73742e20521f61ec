//! What names an open file in the functions that map it.

#[cfg(not(any(unix, windows, target_os = "wasi")))]
use std::fs::File;
#[cfg(target_os = "wasi")]
use std::marker::PhantomData;
#[cfg(any(unix, target_os = "wasi"))]
use std::os::fd::{AsRawFd, RawFd};
#[cfg(windows)]
use std::os::windows::io::{AsRawHandle, RawHandle};

/// The system's name of an open file.
#[cfg(unix)]
pub struct MmapRawDescriptor(pub(crate) RawFd);

/// The system's name of an open file.
#[cfg(windows)]
pub struct MmapRawDescriptor(pub(crate) RawHandle);

/// The system's name of an open file. It has a lifetime here, as the memmap2 of the registry has on WASI.
#[cfg(target_os = "wasi")]
pub struct MmapRawDescriptor<'a>(pub(crate) RawFd, PhantomData<&'a ()>);

/// An open file.
#[cfg(not(any(unix, windows, target_os = "wasi")))]
pub struct MmapRawDescriptor<'a>(pub(crate) &'a File);

/// A type that names an open file: a reference to a `File` or something like it, or the system's own number.
pub trait MmapAsRawDesc {
    /// Returns the system's name of the file.
    #[cfg(any(unix, windows))]
    fn as_raw_desc(&self) -> MmapRawDescriptor;

    /// Returns the system's name of the file.
    #[cfg(not(any(unix, windows)))]
    fn as_raw_desc(&self) -> MmapRawDescriptor<'_>;
}

#[cfg(unix)]
impl MmapAsRawDesc for RawFd {
    fn as_raw_desc(&self) -> MmapRawDescriptor {
        MmapRawDescriptor(*self)
    }
}

#[cfg(unix)]
impl<T> MmapAsRawDesc for &T
where
    T: AsRawFd,
{
    fn as_raw_desc(&self) -> MmapRawDescriptor {
        MmapRawDescriptor(self.as_raw_fd())
    }
}

#[cfg(windows)]
impl MmapAsRawDesc for RawHandle {
    fn as_raw_desc(&self) -> MmapRawDescriptor {
        MmapRawDescriptor(*self)
    }
}

#[cfg(windows)]
impl<T> MmapAsRawDesc for &T
where
    T: AsRawHandle,
{
    fn as_raw_desc(&self) -> MmapRawDescriptor {
        MmapRawDescriptor(self.as_raw_handle())
    }
}

#[cfg(target_os = "wasi")]
impl MmapAsRawDesc for RawFd {
    fn as_raw_desc(&self) -> MmapRawDescriptor<'_> {
        MmapRawDescriptor(*self, PhantomData)
    }
}

#[cfg(target_os = "wasi")]
impl<T> MmapAsRawDesc for &T
where
    T: AsRawFd,
{
    fn as_raw_desc(&self) -> MmapRawDescriptor<'_> {
        MmapRawDescriptor(self.as_raw_fd(), PhantomData)
    }
}

#[cfg(not(any(unix, windows, target_os = "wasi")))]
impl MmapAsRawDesc for &File {
    fn as_raw_desc(&self) -> MmapRawDescriptor<'_> {
        MmapRawDescriptor(self)
    }
}
