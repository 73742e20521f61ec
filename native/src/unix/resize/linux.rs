//! Resizing a mapping: Linux `mremap(2)`.

use std::io;
use std::ops::Range;

use memmap2::RemapOptions;
use rustix::io::Errno;
use wasi_mmap_core::{Advice, BeyondEnd, Error, Result};

use super::super::file::set_len;
use super::super::mapping::{OsMapping, addresses};
use super::super::page::page_len;
use super::super::replace::failures::{self, Call};

impl OsMapping {
    /// Sets the length of the mapping to `len` bytes, and the end of its file to the end of the mapping.
    ///
    /// Keeps the mapping inside the file at every step; where that is impossible, the fault handler repairs accesses.
    pub(crate) fn resize(&mut self, len: usize) -> Result<()> {
        // The addresses of zeros would not move along.
        self.put_back(true)?;
        self.resize_all(len)?;
        if let Some(rules) = &mut self.beyond_end {
            *rules = BeyondEnd::new(self.file_offset, self.file_offset + len as u64, self.page as u64);
            self.guard.set_had(rules.had());
        }
        Ok(())
    }

    fn resize_all(&mut self, len: usize) -> Result<()> {
        let old = self.len;
        if len < old {
            self.set_file_len(len)?;
            return match self.remap(len) {
                // What cannot be unmapped stays mapped and unused: the file no longer has these bytes.
                Err(_) if self.file.is_some() => {
                    self.len = len;
                    Ok(())
                }
                outcome => outcome,
            };
        }
        self.remap(len)?;
        if let Err(error) = self.set_file_len(len) {
            // What cannot be unmapped stays mapped and unused.
            let _ = self.remap(old);
            self.len = old;
            return Err(error);
        }
        Ok(())
    }

    fn set_file_len(&self, len: usize) -> Result<()> {
        match &self.file {
            Some(file) => set_len(file, self.file_offset + len as u64),
            None => Ok(()),
        }
    }

    /// Sets the length of the mapping, but not of the file, to `len` bytes.
    fn remap(&mut self, len: usize) -> Result<()> {
        self.check(0..self.len)?;
        // Huge pages are mapped and unmapped whole: the kernel refuses to unmap a part of one.
        let whole = if self.has_huge_pages() { len.checked_next_multiple_of(self.page) } else { Some(len) };
        let whole = whole.ok_or(Error::OutOfMemory)?;
        if !self.has_huge_pages() || whole != self.map.len() {
            self.guard.suspend();
            let moved = self.try_remap_merged(whole);
            self.guard.resume(addresses(&self.map));
            moved?;
        }
        self.len = len;
        Ok(())
    }

    /// Returns the range behind `end` in which a private mapping may still hold bytes that were cut off: the rest of a
    /// page.
    pub(crate) fn tail(&self, end: usize) -> Range<usize> {
        let tail = end..end.next_multiple_of(self.page);
        // A huge page that nobody has touched is all zeros, and need not be allocated to find that out, which may fail.
        if self.has_huge_pages() && !tail.is_empty() && !self.is_resident(end) { end..end } else { tail }
    }

    /// Returns whether the page at an offset is in memory. Huge pages that were touched always are. Linux `mincore(2)`.
    fn is_resident(&self, offset: usize) -> bool {
        let mut status = 1;
        let start = self.map.as_mut_ptr().wrapping_add(offset - offset % page_len());
        // SAFETY: the call changes no memory but `status`, of which it writes one byte, for one page. On failure it
        // writes none, and the page counts as resident.
        unsafe { libc::mincore(start.cast(), page_len(), &raw mut status) };
        status & 1 != 0
    }

    /// Remaps the mapping; if it is split into several areas, merges them first.
    fn try_remap_merged(&mut self, len: usize) -> Result<()> {
        if let Err(error) = self.try_remap(len) {
            // No kernel appends huge pages to existing ones. Before Linux 5.16, none removes any either.
            if self.has_huge_pages() && Errno::from_io_error(&error) == Some(Errno::INVAL) {
                let verb = if len > self.map.len() { "growing" } else { "shrinking" };
                return Err(Error::Unsupported(format!("{verb} memory of huge pages on this kernel").into()));
            }
            // Advice for a part has split the area, and `mremap` takes one area at a time.
            if Errno::from_io_error(&error) != Some(Errno::FAULT) {
                return Err(error.into());
            }
            self.revoke_advice();
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
        // SAFETY: the memory may move. `&mut self` means that no slice of it is lent, and pointers into it are made
        // anew for every access. Bytes past the end of the file fault, and the guard repairs that. On failure, the
        // memory and `map` are as they were.
        unsafe { self.map.remap(len, RemapOptions::new().may_move(true)) }
    }

    /// Revokes all lasting advice, so that the mapping becomes one area again.
    fn revoke_advice(&mut self) {
        for advice in [Advice::Normal, Advice::DoFork, Advice::DoDump, Advice::Unmergeable, Advice::NoHugePage] {
            // Advice that this kernel does not know was never given.
            let _ = self.advise(advice, 0..self.len);
        }
    }
}
