//! Memory that Windows mapped: a section, and a view of it.

use std::fs::File;
use std::io;
use std::ops::Range;

use wasi_mmap_core::{Advice, Error, FlushFlags, MapFlags, MapOptions, Result};
use windows_sys::Win32::Foundation::{ERROR_COMMITMENT_LIMIT, ERROR_NOT_ENOUGH_MEMORY};

use super::memory::Memory;
use super::section::{Protection, Section, View};

/// Memory that the operating system mapped. At least one byte; none, and nothing can be done with it but to refresh or to
/// resize it, where the system could not map a file again that it had mapped before.
#[derive(Debug)]
pub(crate) struct Map {
    mapped: Option<Mapped>,
    file: Option<File>,
    offset: u64,
    /// How long it is meant to be.
    len: usize,
    private: bool,
    protection: Protection,
}

/// The view, and the section, whose handle keeps the name of memory.
#[derive(Debug)]
struct Mapped {
    view: View,
    _section: Section,
}

impl Mapped {
    fn new(section: Section, offset: u64, len: usize, protection: Protection) -> io::Result<Self> {
        Ok(Self { view: View::new(&section, offset, len, protection)?, _section: section })
    }

    fn of_file(file: &File, offset: u64, len: usize, protection: Protection) -> io::Result<Self> {
        Self::new(Section::of_file(file, protection)?, offset, len, protection)
    }

    fn of_zeros(len: usize, protection: Protection) -> io::Result<Self> {
        let (section, _) = Section::of_memory(len as u64, None)?;
        Self::new(section, 0, len, protection)
    }
}

impl Map {
    /// Maps `len` bytes of `file` from `offset`, a multiple of the granularity.
    pub(crate) fn of_file(file: File, offset: u64, len: usize, options: &MapOptions) -> Result<Self> {
        let protection = protection(options);
        let mapped = Mapped::of_file(&file, offset, len, protection).map_err(to_error)?;
        Ok(Self::new(mapped, Some(file), offset, options))
    }

    /// Maps the first `len` bytes of memory that mappings share.
    pub(crate) fn of_memory(memory: &Memory, len: usize, options: &MapOptions) -> Result<Self> {
        let mapped = Mapped::new(memory.section()?, 0, len, protection(options)).map_err(to_error)?;
        Ok(Self::new(mapped, None, 0, options))
    }

    /// Maps `len` bytes of memory without a name, which starts as zeros.
    pub(crate) fn anonymous(len: usize, options: &MapOptions) -> Result<Self> {
        if options.flags.contains(MapFlags::HUGE_PAGES) {
            return Err(Error::Unsupported("huge pages on this system".into()));
        }
        let mapped = Mapped::of_zeros(len, protection(options)).map_err(to_error)?;
        Ok(Self::new(mapped, None, 0, options))
    }

    fn new(mapped: Mapped, file: Option<File>, offset: u64, options: &MapOptions) -> Self {
        let (len, protection) = (mapped.view.len(), protection(options));
        Self { mapped: Some(mapped), file, offset, len, private: options.is_private(), protection }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.mapped.as_ref().map_or(0, |mapped| mapped.view.len())
    }

    /// Whether writes stay in this mapping.
    pub(crate) fn is_private(&self) -> bool {
        self.private
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.protection != Protection::Read
    }

    pub(crate) fn file(&self) -> Option<&File> {
        self.file.as_ref()
    }

    /// A pointer to the start of `range`.
    ///
    /// # Panics
    ///
    /// If the range is not within the map: the caller is to have checked that.
    #[inline]
    pub(crate) fn pointer(&self, range: &Range<usize>) -> *mut u8 {
        self.mapped.as_ref().expect("what has no memory has no length").view.pointer(range)
    }

    /// Nothing is lost: nobody can make a file shorter while it is mapped.
    #[inline]
    pub(crate) fn check(&self, _: Range<usize>) -> Result<()> {
        Ok(())
    }

    /// What a private map may still hold of bytes behind `end` that were cut off: the rest of a page.
    pub(crate) fn tail(&self, end: usize) -> Range<usize> {
        end..end.next_multiple_of(usize::try_from(super::page_size()).unwrap_or(1))
    }

    /// Writes changes in `range` back. `FlushViewOfFile`, and `FlushFileBuffers` for the device.
    pub(crate) fn flush(&self, range: Range<usize>, flags: FlushFlags) -> Result<()> {
        let (Some(mapped), Some(file)) = (&self.mapped, &self.file) else { return Ok(()) };
        if self.private {
            return Ok(());
        }
        mapped.view.flush(&range)?;
        if flags.contains(FlushFlags::SYNC) {
            file.sync_data()?;
        }
        Ok(())
    }

    /// Refuses all advice, of which Windows takes none for mappings.
    pub(crate) fn advise(&mut self, advice: Advice, _: Range<usize>) -> Result<()> {
        Err(Error::Unsupported(format!("the advice {advice:?} on this system").into()))
    }

    /// Makes the mapping `len` bytes long, and its file end where the mapping ends.
    ///
    /// A file becomes longer under its mapping, but shorter only without any: for that moment, there is no memory.
    pub(crate) fn resize(&mut self, len: usize) -> Result<()> {
        let Some(file) = &self.file else { return self.resize_memory(len) };
        if self.private {
            return Err(Error::Unsupported("resizing a private mapping of a file on this system".into()));
        }
        let (old, new) = (file.metadata()?.len(), self.offset + len as u64);
        if new < old {
            self.mapped = None;
            let outcome = file.set_len(new);
            if outcome.is_ok() {
                self.len = len;
            }
            self.restore()?;
            return Ok(outcome?);
        }
        file.set_len(new)?;
        match Mapped::of_file(file, self.offset, len, self.protection) {
            Ok(mapped) => {
                (self.mapped, self.len) = (Some(mapped), len);
                Ok(())
            }
            Err(error) => {
                // What failed has changed nothing; if that cannot be had either, the first error is what counts.
                let _ = file.set_len(old);
                Err(to_error(error))
            }
        }
    }

    /// Takes other memory and copies what there was: a section keeps its length.
    fn resize_memory(&mut self, len: usize) -> Result<()> {
        let mut mapped = Mapped::of_zeros(len, self.protection).map_err(to_error)?;
        if let Some(old) = &self.mapped {
            mapped.view.copy_from(&old.view, len.min(old.view.len()));
        }
        (self.mapped, self.len) = (Some(mapped), len);
        Ok(())
    }

    /// Maps the file again, if it is not mapped.
    pub(crate) fn restore(&mut self) -> Result<()> {
        if let (None, Some(file)) = (&self.mapped, &self.file) {
            let mapped = Mapped::of_file(file, self.offset, self.len, self.protection).map_err(to_error)?;
            self.mapped = Some(mapped);
        }
        Ok(())
    }
}

fn protection(options: &MapOptions) -> Protection {
    match options.access.is_writable() {
        false => Protection::Read,
        true if options.is_private() => Protection::Copy,
        true => Protection::Write,
    }
}

/// What the system answers when it makes a mapping, where a case of our own says it better.
pub(super) fn to_error(error: io::Error) -> Error {
    let is = |code: u32| error.raw_os_error() == Some(code.cast_signed());
    if is(ERROR_COMMITMENT_LIMIT) || is(ERROR_NOT_ENOUGH_MEMORY) { Error::OutOfMemory } else { error.into() }
}
