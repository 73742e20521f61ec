//! Mappings that are the file's own pages, in windows of the host.

use std::io::{Error, ErrorKind, Result, Write};

use wasi_mmap_core::Error as Refusal;
use wasi_mmap_sys::bindings::wasi_mmap::mmap::mapping::{Mapping, granularity};
use wasi_mmap_sys::bindings::wasi_mmap::mmap::types::{Access as MapAccess, Advice as MapAdvice};
use wasi_mmap_sys::bindings::wasi_mmap::mmap::types::{FlushFlags, MapFlags, MapOptions, WindowMode};
use wasi_mmap_sys::copies::{HeldSource, Source, io_error, out_of_memory};
use wasi_mmap_sys::window::{self, Region, Window as Attached};

use crate::request::{Access, FileRequest};
use crate::{Advice, UncheckedAdvice};

/// A window that shows a part of a file, from the start of a page on.
pub(super) struct Window {
    /// `None` once it is detached.
    attached: Option<Attached>,
    mapping: Mapping,
    access: MapAccess,
    /// Whether the window was attached for writing.
    can_write: bool,
    /// The first byte that was asked for, and its distance from the start of the window.
    ptr: *mut u8,
    within: usize,
    /// The length of the window, up to the end of the file, in bytes.
    len: u64,
    /// The size of a page, and of what the host aligns to.
    page: u64,
    /// The file and the offset that was asked for, if the mapping may become a copy, or may have to be read again.
    file: Option<(HeldSource, u64)>,
}

impl Window {
    /// Opens a window. Returns the file if it has to be copied: the host has no windows, none for this file, or no more
    /// of them.
    ///
    /// # Errors
    ///
    /// Those of the host; `OutOfMemory`. Nothing is kept then.
    pub(super) fn open(
        held: HeldSource,
        access: Access,
        request: &FileRequest,
    ) -> Result<std::result::Result<Self, HeldSource>> {
        let Some(page) = window::alignment().map(|page| page.max(granularity())) else { return Ok(Err(held)) };
        let within = request.offset % page;
        let first = request.offset - within;
        // The sum of the offset and the length was checked.
        let wanted = within + request.len as u64;
        let len = held.len()?.saturating_sub(first).min(wanted);
        // A window ends with the file, and would not grow with it. Copies do.
        if len.next_multiple_of(page) < wanted {
            return Ok(Err(held));
        }
        let (map_access, mode) = match access {
            Access::Read | Access::Execute => (MapAccess::Read, WindowMode::Read),
            Access::Write => (MapAccess::Write, WindowMode::Write),
            Access::Copy => (MapAccess::Copy, WindowMode::Write),
            Access::CopyReadOnly => (MapAccess::Copy, WindowMode::Read),
        };
        let mut flags = if request.populate { MapFlags::POPULATE } else { MapFlags::empty() };
        // So that a mapping for reading can be made writable.
        flags |= MapFlags::WIDEST_ACCESS;
        let mut options = MapOptions { offset: first, length: Some(len), access: map_access, map_flags: flags };
        let place = Place { within: index(within)?, wanted: index(wanted)?, len, page, mode };
        let mut window = Self::attach(&held, options, &place)?;
        if window.is_none() && map_access == MapAccess::Read {
            // The host may have windows for files that are mapped for reading alone.
            options.map_flags -= MapFlags::WIDEST_ACCESS;
            window = Self::attach(&held, options, &place)?;
        }
        let Some(mut window) = window else { return Ok(Err(held)) };
        if window.access != MapAccess::Write {
            window.file = Some((held, request.offset));
        }
        Ok(Ok(window))
    }

    /// Maps a part of a file, and attaches a window. Returns `None` if it has to be copied.
    fn attach(held: &HeldSource, options: MapOptions, place: &Place) -> Result<Option<Self>> {
        let mapping = match Mapping::from_borrowed(held.held().descriptor(), options).map_err(Refusal::from) {
            Ok(mapping) => mapping,
            Err(error) => return or_copy(error),
        };
        let access = mapping.access().map_err(|error| io_error(error.into()))?;
        let region = Region::take(place.wanted, index(place.page)?).ok_or_else(out_of_memory)?;
        // The region is as it was left, and what the window does not cover starts as zeros.
        let covered = index(place.len.next_multiple_of(place.page))?.min(place.wanted);
        let rest = region.as_ptr().wrapping_add(covered);
        // SAFETY: the range is within the region, which has `wanted` bytes, and which nobody else has.
        unsafe { rest.write_bytes(0, place.wanted - covered) };
        let attached = match Attached::attach(&mapping, region, 0, place.len, place.mode) {
            Ok(attached) => attached,
            Err((region, error)) => {
                region.put_back();
                return or_copy(error);
            }
        };
        // The address alone: it is within the region, or one past its end.
        let ptr = attached.as_ptr().wrapping_add(place.within);
        Ok(Some(Self {
            attached: Some(attached),
            mapping,
            access,
            can_write: place.mode == WindowMode::Write,
            ptr,
            within: place.within,
            len: place.len,
            page: place.page,
            file: None,
        }))
    }

    pub(super) fn ptr(&self) -> *mut u8 {
        self.ptr
    }

    /// Returns the pages of a range, as an offset and a length in the mapping, up to the end of the file; or `None` if
    /// they are all past it.
    fn pages(&self, offset: usize, len: usize) -> Option<(u64, u64)> {
        let start = (self.within + offset) as u64;
        let end = (start + len as u64).min(self.len);
        let start = start - start % self.page;
        (start < end).then(|| (start, end - start))
    }

    /// Writes the changes in a range to the file, and waits for the storage device if `wait`.
    pub(super) fn flush(&self, offset: usize, len: usize, wait: bool) -> Result<()> {
        if self.access != MapAccess::Write || !self.can_write {
            return Ok(());
        }
        let Some((start, len)) = self.pages(offset, len) else { return Ok(()) };
        let flags = if wait { FlushFlags::SYNCHRONOUS } else { FlushFlags::ASYNCHRONOUS };
        self.mapping.flush(start, Some(len), flags).map_err(|error| io_error(error.into()))?;
        self.check_space()
    }

    /// Checks that no change was lost because the storage device is full.
    fn check_space(&self) -> Result<()> {
        match self.attached.as_ref().map(Attached::check) {
            Some(Err(error @ Refusal::NoSpace)) => Err(error.into()),
            // A program may well cut off the end of a file that it has mapped, if it does not use it any more.
            _ => Ok(()),
        }
    }

    /// Makes the window writable, at the same address. Returns what a copy needs if the host has no such window.
    ///
    /// # Errors
    ///
    /// Those of the host. On a host that cannot change a window in place, it may be detached then, so that its bytes are
    /// zeros.
    pub(super) fn make_mut(&mut self) -> Result<Option<(HeldSource, u64)>> {
        if self.can_write {
            return Ok(None);
        }
        if self.access == MapAccess::Read {
            return Ok(self.file.take());
        }
        let Some(attached) = &mut self.attached else { return Err(ErrorKind::NotConnected.into()) };
        match attached.set_mode(WindowMode::Write) {
            Err(Refusal::Unsupported(_)) => self.attach_again()?,
            outcome => outcome.map_err(io_error)?,
        }
        self.can_write = true;
        Ok(None)
    }

    /// Attaches the window for writing in place of the one for reading.
    fn attach_again(&mut self) -> Result<()> {
        let Some(mut attached) = self.attached.take() else { return Err(ErrorKind::NotConnected.into()) };
        let region = attached.detach().map_err(io_error)?.ok_or(ErrorKind::NotConnected)?;
        match Attached::attach(&self.mapping, region, 0, self.len, WindowMode::Write) {
            Ok(attached) => {
                self.attached = Some(attached);
                Ok(())
            }
            Err((region, error)) => {
                region.put_back();
                Err(io_error(error))
            }
        }
    }

    /// Passes advice on to the host, for the pages of a range.
    pub(super) fn advise(&self, advice: i32, offset: usize, len: usize) -> Result<()> {
        const NORMAL: i32 = Advice::Normal as i32;
        const RANDOM: i32 = Advice::Random as i32;
        const SEQUENTIAL: i32 = Advice::Sequential as i32;
        const WILL_NEED: i32 = Advice::WillNeed as i32;
        const DONT_NEED: i32 = UncheckedAdvice::DontNeed as i32;
        let Some((start, len)) = self.pages(offset, len) else { return Ok(()) };
        let advice = match advice {
            NORMAL => MapAdvice::Normal,
            RANDOM => MapAdvice::Random,
            SEQUENTIAL => MapAdvice::Sequential,
            WILL_NEED => MapAdvice::WillNeed,
            // The host cannot free pages that are in use. The file's own pages are the same when they are read again.
            DONT_NEED if self.access == MapAccess::Copy => return self.reset(start, len),
            DONT_NEED => return Ok(()),
            _ => return Err(Error::from_raw_os_error(libc::EINVAL)),
        };
        match self.mapping.advise(advice, start, Some(len)).map_err(Refusal::from) {
            // A hint that the host cannot follow: its system does not know it, the pages are in use, or there was enough
            // of it.
            Ok(()) | Err(Refusal::Unsupported(_) | Refusal::Busy | Refusal::LimitExceeded(_)) => Ok(()),
            Err(error) => Err(io_error(error)),
        }
    }

    /// Reads pages of a private window from the file again. If that fails, a part of them is.
    fn reset(&self, start: u64, len: u64) -> Result<()> {
        let Some((file, offset)) = &self.file else { return Ok(()) };
        let first = offset - self.within as u64;
        let mut block = [0; 4096];
        let mut at = start;
        while at < start + len {
            let most = index(start + len - at)?.min(block.len());
            let count = file.read_at(&mut block[..most], first + at)?.min(most);
            if count == 0 {
                break;
            }
            let place = self.ptr.wrapping_sub(self.within).wrapping_add(index(at)?);
            // SAFETY: the range is within the window, which can be written: a window for reading has private pages as
            // well. `advise` requires that nobody has a reference to the bytes.
            unsafe { place.copy_from_nonoverlapping(block.as_ptr(), count) };
            at += count as u64;
        }
        Ok(())
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        if self.access == MapAccess::Write
            && self.can_write
            && let Err(error) = self.check_space()
        {
            // Nobody can be told otherwise. If standard error cannot be written, nobody at all.
            let _ = writeln!(std::io::stderr(), "memmap2: a mapping was dropped, and changes are lost: {error}");
        }
        // Dropping the window detaches it. If that fails, its memory is never used again.
    }
}

/// Where a window shows a part of a file.
struct Place {
    /// The distance of the first byte that was asked for from the start of the window.
    within: usize,
    /// The number of bytes of memory, of which the window covers the start.
    wanted: usize,
    /// The length of the window in bytes.
    len: u64,
    /// The size of a page, and of what the host aligns to.
    page: u64,
    mode: WindowMode,
}

/// Returns `None` for an error after which a copy is made, which needs less of the host.
fn or_copy<T>(error: Refusal) -> Result<Option<T>> {
    match error {
        Refusal::Unsupported(_) | Refusal::LimitExceeded(_) | Refusal::Busy => Ok(None),
        error => Err(io_error(error)),
    }
}

/// Returns a number of bytes that is to lie in memory.
fn index(bytes: u64) -> Result<usize> {
    usize::try_from(bytes).map_err(|_| out_of_memory())
}
