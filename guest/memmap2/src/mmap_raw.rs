//! Mappings without references to their bytes.

use std::fmt;
use std::io::Result;

#[cfg(target_os = "linux")]
use crate::RemapOptions;
use crate::sys::Mapped;
#[cfg(any(unix, target_os = "wasi"))]
use crate::{Advice, UncheckedAdvice};
use crate::{Mmap, MmapAsRawDesc, MmapMut, MmapOptions};

/// A mapping that hands out pointers to its bytes, and no references. It suits memory that is shared with programs
/// that write to it.
///
/// Making a reference from a pointer needs the promise of the functions that map a file, which is that of
/// [`MmapOptions`](MmapOptions#safety).
pub struct MmapRaw {
    mapped: Mapped,
}

impl MmapRaw {
    pub(crate) fn new(mapped: Mapped) -> Self {
        Self { mapped }
    }

    /// Maps a whole file for reading and writing, as `MmapOptions::new().map_raw(file)` does.
    ///
    /// # Errors
    ///
    /// Those of [all functions](MmapOptions#errors) that map a file.
    pub fn map_raw<T: MmapAsRawDesc>(file: T) -> Result<MmapRaw> {
        MmapOptions::new().map_raw(file)
    }

    /// Returns the address of the first byte.
    ///
    /// An access to bytes that the file no longer has is not undefined behaviour, but ends the process with SIGBUS or
    /// the like.
    #[inline]
    pub fn as_ptr(&self) -> *const u8 {
        self.mapped.ptr()
    }

    /// Returns the address of the first byte, for writing. What [`as_ptr`](Self::as_ptr) says holds here as well, and
    /// the mapping must have been made for writing.
    #[inline]
    pub fn as_mut_ptr(&self) -> *mut u8 {
        self.mapped.ptr()
    }

    /// Returns the length in bytes, as it was when the file was mapped.
    #[inline]
    #[allow(clippy::len_without_is_empty, reason = "memmap2 has no such function")]
    pub fn len(&self) -> usize {
        self.mapped.len()
    }

    /// Writes all changes to the file. When this returns without an error, they are safe from a crash of the system.
    /// The time of the last change may not be.
    ///
    /// # Errors
    ///
    /// Those of the system.
    ///
    /// ```
    /// use memmap2::MmapRaw;
    /// use std::fs::OpenOptions;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("fruits");
    /// std::fs::write(&path, "apples and pears")?;
    /// let file = OpenOptions::new().read(true).write(true).open(&path)?;
    /// let fruits = MmapRaw::map_raw(&file)?;
    /// // SAFETY: the mapping has 16 bytes, and was made for writing.
    /// unsafe { fruits.as_mut_ptr().write(b'A') };
    /// fruits.flush()?;
    /// assert_eq!(std::fs::read(&path)?, b"Apples and pears");
    /// # Ok(())
    /// # }
    /// ```
    pub fn flush(&self) -> Result<()> {
        self.mapped.flush(0, self.len())
    }

    /// Starts to write all changes to the file, and returns before they are safe from a crash of the system.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn flush_async(&self) -> Result<()> {
        self.mapped.flush_async(0, self.len())
    }

    /// Writes the changes in a range to the file, and maybe others, as [`flush`](Self::flush) does.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the range is not within the mapping; those of the system.
    pub fn flush_range(&self, offset: usize, len: usize) -> Result<()> {
        self.mapped.flush(offset, len)
    }

    /// Starts to write the changes in a range to the file, and maybe others, as [`flush_async`](Self::flush_async)
    /// does.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the range is not within the mapping; those of the system.
    pub fn flush_async_range(&self, offset: usize, len: usize) -> Result<()> {
        self.mapped.flush_async(offset, len)
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

impl fmt::Debug for MmapRaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MmapRaw").field("ptr", &self.as_ptr()).field("len", &self.len()).finish()
    }
}

impl From<Mmap> for MmapRaw {
    fn from(mmap: Mmap) -> Self {
        Self::new(mmap.mapped)
    }
}

impl From<MmapMut> for MmapRaw {
    fn from(mmap: MmapMut) -> Self {
        Self::new(mmap.mapped)
    }
}
