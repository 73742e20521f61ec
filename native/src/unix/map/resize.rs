//! Resizing a mapping: Linux `mremap(2)`.

use std::io;

use memmap2::RemapOptions;
use rustix::io::Errno;
use wasi_mmap_core::{Advice, Error, Result};

use super::super::replace::failures::{self, Call};
use super::{Map, addresses};

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
            Some(file) => Ok(file.set_len(self.offset + len as u64)?),
            None => Ok(()),
        }
    }

    /// Makes the mapping, not the file, `len` bytes long.
    fn remap(&mut self, len: usize) -> Result<()> {
        self.check(0..self.len)?;
        self.guard.suspend();
        let moved = self.try_remap_as_one(len);
        self.guard.resume(addresses(&self.map));
        moved?;
        self.len = len;
        Ok(())
    }

    fn try_remap_as_one(&mut self, len: usize) -> Result<()> {
        if let Err(error) = self.try_remap(len) {
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
        // every access. Bytes past the end of the file fault, and the guard repairs that.
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
