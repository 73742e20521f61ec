//! Mappings for reading and writing.

use std::fmt;
use std::io::Result;
use std::ops::{Deref, DerefMut};
use std::slice;

#[cfg(target_os = "linux")]
use crate::RemapOptions;
use crate::sys::Mapped;
#[cfg(any(unix, target_os = "wasi"))]
use crate::{Advice, UncheckedAdvice};
use crate::{Mmap, MmapAsRawDesc, MmapOptions};

/// A mapping for reading and writing: a slice of the bytes of a file, of private copies of them, or of memory without a
/// file.
///
/// The mapping does not depend on the `File` that it was made from, and stays when that is closed, or when the file is
/// renamed or deleted. It ends when it is dropped; changes of a file's bytes reach the file then at the latest, but
/// only [`flush`](Self::flush) tells whether they did, and makes them safe from a crash of the system.
///
/// # Safety
///
/// The functions that map a file are `unsafe`; see [`MmapOptions`](MmapOptions#safety).
pub struct MmapMut {
    pub(crate) mapped: Mapped,
}

impl MmapMut {
    pub(crate) fn new(mapped: Mapped) -> Self {
        Self { mapped }
    }

    /// Maps a whole file for reading and writing, as `MmapOptions::new().map_mut(file)` does.
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
    /// use memmap2::MmapMut;
    /// use std::fs::OpenOptions;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("new");
    /// let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    /// file.set_len(5)?;
    /// // SAFETY: nobody else changes the file meanwhile.
    /// let mut fruit = unsafe { MmapMut::map_mut(&file)? };
    /// fruit.copy_from_slice(b"peach");
    /// drop(fruit);
    /// assert_eq!(std::fs::read(&path)?, b"peach");
    /// # Ok(())
    /// # }
    /// ```
    pub unsafe fn map_mut<T: MmapAsRawDesc>(file: T) -> Result<MmapMut> {
        // SAFETY: the caller's promise.
        unsafe { MmapOptions::new().map_mut(file) }
    }

    /// Makes memory without a file, as `MmapOptions::new().len(length).map_anon()` does.
    ///
    /// # Errors
    ///
    /// Those of [`MmapOptions::map_anon`].
    pub fn map_anon(length: usize) -> Result<MmapMut> {
        MmapOptions::new().len(length).map_anon()
    }

    /// Writes all changes to the file. When this returns without an error, they are safe from a crash of the system.
    /// The time of the last change may not be.
    ///
    /// # Errors
    ///
    /// Those of the system.
    ///
    /// ```
    /// use memmap2::MmapMut;
    /// use std::fs::OpenOptions;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("fruits");
    /// std::fs::write(&path, "apples and pears")?;
    /// let file = OpenOptions::new().read(true).write(true).open(&path)?;
    /// // SAFETY: nobody else changes the file meanwhile.
    /// let mut fruits = unsafe { MmapMut::map_mut(&file)? };
    /// fruits.make_ascii_uppercase();
    /// fruits.flush()?;
    /// assert_eq!(std::fs::read(&path)?, b"APPLES AND PEARS");
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

    /// Makes the mapping a mapping for reading.
    ///
    /// # Errors
    ///
    /// Those of the system. The mapping is dropped then.
    ///
    /// ```
    /// use memmap2::{Mmap, MmapMut};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let mut memory = MmapMut::map_anon(5)?;
    /// memory.copy_from_slice(b"pears");
    /// let memory: Mmap = memory.make_read_only()?;
    /// assert_eq!(&memory[..], b"pears");
    /// # Ok(())
    /// # }
    /// ```
    pub fn make_read_only(mut self) -> Result<Mmap> {
        self.mapped.make_read_only()?;
        Ok(Mmap::new(self.mapped))
    }

    /// Makes the mapping a mapping for reading and executing.
    ///
    /// The caches of some processors, such as many of ARM, have to be told about new instructions by another call
    /// before they are executed.
    ///
    /// # Errors
    ///
    /// Those of the system, such as that the file was not opened for executing. The mapping is dropped then.
    pub fn make_exec(mut self) -> Result<Mmap> {
        self.mapped.make_exec()?;
        Ok(Mmap::new(self.mapped))
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
unsafe impl stable_deref_trait::StableDeref for MmapMut {}

impl Deref for MmapMut {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: the memory has `len` bytes until the mapping is dropped. Whoever mapped the file has promised that
        // nobody else changes them.
        unsafe { slice::from_raw_parts(self.mapped.ptr(), self.mapped.len()) }
    }
}

impl DerefMut for MmapMut {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`. The memory can be written: a `MmapMut` is only made of such mappings. This one is
        // borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.mapped.ptr(), self.mapped.len()) }
    }
}

impl AsRef<[u8]> for MmapMut {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl AsMut<[u8]> for MmapMut {
    #[inline]
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl fmt::Debug for MmapMut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MmapMut").field("ptr", &self.as_ptr()).field("len", &self.len()).finish()
    }
}
