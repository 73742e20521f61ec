//! The file's own pages at addresses that the library chooses.

use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use wasi_mmap_core::Error;
use wasi_mmap_sys::bindings::wasi_mmap::mmap::mapping::Mapping;
use wasi_mmap_sys::bindings::wasi_mmap::mmap::types::{Access, Advice, FlushFlags, MapFlags, MapOptions, WindowMode};
use wasi_mmap_sys::copies::{HeldSource, Source};
use wasi_mmap_sys::window::{Region, Window as Attached};

use super::page;

/// A mapping of the host.
#[derive(Debug)]
pub(crate) struct HostMapping {
    mapping: Mapping,
    /// What the host grants, which may be more than was asked for.
    pub(crate) access: Access,
    /// The offset in the file.
    offset: u64,
    len: u64,
    pub(crate) file: Arc<HeldSource>,
    /// The length of the file, as far as it is known, of a mapping that reaches past it; otherwise the maximum.
    file_len: AtomicU64,
}

impl HostMapping {
    /// Returns whether it reaches past the end of its file.
    pub(crate) fn is_beyond_end(&self) -> bool {
        self.file_len.load(Relaxed) < u64::MAX
    }

    /// Maps `len` bytes of a file, which are whole pages. They may reach past the end of the file, which may be empty.
    ///
    /// # Errors
    ///
    /// Those of `mapping.from-borrowed`.
    pub(crate) fn new(
        file: &Arc<HeldSource>,
        offset: u64,
        len: u64,
        access: Access,
        flags: MapFlags,
    ) -> Result<Self, Error> {
        let file_len = file.len()?;
        let there = file_len.saturating_sub(offset).min(len);
        let mut is_beyond = there == 0 || there.next_multiple_of(page::size() as u64) < len;
        let mut options = MapOptions { offset, length: Some(there), access, map_flags: flags };
        if is_beyond {
            options.map_flags |= MapFlags::BEYOND_END;
            options.length = Some(len);
        }
        let mut mapping = Mapping::from_borrowed(file.held().descriptor(), options).map_err(Error::from);
        if let Err(Error::BeyondEndOfFile(_) | Error::EmptyFile) = mapping {
            // It has become shorter just now.
            is_beyond = true;
            options.map_flags |= MapFlags::BEYOND_END;
            options.length = Some(len);
            mapping = Mapping::from_borrowed(file.held().descriptor(), options).map_err(Error::from);
        }
        let mapping = mapping?;
        let access = mapping.access()?;
        let file_len = if is_beyond { file_len } else { u64::MAX };
        let len = options.length.unwrap_or(len);
        Ok(Self { mapping, access, offset, len, file: file.clone(), file_len: AtomicU64::new(file_len) })
    }

    /// Attaches a window that shows the file from `offset` on.
    ///
    /// # Errors
    ///
    /// Those of `window.attach`. The memory is as before then.
    ///
    /// # Safety
    ///
    /// `range` is whole pages of the library's own memory, in which there is no other window, and to which there are no
    /// references.
    pub(crate) unsafe fn attach(
        self: &Arc<Self>,
        range: Range<usize>,
        offset: u64,
        mode: WindowMode,
    ) -> Result<Window, Error> {
        let within = offset.checked_sub(self.offset).filter(|within| *within < self.len);
        let (Some(within), Some(start)) = (within, NonNull::new(range.start as *mut u8)) else {
            return Err(Error::out_of_range("offset", "it is not in the mapping"));
        };
        // SAFETY: the contract is the caller's. The memory stays while the window has it.
        let region = unsafe { Region::borrowed(start, range.len(), page::size()) };
        let region = region.ok_or(Error::OutOfMemory)?;
        let len = (self.len - within).min(range.len() as u64);
        let attached = Attached::attach(&self.mapping, region, within, len, mode).map_err(|(_, error)| error)?;
        Ok(Window { attached, mapping: self.clone(), range, offset, len, mode })
    }
}

/// A window, at its place.
#[derive(Debug)]
pub(crate) struct Window {
    attached: Attached,
    pub(crate) mapping: Arc<HostMapping>,
    /// The whole pages that it takes.
    pub(crate) range: Range<usize>,
    /// The offset in the file.
    pub(crate) offset: u64,
    /// The number of bytes of the file.
    len: u64,
    pub(crate) mode: WindowMode,
}

impl Window {
    /// Returns a part of the window as an offset in its mapping and a length, up to the end of the file; `None` if it
    /// is past that.
    fn part(&self, part: &Range<usize>) -> Option<(u64, u64)> {
        let start = (part.start.checked_sub(self.range.start)?) as u64;
        let end = ((part.end - self.range.start) as u64).min(self.len);
        (start < end).then(|| (self.offset - self.mapping.offset + start, end - start))
    }

    /// Removes the window. Its memory is zeros then.
    ///
    /// # Errors
    ///
    /// Those of `window.detach`: the window is as before then.
    pub(crate) fn detach(&mut self) -> Result<(), Error> {
        self.attached.detach().map(|_| ())
    }

    /// Makes the window one for writing, or for reading.
    ///
    /// # Errors
    ///
    /// Those of `window.set-mode`: the window is as before then.
    pub(crate) fn set_mode(&mut self, mode: WindowMode) -> Result<(), Error> {
        if self.mode != mode {
            self.attached.set_mode(mode)?;
            self.mode = mode;
        }
        Ok(())
    }

    /// Writes the changes in a part to the file.
    ///
    /// # Errors
    ///
    /// Those of `mapping.flush`; [`Error::NoSpace`] if bytes that were stored had no room.
    pub(crate) fn flush(&self, part: &Range<usize>, flags: FlushFlags) -> Result<(), Error> {
        if self.mapping.access != Access::Write {
            return Ok(());
        }
        let Some((offset, len)) = self.part(part) else { return Ok(()) };
        self.mapping.mapping.flush(offset, Some(len), flags)?;
        match self.attached.check() {
            Err(Error::NoSpace) => Err(Error::NoSpace),
            // A program may cut off the end of a file that it has mapped.
            _ => Ok(()),
        }
    }

    /// Makes the window show what the file has become longer by, after the program has written a range of it.
    pub(crate) fn grow(&self, written: &Range<u64>) {
        let known = self.mapping.file_len.load(Relaxed);
        if written.end > known
            && let Ok(file_len) = self.mapping.file.len()
        {
            // What follows a call sees the file's bytes. That some were lost before, those tell who look.
            let _ = self.attached.check();
            self.mapping.file_len.store(file_len.min(u64::MAX - 1), Relaxed);
        }
    }

    /// Checks that all bytes were those of the file.
    ///
    /// # Errors
    ///
    /// Those of `window.check`.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.attached.check()
    }

    /// Tells the host how a part will be used. What the host cannot follow is ignored.
    ///
    /// # Errors
    ///
    /// Those of `mapping.advise`.
    pub(crate) fn advise(&self, part: &Range<usize>, advice: Advice) -> Result<(), Error> {
        let Some((offset, len)) = self.part(part) else { return Ok(()) };
        match self.mapping.mapping.advise(advice, offset, Some(len)).map_err(Error::from) {
            Err(Error::Unsupported(_) | Error::Busy | Error::LimitExceeded(_)) => Ok(()),
            outcome => outcome,
        }
    }
}
