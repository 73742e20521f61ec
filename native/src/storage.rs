//! The operating system's storage for `core`: pages, and the mapped file.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use wasi_mmap_core::{
    Access, Advice, Backend, Error, Extent, FlushFlags, MapOptions, Result, Rights, Storage, check_name, provided,
};

use crate::pages::MappedPages;
use crate::stability::Guarantee;
use crate::sys::{self, NameLock, OsMapping, SharedMemory};

/// A mapping of the operating system: see [`wasi_mmap_core::Mapping`] for its operations.
pub type Mapping = wasi_mmap_core::Mapping<OsStorage>;

/// The options of a new mapping of the operating system. See [`wasi_mmap_core::MappingOptions`].
pub type MappingOptions = wasi_mmap_core::MappingOptions<OsStorage>;

/// Keeps a name from being given to other memory, until it is dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "held to be dropped")]
pub(crate) enum NameGuard {
    /// A name in a [`Namespace`](crate::Namespace).
    Namespace(Arc<SharedMemory>),
    /// A name that processes share.
    System(NameLock),
}

/// Storage in memory that the operating system mapped.
#[derive(Debug)]
pub struct OsStorage {
    /// Shared with [`SharedPages`](crate::SharedPages). While they exist, nothing here can change the pages.
    pages: Arc<MappedPages>,
    offset: u64,
    /// Whether the caller knows of the mapped file; otherwise the file only holds memory.
    has_file: bool,
    file_is_writable: bool,
    /// Whether the mapping is private and was resized: bytes of a private page behind its end were cut off from the
    /// file.
    was_cut: bool,
    /// Keeps the memory's name, if it has one.
    name: Option<NameGuard>,
    /// The guarantee for stable windows, after one was asked for.
    pub(crate) guarantee: Option<Guarantee>,
    /// The stable windows of shared memory, which must not overlap.
    #[cfg(unix)]
    pub(crate) shared_windows: Vec<crate::window::Window>,
    /// Shared with each window, which keeps the mapping busy.
    pub(crate) window_token: Arc<()>,
}

impl OsStorage {
    pub(crate) fn pages(&self) -> &Arc<MappedPages> {
        &self.pages
    }

    /// Returns the pages for changes.
    pub(crate) fn pages_mut(&mut self) -> Result<&mut MappedPages> {
        Arc::get_mut(&mut self.pages).ok_or(Error::Busy)
    }

    /// Returns the offset in the file that the mapping starts at, in bytes; 0 for memory without a file.
    pub fn file_offset(&self) -> u64 {
        self.offset * u64::from(self.has_file)
    }

    /// Returns the mapped file, if the caller knows of one.
    pub(crate) fn visible_file(&self) -> Option<&File> {
        self.pages.file().filter(|_| self.has_file)
    }

    /// Returns whether the memory has a name, by which others may map it.
    pub(crate) fn is_named(&self) -> bool {
        self.name.is_some()
    }

    /// Returns whether all pages are contiguous in memory and those of the file, so that they can be lent: none is in a
    /// window, and the mapping was not made to [reach past the end](wasi_mmap_core::MapFlags::BEYOND_END) of its file.
    pub fn is_contiguous(&self) -> bool {
        self.pages.is_plain()
    }

    /// Returns whether the mapping was made to reach past the end of its file, if need be:
    /// [`MapFlags::BEYOND_END`](wasi_mmap_core::MapFlags::BEYOND_END).
    pub fn may_reach_beyond_end(&self) -> bool {
        self.pages.mapping.may_reach_beyond_end()
    }

    /// Returns the pages if they are contiguous.
    pub(crate) fn contiguous_pages(&self) -> Result<&Arc<MappedPages>> {
        if self.pages.is_contiguous() { Ok(&self.pages) } else { Err(Error::Busy) }
    }

    /// Checks that none of the bytes of a range was lost to a shorter file or a full disk. Must be called after they
    /// were read.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`]; [`Error::NoSpace`].
    pub fn check(&self, range: Range<u64>) -> Result<()> {
        let index = |at: u64| usize::try_from(at.min(self.len())).unwrap_or(usize::MAX);
        self.pages.check(index(range.start)..index(range.end))
    }

    /// Returns the pages for writes.
    pub(crate) fn writable_pages(&mut self) -> Result<&mut MappedPages> {
        let pages = self.pages_mut()?;
        if pages.is_writable() { Ok(pages) } else { Err(Error::ReadOnly) }
    }

    /// Maps a file with no more rights than `rights`, even if its descriptor has more. Returns the access of the
    /// mapping as well.
    ///
    /// # Errors
    ///
    /// As [`MappingOptions::map`](crate::MappingOptions::map).
    pub fn map_file_with(file: File, rights: Rights, options: &MapOptions) -> Result<(Self, Access)> {
        let mut info = sys::describe(&file)?;
        info.rights &= rights;
        let extent = options.extent_of_file(&info, Self::granularity())?;
        let (mapping, access) = if info.grows && extent.end() > info.len {
            (extend_and_map(file, info.len, &extent, options)?, options.access)
        } else {
            map_part(file, info.rights, &extent, options)?
        };
        let storage = Self {
            pages: Arc::new(MappedPages::new(mapping)),
            offset: extent.offset,
            has_file: true,
            file_is_writable: info.rights.contains(Rights::WRITE),
            was_cut: false,
            name: None,
            guarantee: None,
            #[cfg(unix)]
            shared_windows: Vec::new(),
            window_token: Arc::new(()),
        };
        Ok((storage, access))
    }

    /// Maps named memory, which other mappings may share.
    pub(crate) fn of_shared(
        memory: &SharedMemory,
        extent: &Extent,
        options: &MapOptions,
        name: NameGuard,
    ) -> Result<Self> {
        let mapping = OsMapping::of_memory(memory, to_usize(extent.len)?, options)?;
        Ok(Self::of_memory(mapping, extent, Some(name)))
    }

    fn of_memory(mapping: OsMapping, extent: &Extent, name: Option<NameGuard>) -> Self {
        Self {
            pages: Arc::new(MappedPages::new(mapping)),
            offset: extent.offset,
            has_file: false,
            file_is_writable: true,
            was_cut: false,
            name,
            guarantee: None,
            #[cfg(unix)]
            shared_windows: Vec::new(),
            window_token: Arc::new(()),
        }
    }

    /// Clears bytes that a private page still holds although they were cut off when the mapping ended at `old`.
    fn clear_tail(&mut self, old: usize, new: usize) -> Result<()> {
        let tail = self.pages.tail(old);
        let tail = old..tail.end.min(new);
        let mut bytes = vec![0; tail.len()];
        self.pages.read(old, &mut bytes)?;
        // A page that was never written shows the file, and reads as zeros here. It must not become private without
        // need.
        if bytes.iter().any(|&byte| byte != 0) {
            self.writable_pages()?.fill(tail, 0)?;
        }
        Ok(())
    }
}

/// Maps a part of a file, with the access that `options` ask for and `rights` allow. Returns that access, too.
fn map_part(file: File, rights: Rights, extent: &Extent, options: &MapOptions) -> Result<(OsMapping, Access)> {
    let len = to_usize(extent.len)?;
    let widest = options.with_rights(rights);
    if widest != *options {
        match OsMapping::of_file(file.try_clone()?, extent.offset, len, &widest) {
            // What the descriptor allows, a seal, for example, does not.
            Err(Error::NotPermitted(_)) => {}
            outcome => return Ok((outcome?, widest.access)),
        }
    }
    Ok((OsMapping::of_file(file, extent.offset, len, options)?, options.access))
}

/// Extends a file with zeros from its end, `old`, to the end of `extent`, and maps it.
fn extend_and_map(file: File, old: u64, extent: &Extent, options: &MapOptions) -> Result<OsMapping> {
    let len = to_usize(extent.len)?;
    let handle = file.try_clone()?;
    sys::set_len(&handle, extent.end())?;
    OsMapping::of_file(file, extent.offset, len, options).inspect_err(|_| {
        // A refused call must change nothing. If restoring the length fails too, the first error is the one to report.
        let _ = sys::set_len(&handle, old);
    })
}

impl Backend for OsStorage {
    type File = File;

    fn open(path: &Path, rights: Rights) -> Result<File> {
        sys::open(path, rights)
    }

    fn map_file(file: File, options: &MapOptions) -> Result<(Self, Access)> {
        Self::map_file_with(file, Rights::all(), options)
    }

    fn map_anonymous(options: &MapOptions) -> Result<Self> {
        let extent = options.extent_of_memory(Self::granularity())?;
        Ok(Self::of_memory(OsMapping::anonymous(to_usize(extent.len)?, options)?, &extent, None))
    }

    /// On Linux, all processes of a user share names, on Windows all processes of a session. Elsewhere there are none.
    fn map_named(name: &str, options: &MapOptions) -> Result<Self> {
        check_name(name)?;
        let (memory, existing, lock) = sys::open_named(name, options)?;
        let extent = options.extent_of_named(existing, Self::granularity())?;
        Self::of_shared(&memory, &extent, options, NameGuard::System(lock))
    }

    fn granularity() -> u64 {
        sys::granularity()
    }
}

/// Converts a length; one that the address space cannot hold is [`Error::OutOfMemory`].
fn to_usize(len: u64) -> Result<usize> {
    usize::try_from(len).map_err(|_| Error::OutOfMemory)
}

/// Converts a range that `core` has checked against the length, which is a `usize`.
fn to_usize_range(range: &Range<u64>) -> Range<usize> {
    let index = |at: u64| usize::try_from(at).expect("within the mapping's memory");
    index(range.start)..index(range.end)
}

impl Storage for OsStorage {
    #[inline]
    fn len(&self) -> u64 {
        self.pages.len() as u64
    }

    fn offset(&self) -> u64 {
        self.offset
    }

    fn file_len(&self) -> Result<u64> {
        match self.pages.file() {
            Some(file) if self.has_file => Ok(file.metadata()?.len()),
            _ => Ok(self.len()),
        }
    }

    fn page_size() -> u64 {
        sys::page_size()
    }

    #[inline]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.pages.read(to_usize(offset)?, buffer)
    }

    #[inline]
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.writable_pages()?.write(to_usize(offset)?, bytes)
    }

    #[inline]
    fn check_write(&self, range: &Range<u64>) -> Result<()> {
        self.pages.mapping.check_write(range)
    }

    fn flush(&mut self, range: Range<u64>, flags: FlushFlags) -> Result<()> {
        self.pages.flush(to_usize_range(&range), flags)
    }

    fn advise(&mut self, advice: Advice, range: Range<u64>) -> Result<()> {
        if !self.pages.is_contiguous() {
            return Err(Error::Busy);
        }
        self.pages_mut()?.advise(advice, to_usize_range(&range))
    }

    fn resize(&mut self, len: u64) -> Result<()> {
        if self.name.is_some() {
            return Err(Error::Unsupported("resizing named memory".into()));
        }
        if self.has_file && !self.file_is_writable {
            return Err(Error::NotPermitted("resizing a file that is not open for writing".into()));
        }
        let (old, new) = (self.pages.len(), to_usize(len)?);
        // A loss must be reported before the file is touched.
        self.pages.check(0..old)?;
        self.pages_mut()?.resize(new)?;
        // The file may have been longer than the mapping. It now ends with the mapping, even if the mapping's length
        // has not changed.
        let was_cut = std::mem::replace(&mut self.was_cut, self.pages.is_private());
        if new > old && was_cut {
            self.clear_tail(old, new)?;
        }
        Ok(())
    }

    fn refresh(&mut self) -> Result<()> {
        self.pages_mut()?.restore()
    }

    fn is_busy(&self) -> bool {
        Arc::strong_count(&self.pages) > 1 || Arc::strong_count(&self.window_token) > 1
    }

    fn read_vec(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let range = to_usize_range(&range);
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(range.len()).map_err(|_| Error::OutOfMemory)?;
        self.pages.read_into(range, &mut bytes)?;
        Ok(bytes)
    }

    fn find(&self, needle: &[u8], range: Range<u64>) -> Result<Option<u64>> {
        if !self.pages.is_plain() {
            return provided::find(self, needle, range);
        }
        Ok(self.pages.find(needle, to_usize_range(&range))?.map(|at| at as u64))
    }

    fn rfind(&self, needle: &[u8], range: Range<u64>) -> Result<Option<u64>> {
        if !self.pages.is_plain() {
            return provided::rfind(self, needle, range);
        }
        Ok(self.pages.rfind(needle, to_usize_range(&range))?.map(|at| at as u64))
    }

    #[inline]
    fn read_line(&self, range: Range<u64>, line: &mut Vec<u8>) -> Result<()> {
        if !self.pages.is_plain() {
            return provided::read_line(self, range, line);
        }
        self.pages.read_line(to_usize_range(&range), line)
    }

    fn fill(&mut self, range: Range<u64>, byte: u8) -> Result<()> {
        self.writable_pages()?.fill(to_usize_range(&range), byte)
    }

    fn copy_within(&mut self, source: Range<u64>, destination: u64) -> Result<()> {
        if !self.pages.is_plain() {
            return provided::copy_within(self, source, destination);
        }
        self.writable_pages()?.copy_within(to_usize_range(&source), to_usize(destination)?)
    }
}
