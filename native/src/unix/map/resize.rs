//! Resizing a mapping: Linux `mremap(2)`.

use std::io;
use std::ops::Range;

use memmap2::RemapOptions;
use rustix::io::Errno;
use wasi_mmap_core::{Advice, Error, Result};

use super::super::replace::failures::{self, Call};
use super::{Map, addresses, page_len};
use crate::os::set_len;

impl Map {
    /// Makes the mapping `len` bytes long, and its file end where the mapping ends.
    ///
    /// Keeps the mapping inside the file at every step, or where it cannot, relies on the fault handler.
    pub(crate) fn resize(&mut self, len: usize) -> Result<()> {
        let old = self.len;
        if len < old {
            self.set_file_len(len)?;
            return match self.remap(len) {
                // What cannot be given back stays mapped, and is not used: the file has nothing there any more.
                Err(_) if self.file.is_some() => {
                    self.len = len;
                    Ok(())
                }
                outcome => outcome,
            };
        }
        self.remap(len)?;
        if let Err(error) = self.set_file_len(len) {
            // What cannot be given back stays mapped, and is not used.
            let _ = self.remap(old);
            self.len = old;
            return Err(error);
        }
        Ok(())
    }

    fn set_file_len(&self, len: usize) -> Result<()> {
        match &self.file {
            Some(file) => set_len(file, self.offset + len as u64),
            None => Ok(()),
        }
    }

    /// Makes the mapping, not the file, `len` bytes long.
    fn remap(&mut self, len: usize) -> Result<()> {
        self.check(0..self.len)?;
        // Huge pages go and come whole: the kernel refuses to unmap a part of one, so that none may be left to be unmapped.
        let whole = if self.has_huge_pages() { len.checked_next_multiple_of(self.page) } else { Some(len) };
        let whole = whole.ok_or(Error::OutOfMemory)?;
        if !self.has_huge_pages() || whole != self.map.len() {
            self.guard.suspend();
            let moved = self.try_remap_as_one(whole);
            self.guard.resume(addresses(&self.map));
            moved?;
        }
        self.len = len;
        Ok(())
    }

    /// What a private map may still hold of bytes behind `end` that were cut off: the rest of a page.
    pub(crate) fn tail(&self, end: usize) -> Range<usize> {
        let tail = end..end.next_multiple_of(self.page);
        // A huge page that nobody has touched need not be had, and perhaps cannot be, only to find that it is all zeros.
        if self.has_huge_pages() && !tail.is_empty() && !self.is_there(end) { end..end } else { tail }
    }

    /// Whether the page of a place is in memory: huge pages are never anywhere else. Linux `mincore(2)`.
    fn is_there(&self, at: usize) -> bool {
        let mut is_there = 1;
        let start = self.map.as_mut_ptr().wrapping_add(at - at % page_len());
        // SAFETY: the call only looks. It writes one byte, for one page; where it fails, none, and the page counts as there.
        unsafe { libc::mincore(start.cast(), page_len(), &raw mut is_there) };
        is_there & 1 != 0
    }

    fn has_huge_pages(&self) -> bool {
        self.page > page_len()
    }

    fn try_remap_as_one(&mut self, len: usize) -> Result<()> {
        if let Err(error) = self.try_remap(len) {
            // No kernel makes more of them behind those that there are; before Linux 5.16, it does not make them fewer either.
            if self.has_huge_pages() && Errno::from_io_error(&error) == Some(Errno::INVAL) {
                let verb = if len > self.map.len() { "growing" } else { "shrinking" };
                return Err(Error::Unsupported(format!("{verb} memory of huge pages on this kernel").into()));
            }
            // Advice for a part has made several areas of one, of which `mremap` takes one at a time.
            if Errno::from_io_error(&error) != Some(Errno::FAULT) {
                return Err(error.into());
            }
            self.unadvise();
            self.try_remap(len).map_err(|error| match Errno::from_io_error(&error) {
                Some(Errno::FAULT) => {
                    Error::Unsupported("resizing a private mapping after advice for a part of it".into())
                }
                _ => error.into(),
            })?;
        }
        Ok(())
    }

    fn try_remap(&mut self, len: usize) -> io::Result<()> {
        failures::check(Call::Resize)?;
        // SAFETY: the memory may move. `&mut self` means that no slice of it is lent, and pointers into it are made anew for
        // every access. Bytes past the end of the file fault, and the guard repairs that. When the call fails, memory and map are
        // as they were.
        unsafe { self.map.remap(len, RemapOptions::new().may_move(true)) }
    }

    /// Takes back all advice that lasts, so that the mapping is one area again.
    fn unadvise(&mut self) {
        for advice in [Advice::Normal, Advice::DoFork, Advice::DoDump, Advice::Unmergeable, Advice::NoHugePage] {
            // What this kernel does not know was not taken before either.
            let _ = self.advise(advice, 0..self.len);
        }
    }
}
