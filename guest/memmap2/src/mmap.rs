//! Mappings for reading.

use std::fmt;
use std::io::Result;
use std::ops::Deref;
use std::slice;

#[cfg(target_os = "linux")]
use crate::RemapOptions;
use crate::sys::Mapped;
#[cfg(any(unix, target_os = "wasi"))]
use crate::{Advice, UncheckedAdvice};
use crate::{MapIfSafeError, MmapAsRawDesc, MmapMut, MmapOptions};

/// A mapping for reading: a slice of the bytes of a file, or of memory without a file.
///
/// The mapping does not depend on the `File` that it was made from, and stays when that is closed, or when the file is
/// renamed or deleted. It ends when it is dropped. Accesses may have to wait for the storage device.
///
/// [`MmapMut::make_read_only`] makes one of memory without a file.
///
/// # Safety
///
/// The functions that map a file are `unsafe`; see [`MmapOptions`](MmapOptions#safety).
///
/// ```
/// use memmap2::MmapOptions;
/// use std::fs::File;
///
/// # fn main() -> std::io::Result<()> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("fruits");
/// std::fs::write(&path, "apples and pears")?;
/// // SAFETY: nobody changes the file meanwhile.
/// let fruits = unsafe { MmapOptions::new().map(&File::open(&path)?)? };
/// assert_eq!(fruits.iter().filter(|byte| **byte == b' ').count(), 2);
/// # Ok(())
/// # }
/// ```
pub struct Mmap {
    pub(crate) mapped: Mapped,
}

impl Mmap {
    pub(crate) fn new(mapped: Mapped) -> Self {
        Self { mapped }
    }

    /// Maps a whole file for reading, as `MmapOptions::new().map(file)` does.
    ///
    /// # Safety
    ///
    /// That of [all functions](MmapOptions#safety) that map a file.
    ///
    /// # Errors
    ///
    /// Those of [all functions](MmapOptions#errors) that map a file.
    ///
    /// ```
    /// use memmap2::Mmap;
    /// use std::fs::File;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("fruits");
    /// std::fs::write(&path, "apples and pears")?;
    /// // SAFETY: nobody changes the file meanwhile.
    /// let fruits = unsafe { Mmap::map(&File::open(&path)?)? };
    /// assert!(fruits.starts_with(b"apples"));
    /// # Ok(())
    /// # }
    /// ```
    pub unsafe fn map<T: MmapAsRawDesc>(file: T) -> Result<Mmap> {
        // SAFETY: the caller's promise.
        unsafe { MmapOptions::new().map(file) }
    }

    /// Maps a whole file for reading, if it is known that nobody can change it: see [`MmapOptions::map_if_safe`].
    ///
    /// # Errors
    ///
    /// Those of [`MmapOptions::map_if_safe`].
    pub fn map_if_safe<T: MmapAsRawDesc>(file: T) -> std::result::Result<Mmap, MapIfSafeError> {
        MmapOptions::new().map_if_safe(file)
    }

    /// Makes the mapping writable. Writes reach the file, unless the mapping is a private copy.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` if the file was not opened for writing; others of the system. The mapping is dropped then.
    ///
    /// ```
    /// use memmap2::Mmap;
    /// use std::fs::OpenOptions;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("fruits");
    /// std::fs::write(&path, "apples and pears")?;
    /// let file = OpenOptions::new().read(true).write(true).open(&path)?;
    /// // SAFETY: nobody else changes the file meanwhile.
    /// let fruits = unsafe { Mmap::map(&file)? };
    /// let mut fruits = fruits.make_mut()?;
    /// fruits[0] = b'A';
    /// fruits.flush()?;
    /// assert_eq!(std::fs::read(&path)?, b"Apples and pears");
    /// # Ok(())
    /// # }
    /// ```
    pub fn make_mut(mut self) -> Result<MmapMut> {
        self.mapped.make_mut()?;
        Ok(MmapMut::new(self.mapped))
    }

    /// Tells the system how the mapping will be used. Only on Unix, and on WASI.
    ///
    /// # Errors
    ///
    /// Those of `madvise(2)`.
    #[cfg(any(unix, target_os = "wasi"))]
    pub fn advise(&self, advice: Advice) -> Result<()> {
        self.advise_range(advice, 0, self.len())
    }

    /// Gives advice that changes the bytes of the mapping. Only on Unix, and on WASI.
    ///
    /// # Safety
    ///
    /// Nobody uses a reference to the bytes that change; see [`UncheckedAdvice`].
    ///
    /// # Errors
    ///
    /// Those of `madvise(2)`.
    #[cfg(any(unix, target_os = "wasi"))]
    pub unsafe fn unchecked_advise(&self, advice: UncheckedAdvice) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { self.unchecked_advise_range(advice, 0, self.len()) }
    }

    /// Tells the system how a part of the mapping will be used. Only on Unix, and on WASI.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the range is not within the mapping; those of `madvise(2)`.
    #[cfg(any(unix, target_os = "wasi"))]
    pub fn advise_range(&self, advice: Advice, offset: usize, len: usize) -> Result<()> {
        // SAFETY: none of `Advice` changes bytes of the mapping.
        unsafe { self.mapped.advise(advice as i32, offset, len) }
    }

    /// Gives advice that changes the bytes of a part of the mapping. Only on Unix, and on WASI.
    ///
    /// # Safety
    ///
    /// Nobody uses a reference to the bytes that change; see [`UncheckedAdvice`].
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the range is not within the mapping; those of `madvise(2)`.
    #[cfg(any(unix, target_os = "wasi"))]
    pub unsafe fn unchecked_advise_range(&self, advice: UncheckedAdvice, offset: usize, len: usize) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { self.mapped.advise(advice as i32, offset, len) }
    }

    /// Keeps the mapping in memory, as `mlock(2)` does. Only on Unix, and on WASI.
    ///
    /// # Errors
    ///
    /// Those of `mlock(2)`; `Unsupported` on WASI.
    #[cfg(any(unix, target_os = "wasi"))]
    pub fn lock(&self) -> Result<()> {
        self.mapped.lock()
    }

    /// Undoes [`lock`](Self::lock), as `munlock(2)` does. Only on Unix, and on WASI.
    ///
    /// # Errors
    ///
    /// Those of `munlock(2)`; `Unsupported` on WASI.
    #[cfg(any(unix, target_os = "wasi"))]
    pub fn unlock(&self) -> Result<()> {
        self.mapped.unlock()
    }

    /// Makes the mapping `new_len` bytes long, as `mremap(2)` does. Only on Linux.
    ///
    /// # Safety
    ///
    /// Nobody accesses bytes past the end of the file, and nobody relies on the address if the mapping
    /// [may move](RemapOptions::may_move).
    ///
    /// # Errors
    ///
    /// Those of `mremap(2)`; `InvalidData` for more than `isize::MAX` bytes. The mapping is as before then.
    #[cfg(target_os = "linux")]
    pub unsafe fn remap(&mut self, new_len: usize, options: RemapOptions) -> Result<()> {
        self.mapped.remap(new_len, options)
    }
}

// SAFETY: the bytes are not in the value, and do not move with it.
#[cfg(feature = "stable_deref_trait")]
unsafe impl stable_deref_trait::StableDeref for Mmap {}

impl Deref for Mmap {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: the memory has `len` bytes until the mapping is dropped. Whoever mapped the file has promised that
        // nobody changes them.
        unsafe { slice::from_raw_parts(self.mapped.ptr(), self.mapped.len()) }
    }
}

impl AsRef<[u8]> for Mmap {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Mmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mmap").field("ptr", &self.as_ptr()).field("len", &self.len()).finish()
    }
}
