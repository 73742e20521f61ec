//! The builder of mappings.

use std::io::{Error, ErrorKind, Result};

use crate::request::{Access, AnonymousRequest, FileRequest, slice_len};
use crate::sys::{self, Mapped};
use crate::{MapIfSafeError, Mmap, MmapAsRawDesc, MmapMut, MmapRaw};

/// The part of a file to map, or the size of memory without a file, and the way to map it.
///
/// # Safety
///
/// The functions that map a file are `unsafe`, because others can change its bytes, or cut them off, while there are
/// references to them, which is undefined behaviour. The caller promises that this does not happen. What helps depends
/// on the system: permissions, locks, or files that nobody else can find, because they were deleted.
///
/// # Errors
///
/// All functions that map a file return the error of the system: `PermissionDenied` if the file was not opened for the
/// access; no kind of its own, such as `ENODEV`, if the file cannot be mapped, like a pipe or a folder; `OutOfMemory`;
/// and `Unsupported` on systems without mappings. They return `InvalidData` if the length was not set and the offset is
/// past the end of the file, or if a mapping would be longer than `isize::MAX` bytes.
#[derive(Clone, Debug, Default)]
pub struct MmapOptions {
    offset: u64,
    len: Option<usize>,
    huge: Option<u8>,
    stack: bool,
    populate: bool,
    no_reserve_swap: bool,
    no_probe_handle: bool,
}

impl MmapOptions {
    /// Returns options that map a file from its start to its end.
    ///
    /// ```
    /// use memmap2::MmapOptions;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let mut memory = MmapOptions::new().len(5).map_anon()?;
    /// memory.copy_from_slice(b"pears");
    /// # Ok(())
    /// # }
    /// ```
    pub fn new() -> MmapOptions {
        Self::default()
    }

    /// Sets the offset in the file at which the mapping starts, in bytes. It need not be a multiple of anything, and
    /// has no effect on memory without a file.
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
    /// let pears = unsafe { MmapOptions::new().offset(11).map(&File::open(&path)?)? };
    /// assert_eq!(&pears[..], b"pears");
    /// # Ok(())
    /// # }
    /// ```
    pub fn offset(&mut self, offset: u64) -> &mut Self {
        self.offset = offset;
        self
    }

    /// Sets the length of the mapping in bytes. The default is up to the end of the file, and 0 for memory without a
    /// file.
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
    /// let apples = unsafe { MmapOptions::new().len(6).map(&File::open(&path)?)? };
    /// assert_eq!(&apples[..], b"apples");
    /// # Ok(())
    /// # }
    /// ```
    pub fn len(&mut self, len: usize) -> &mut Self {
        self.len = Some(len);
        self
    }

    /// Makes memory without a file suitable for a stack: `MAP_STACK` on Linux, Android and FreeBSD.
    ///
    /// ```
    /// use memmap2::MmapOptions;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let stack = MmapOptions::new().stack().len(64 << 10).map_anon()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn stack(&mut self) -> &mut Self {
        self.stack = true;
        self
    }

    /// Uses huge pages for memory without a file: `MAP_HUGETLB` on Linux and Android.
    ///
    /// `page_bits` is the logarithm of their size, such as 21 for 2 MiB. Without it, the system chooses. The length
    /// should be a multiple of the size. Mapping fails if there are no huge pages left.
    ///
    /// ```
    /// use memmap2::MmapOptions;
    ///
    /// // Many systems have no huge pages in reserve.
    /// let memory = MmapOptions::new().huge(Some(21)).len(2 << 20).map_anon();
    /// # let _ = memory;
    /// ```
    pub fn huge(&mut self, page_bits: Option<u8>) -> &mut Self {
        self.huge = Some(page_bits.unwrap_or_default());
        self
    }

    /// Reads all pages when they are mapped, so that later accesses need not wait: `MAP_POPULATE` on Linux and Android.
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
    /// let fruits = unsafe { MmapOptions::new().populate().map(&File::open(&path)?)? };
    /// assert_eq!(fruits.len(), 16);
    /// # Ok(())
    /// # }
    /// ```
    pub fn populate(&mut self) -> &mut Self {
        self.populate = true;
        self
    }

    /// Reserves no swap space for pages that may be written: `MAP_NORESERVE` on Linux, Android, Apple's systems,
    /// NetBSD, Solaris and illumos. For large mappings of which little is written. A write may end the process if
    /// memory is exhausted.
    ///
    /// ```
    /// use memmap2::MmapOptions;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let mut table = MmapOptions::new().no_reserve_swap().len(1 << 20).map_anon()?;
    /// table[123_456] = 1;
    /// # Ok(())
    /// # }
    /// ```
    pub fn no_reserve_swap(&mut self) -> &mut Self {
        self.no_reserve_swap = true;
        self
    }

    /// Asks Windows for the required access only. By default, a mapping there is made with all access that the file's
    /// handle allows, so that it can be made writable or executable later. Other systems do not need this.
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
    /// let fruits = unsafe { MmapOptions::new().no_probe_handle().map(&File::open(&path)?)? };
    /// assert_eq!(&fruits[..6], b"apples");
    /// # Ok(())
    /// # }
    /// ```
    pub fn no_probe_handle(&mut self) -> &mut Self {
        self.no_probe_handle = true;
        self
    }

    /// Maps a file for reading.
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
    /// use memmap2::MmapOptions;
    /// use std::fs::File;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("fruits");
    /// std::fs::write(&path, "apples and pears")?;
    /// // SAFETY: nobody changes the file meanwhile.
    /// let fruits = unsafe { MmapOptions::new().map(&File::open(&path)?)? };
    /// assert_eq!(&fruits[..], &std::fs::read(&path)?);
    /// # Ok(())
    /// # }
    /// ```
    pub unsafe fn map<T: MmapAsRawDesc>(&self, file: T) -> Result<Mmap> {
        self.map_file(&file, Access::Read).map(Mmap::new)
    }

    /// Maps a file for reading and executing.
    ///
    /// # Safety
    ///
    /// That of [all functions](MmapOptions#safety) that map a file.
    ///
    /// # Errors
    ///
    /// Those of [all functions](MmapOptions#errors) that map a file.
    pub unsafe fn map_exec<T: MmapAsRawDesc>(&self, file: T) -> Result<Mmap> {
        self.map_file(&file, Access::Execute).map(Mmap::new)
    }

    /// Maps a file for reading and writing. Writes reach the file.
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
    /// use memmap2::MmapOptions;
    /// use std::fs::OpenOptions;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("fruits");
    /// std::fs::write(&path, "apples and pears")?;
    /// let file = OpenOptions::new().read(true).write(true).open(&path)?;
    /// // SAFETY: nobody else changes the file meanwhile.
    /// let mut fruits = unsafe { MmapOptions::new().map_mut(&file)? };
    /// fruits[11..].copy_from_slice(b"plums");
    /// fruits.flush()?;
    /// assert_eq!(std::fs::read(&path)?, b"apples and plums");
    /// # Ok(())
    /// # }
    /// ```
    pub unsafe fn map_mut<T: MmapAsRawDesc>(&self, file: T) -> Result<MmapMut> {
        self.map_file(&file, Access::Write).map(MmapMut::new)
    }

    /// Maps a file for reading, with private pages where the mapping is written. Writes never reach the file, and
    /// nobody else sees them. The file need not be writable.
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
    /// use memmap2::MmapOptions;
    /// use std::fs::File;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("fruits");
    /// std::fs::write(&path, "apples and pears")?;
    /// // SAFETY: nobody changes the file meanwhile.
    /// let mut fruits = unsafe { MmapOptions::new().map_copy(&File::open(&path)?)? };
    /// fruits[..6].copy_from_slice(b"quince");
    /// assert_eq!(std::fs::read(&path)?, b"apples and pears");
    /// # Ok(())
    /// # }
    /// ```
    pub unsafe fn map_copy<T: MmapAsRawDesc>(&self, file: T) -> Result<MmapMut> {
        self.map_file(&file, Access::Copy).map(MmapMut::new)
    }

    /// Maps a file as [`map_copy`](Self::map_copy) does, for reading at first. [`Mmap::make_mut`] makes the private
    /// pages writable.
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
    /// use memmap2::MmapOptions;
    /// use std::fs::File;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("fruits");
    /// std::fs::write(&path, "apples and pears")?;
    /// // SAFETY: nobody changes the file meanwhile.
    /// let fruits = unsafe { MmapOptions::new().map_copy_read_only(&File::open(&path)?)? };
    /// let mut fruits = fruits.make_mut()?;
    /// fruits[0] = b'A';
    /// assert_eq!(std::fs::read(&path)?, b"apples and pears");
    /// # Ok(())
    /// # }
    /// ```
    pub unsafe fn map_copy_read_only<T: MmapAsRawDesc>(&self, file: T) -> Result<Mmap> {
        self.map_file(&file, Access::CopyReadOnly).map(Mmap::new)
    }

    /// Maps a file for reading, if it is known that nobody can change or shorten it: a memfd with the seals
    /// `F_SEAL_SHRINK` and `F_SEAL_WRITE` on Linux, Android and FreeBSD, or a file with fs-verity on Linux and Android.
    /// The mapping must be within the file.
    ///
    /// # Errors
    ///
    /// [`MapIfSafeError`] tells a file that may change from a failure, and from a system without such files.
    pub fn map_if_safe<T: MmapAsRawDesc>(&self, file: T) -> std::result::Result<Mmap, MapIfSafeError> {
        let request = self.request(&file).map_err(MapIfSafeError::failed)?;
        sys::check_immutable(&file.as_raw_desc(), &request)?;
        let mapped = Mapped::file(&file.as_raw_desc(), Access::Read, &request);
        mapped.map(Mmap::new).map_err(MapIfSafeError::failed)
    }

    /// Makes memory without a file, which starts as zeros. Its length is that of [`len`](Self::len).
    ///
    /// # Errors
    ///
    /// Those of the system; `InvalidData` for more than `isize::MAX` bytes; `Unsupported` on systems without mappings.
    pub fn map_anon(&self) -> Result<MmapMut> {
        let len = slice_len(self.len.unwrap_or_default() as u64)?;
        let (stack, populate, huge, no_reserve_swap) = (self.stack, self.populate, self.huge, self.no_reserve_swap);
        Mapped::anonymous(&AnonymousRequest { len, stack, populate, huge, no_reserve_swap }).map(MmapMut::new)
    }

    /// Maps a file for reading and writing, without references to its bytes.
    ///
    /// # Errors
    ///
    /// Those of [all functions](MmapOptions#errors) that map a file.
    pub fn map_raw<T: MmapAsRawDesc>(&self, file: T) -> Result<MmapRaw> {
        self.map_file(&file, Access::Write).map(MmapRaw::new)
    }

    /// Maps a file for reading, without references to its bytes, which others may change.
    ///
    /// # Errors
    ///
    /// Those of [all functions](MmapOptions#errors) that map a file.
    pub fn map_raw_read_only<T: MmapAsRawDesc>(&self, file: T) -> Result<MmapRaw> {
        self.map_file(&file, Access::Read).map(MmapRaw::new)
    }

    fn map_file<T: MmapAsRawDesc>(&self, file: &T, access: Access) -> Result<Mapped> {
        Mapped::file(&file.as_raw_desc(), access, &self.request(file)?)
    }

    fn request<T: MmapAsRawDesc>(&self, file: &T) -> Result<FileRequest> {
        let len = match self.len {
            Some(len) => len as u64,
            None => sys::file_len(&file.as_raw_desc())?
                .checked_sub(self.offset)
                .ok_or_else(|| Error::new(ErrorKind::InvalidData, "memory map offset is larger than length"))?,
        };
        let (populate, no_reserve_swap, no_probe_handle) = (self.populate, self.no_reserve_swap, self.no_probe_handle);
        let len = slice_len(len).map_err(sys::explain_too_large)?;
        Ok(FileRequest { offset: self.offset, len, populate, no_reserve_swap, no_probe_handle })
    }
}
