//! The storage that `core` works on: pages of the operating system, and the file behind them.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use wasi_mmap_core::{
    Advice, Backend, Error, Extent, FlushFlags, MapOptions, Result, Rights, Storage, check_name, general,
};

use crate::named::{self, NameHold};
use crate::os::{self, Hold, Map, Memory};
use crate::page_size;
use crate::pages::Pages;

/// A mapping of the operating system, as a storage of `core`.
#[derive(Debug)]
pub struct Native {
    /// Shared with whoever borrowed the pages; then nothing here can change them.
    pages: Arc<Pages>,
    offset: u64,
    /// Whether the mapping's file is one that the caller can see.
    has_file: bool,
    file_is_writable: bool,
    /// Whether the mapping is private and was resized: what a private page has behind the end was cut off from the file.
    was_cut: bool,
    /// What keeps the memory's name, if it has one.
    name: Option<NameHold>,
    /// What holds the file's bytes still for windows, once one was asked for.
    pub(crate) hold: Option<Hold>,
    /// Shared with each part of the mapping that is attached elsewhere, which keeps the mapping busy.
    pub(crate) pin: Arc<()>,
}

impl Native {
    pub(crate) fn pages(&self) -> &Arc<Pages> {
        &self.pages
    }

    /// The pages, to change them.
    pub(crate) fn pages_mut(&mut self) -> Result<&mut Pages> {
        Arc::get_mut(&mut self.pages).ok_or(Error::Busy)
    }

    /// Where in its file the mapping starts, in bytes; memory without one starts at its start.
    pub fn file_offset(&self) -> u64 {
        self.offset * u64::from(self.has_file)
    }

    /// The file that the caller can see, if there is one.
    pub(crate) fn visible_file(&self) -> Option<&File> {
        self.pages.file().filter(|_| self.has_file)
    }

    /// Whether the mapping is of memory that others have by its name.
    pub(crate) fn is_named(&self) -> bool {
        self.name.is_some()
    }

    /// The pages, to write to them.
    pub(crate) fn writable_pages(&mut self) -> Result<&mut Pages> {
        let pages = self.pages_mut()?;
        if pages.is_writable() { Ok(pages) } else { Err(Error::ReadOnly) }
    }

    /// Maps a file with no more rights than `rights`, whatever its descriptor may do.
    ///
    /// # Errors
    ///
    /// As [`Mapping::from_file`](crate::MappingOptions::map).
    pub fn map_file_with(file: File, rights: Rights, options: &MapOptions) -> Result<Self> {
        let mut info = os::describe(&file)?;
        info.rights &= rights;
        let extent = options.extent_of_file(&info, Self::granularity())?;
        let len = to_usize(extent.len)?;
        let map = if extent.end() > info.len {
            map_longer(file, info.len, &extent, options)?
        } else {
            Map::of_file(file, extent.offset, len, options)?
        };
        Ok(Self {
            pages: Arc::new(Pages::new(map)),
            offset: extent.offset,
            has_file: true,
            file_is_writable: info.rights.contains(Rights::WRITE),
            was_cut: false,
            name: None,
            hold: None,
            pin: Arc::new(()),
        })
    }

    /// Maps memory that other mappings share.
    pub(crate) fn of_shared(memory: &Memory, extent: &Extent, options: &MapOptions, name: NameHold) -> Result<Self> {
        let map = Map::of_memory(memory, to_usize(extent.len)?, options)?;
        Ok(Self::of_memory(map, extent, Some(name)))
    }

    fn of_memory(map: Map, extent: &Extent, name: Option<NameHold>) -> Self {
        Self {
            pages: Arc::new(Pages::new(map)),
            offset: extent.offset,
            has_file: false,
            file_is_writable: true,
            was_cut: false,
            name,
            hold: None,
            pin: Arc::new(()),
        }
    }

    /// Clears what a private page still has of bytes that were cut off when the mapping ended at `old`.
    fn clear_tail(&mut self, old: usize, new: usize) -> Result<()> {
        let tail = self.pages.tail(old);
        let tail = old..tail.end.min(new);
        let mut bytes = vec![0; tail.len()];
        self.pages.read(old, &mut bytes)?;
        // A page that was never written is the file's, and reads as zeros there. It must not become private for nothing.
        if bytes.iter().any(|&byte| byte != 0) {
            self.writable_pages()?.fill(tail, 0)?;
        }
        Ok(())
    }
}

/// Maps a part of a file that ends behind the file's end, `old`: first, the file is made longer, with zeros.
fn map_longer(file: File, old: u64, extent: &Extent, options: &MapOptions) -> Result<Map> {
    let len = to_usize(extent.len)?;
    let handle = file.try_clone()?;
    os::set_len(&handle, extent.end())?;
    Map::of_file(file, extent.offset, len, options).inspect_err(|_| {
        // What was refused has changed nothing; if that cannot be had either, the first error is what counts.
        let _ = os::set_len(&handle, old);
    })
}

impl Backend for Native {
    type File = File;

    fn open(path: &Path, rights: Rights) -> Result<File> {
        os::open(path, rights)
    }

    fn map_file(file: File, options: &MapOptions) -> Result<Self> {
        Self::map_file_with(file, Rights::all(), options)
    }

    fn map_anonymous(options: &MapOptions) -> Result<Self> {
        let extent = options.extent_of_memory(Self::granularity())?;
        Ok(Self::of_memory(Map::anonymous(to_usize(extent.len)?, options)?, &extent, None))
    }

    /// Names are shared by all processes of one user on Linux, and of one session on Windows; elsewhere there are none.
    fn map_named(name: &str, options: &MapOptions) -> Result<Self> {
        check_name(name)?;
        named::map_shared(name, options)
    }

    fn granularity() -> u64 {
        os::granularity()
    }
}

/// A length as a size in memory: what the address space cannot hold is out of memory.
fn to_usize(len: u64) -> Result<usize> {
    usize::try_from(len).map_err(|_| Error::OutOfMemory)
}

/// A range that `core` has checked against the length, which is a `usize`.
fn to_usize_range(range: &Range<u64>) -> Range<usize> {
    let index = |at: u64| usize::try_from(at).expect("within the mapping's memory");
    index(range.start)..index(range.end)
}

impl Storage for Native {
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
        page_size()
    }

    #[inline]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.pages.read(to_usize(offset)?, buffer)
    }

    #[inline]
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.writable_pages()?.write(to_usize(offset)?, bytes)
    }

    fn flush(&mut self, range: Range<u64>, flags: FlushFlags) -> Result<()> {
        self.pages.flush(to_usize_range(&range), flags)
    }

    fn advise(&mut self, advice: Advice, range: Range<u64>) -> Result<()> {
        if !self.pages.is_whole() {
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
        // What is lost is to be known before the file is touched.
        self.pages.check(0..old)?;
        self.pages_mut()?.resize(new)?;
        // The file may have been longer than the mapping: it ends with it now, even where the mapping is as long as before.
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
        Arc::strong_count(&self.pages) > 1 || Arc::strong_count(&self.pin) > 1
    }

    fn read_vec(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let range = to_usize_range(&range);
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(range.len()).map_err(|_| Error::OutOfMemory)?;
        self.pages.read_into(range, &mut bytes)?;
        Ok(bytes)
    }

    fn find(&self, needle: &[u8], range: Range<u64>) -> Result<Option<u64>> {
        if !self.pages.is_whole() {
            return general::find(self, needle, range);
        }
        Ok(self.pages.find(needle, to_usize_range(&range))?.map(|at| at as u64))
    }

    fn rfind(&self, needle: &[u8], range: Range<u64>) -> Result<Option<u64>> {
        if !self.pages.is_whole() {
            return general::rfind(self, needle, range);
        }
        Ok(self.pages.rfind(needle, to_usize_range(&range))?.map(|at| at as u64))
    }

    #[inline]
    fn read_line(&self, range: Range<u64>, line: &mut Vec<u8>) -> Result<()> {
        if !self.pages.is_whole() {
            return general::read_line(self, range, line);
        }
        self.pages.read_line(to_usize_range(&range), line)
    }

    fn fill(&mut self, range: Range<u64>, byte: u8) -> Result<()> {
        self.writable_pages()?.fill(to_usize_range(&range), byte)
    }

    fn copy_within(&mut self, source: Range<u64>, destination: u64) -> Result<()> {
        if !self.pages.is_whole() {
            return general::copy_within(self, source, destination);
        }
        self.writable_pages()?.copy_within(to_usize_range(&source), to_usize(destination)?)
    }
}
