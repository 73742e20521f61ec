//! Mappings of the operating system: a section, and a view of it.

use std::fs::File;
use std::io;
use std::ops::Range;

use wasi_mmap_core::{Advice, Error, FlushFlags, MapFlags, MapOptions, Result};

use super::memory::SharedMemory;
use super::section::{Protection, Section, View, page_size, to_error};

/// A mapping of the operating system. At least one byte long, unless the system could not map a file again that it had
/// unmapped: then its length is 0, and it can only be refreshed or resized.
#[derive(Debug)]
pub(crate) struct OsMapping {
    mapped: Option<Mapped>,
    file: Option<File>,
    file_offset: u64,
    /// The length that it should have.
    len: usize,
    private: bool,
    protection: Protection,
}

/// A view, and its section, whose handle keeps the name of the memory alive.
#[derive(Debug)]
struct Mapped {
    view: View,
    _section: Section,
}

impl Mapped {
    fn new(section: Section, file_offset: u64, len: usize, protection: Protection) -> io::Result<Self> {
        Ok(Self { view: View::new(&section, file_offset, len, protection)?, _section: section })
    }

    fn of_file(file: &File, file_offset: u64, len: usize, protection: Protection) -> io::Result<Self> {
        Self::new(Section::of_file(file, protection)?, file_offset, len, protection)
    }

    fn of_zeros(len: usize, protection: Protection) -> io::Result<Self> {
        let (section, _) = Section::of_memory(len as u64, None)?;
        Self::new(section, 0, len, protection)
    }
}

impl OsMapping {
    /// Maps `len` bytes of `file` from `file_offset`, a multiple of the granularity.
    pub(crate) fn of_file(file: File, file_offset: u64, len: usize, options: &MapOptions) -> Result<Self> {
        let protection = protection(options);
        let mapped = Mapped::of_file(&file, file_offset, len, protection).map_err(to_error)?;
        Ok(Self::new(mapped, Some(file), file_offset, options))
    }

    /// Maps the first `len` bytes of shared memory.
    pub(crate) fn of_memory(memory: &SharedMemory, len: usize, options: &MapOptions) -> Result<Self> {
        let mapped = Mapped::new(memory.section()?, 0, len, protection(options)).map_err(to_error)?;
        Ok(Self::new(mapped, None, 0, options))
    }

    /// Maps `len` bytes of zeros, without a name.
    pub(crate) fn anonymous(len: usize, options: &MapOptions) -> Result<Self> {
        if options.flags.contains(MapFlags::HUGE_PAGES) {
            return Err(Error::Unsupported("huge pages on this system".into()));
        }
        let mapped = Mapped::of_zeros(len, protection(options)).map_err(to_error)?;
        Ok(Self::new(mapped, None, 0, options))
    }

    fn new(mapped: Mapped, file: Option<File>, file_offset: u64, options: &MapOptions) -> Self {
        let (len, protection) = (mapped.view.len(), protection(options));
        Self { mapped: Some(mapped), file, file_offset, len, private: options.is_private(), protection }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.mapped.as_ref().map_or(0, |mapped| mapped.view.len())
    }

    /// Returns whether writes stay in this mapping.
    pub(crate) fn is_private(&self) -> bool {
        self.private
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.protection != Protection::Read
    }

    pub(crate) fn file(&self) -> Option<&File> {
        self.file.as_ref()
    }

    /// Returns a pointer to the start of `range`.
    ///
    /// # Panics
    ///
    /// If the range is not within the mapping, which the caller must have checked.
    #[inline]
    pub(crate) fn pointer(&self, range: &Range<usize>) -> *mut u8 {
        self.mapped.as_ref().expect("a mapping without memory has length 0").view.pointer(range)
    }

    /// Does nothing: no bytes are promised not to change on Windows.
    #[expect(clippy::unused_self, reason = "the same interface as on Unix")]
    pub(crate) fn set_stable(&self) {}

    /// Returns `Ok`: nobody can make a file shorter while it is mapped, so nothing is ever lost.
    #[inline]
    pub(crate) fn check(&self, _: Range<usize>) -> Result<()> {
        Ok(())
    }

    /// Returns false: a mapping that reaches past the end of its file makes it longer, and nobody makes it shorter.
    #[inline]
    #[expect(clippy::unused_self, reason = "the same interface as on Unix")]
    pub(crate) fn may_reach_beyond_end(&self) -> bool {
        false
    }

    /// Returns the length of the range: all of it is in the file.
    #[expect(clippy::unused_self, reason = "the same interface as on Unix")]
    #[expect(clippy::unnecessary_wraps, reason = "the same interface as on Unix")]
    pub(crate) fn part_in_file(&self, range: &Range<usize>) -> Result<usize> {
        Ok(range.len())
    }

    /// Returns `Ok`: all of the mapping can be written.
    #[inline]
    pub(crate) fn check_write(&self, _: &Range<u64>) -> Result<()> {
        Ok(())
    }

    /// Returns `Ok`: no page was replaced.
    pub(crate) fn correct(&self, _start: usize, _buffer: &mut [u8]) -> Result<()> {
        Ok(())
    }

    /// Returns `Ok`: no page was replaced.
    pub(crate) fn check_written(&self, _: &Range<usize>) -> Result<()> {
        Ok(())
    }

    /// Returns `Ok`: no page was replaced.
    pub(crate) fn put_back(&self, _always: bool) -> Result<()> {
        Ok(())
    }

    /// Returns the range behind `end` in which a private mapping may still hold bytes that were cut off: the rest of a
    /// page.
    pub(crate) fn tail(&self, end: usize) -> Range<usize> {
        end..end.next_multiple_of(usize::try_from(page_size()).unwrap_or(1))
    }

    /// Writes changes in `range` to the file. `FlushViewOfFile`, and `FlushFileBuffers` for the device.
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

    /// Returns an error: Windows takes no advice for mappings.
    pub(crate) fn advise(&mut self, advice: Advice, _: Range<usize>) -> Result<()> {
        Err(Error::Unsupported(format!("the advice {advice:?} on this system").into()))
    }

    /// Sets the length of the mapping to `len` bytes, and the end of its file to the end of the mapping.
    ///
    /// Windows lets a mapped file grow, but not shrink: to shrink it, it is unmapped for a moment.
    pub(crate) fn resize(&mut self, len: usize) -> Result<()> {
        let Some(file) = &self.file else { return self.resize_memory(len) };
        if self.private {
            return Err(Error::Unsupported("resizing a private mapping of a file on this system".into()));
        }
        let (old, new) = (file.metadata()?.len(), self.file_offset + len as u64);
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
        match Mapped::of_file(file, self.file_offset, len, self.protection) {
            Ok(mapped) => {
                (self.mapped, self.len) = (Some(mapped), len);
                Ok(())
            }
            Err(error) => {
                // Restores the file's length. If that fails too, the first error is the one to report.
                let _ = file.set_len(old);
                Err(to_error(error))
            }
        }
    }

    /// Replaces the memory with a copy of another length: the length of a section is fixed.
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
            let mapped = Mapped::of_file(file, self.file_offset, self.len, self.protection).map_err(to_error)?;
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
