//! Faults in mapped memory: a file that shrinks under its mapping, a disk that is full under a sparse file.
//!
//! The operating system reports both with SIGBUS. [`handler`] repairs the memory so that the access can go on, and notes
//! in the [`registry`] what was lost; after each access, [`Guard::lost`] says whether what it copied can be
//! trusted. The model is systemd's `sigbus.c`.

mod handler;
mod registry;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;

use wasi_mmap_core::{Error, Result};

use super::page_len;

/// What a fault says of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The file ends before the page.
    Truncated,
    /// The file reaches further, but the page could not be had.
    NoSpace,
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Truncated => Self::Truncated,
            Fault::NoSpace => Self::NoSpace,
        }
    }
}

/// A range of memory whose faults are repaired, until it is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Guard {
    slot: registry::Lease,
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "memory moves only where Linux resizes it"))]
    area: registry::Area,
}

impl Guard {
    /// Guards memory that maps `file` from `offset`. The file must stay open as long as the guard lives. With `private`, a write
    /// makes a copy of a page: then a repair makes none.
    ///
    /// # Errors
    ///
    /// What `sigaction(2)` returns, at the first call in a process; `OutOfMemory`.
    pub(crate) fn new(memory: Range<usize>, file: &File, offset: u64, private: bool) -> io::Result<Self> {
        Self::of(registry::Area { memory, descriptor: file.as_raw_fd(), offset, page: page_len(), private })
    }

    /// Guards memory that maps no file, and has pages of this size.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub(crate) fn without_file(memory: Range<usize>, page: usize) -> io::Result<Self> {
        Self::of(registry::Area { memory, descriptor: -1, offset: 0, page, private: false })
    }

    fn of(area: registry::Area) -> io::Result<Self> {
        handler::install()?;
        Ok(Self { slot: registry::lease(&area)?, area })
    }

    /// Guards nothing until it is told where the memory lies. To be called before memory moves: what takes its place meanwhile
    /// is not ours.
    #[cfg(target_os = "linux")]
    pub(crate) fn suspend(&mut self) {
        self.slot.set(&registry::Area { memory: 0..0, ..self.area.clone() });
    }

    /// Guards the memory where it lies now.
    #[cfg(target_os = "linux")]
    pub(crate) fn resume(&mut self, memory: Range<usize>) {
        self.area.memory = memory;
        self.slot.set(&self.area);
    }

    /// An error if a part of a range of addresses was [`lost`](Self::lost).
    ///
    /// To be called after the access that it speaks of.
    #[inline]
    pub(crate) fn check(&self, memory: Range<usize>) -> Result<()> {
        if self.slot.is_sound_to(memory.end) { Ok(()) } else { self.check_lost(memory) }
    }

    #[cold]
    fn check_lost(&self, memory: Range<usize>) -> Result<()> {
        self.lost(memory).map_or(Ok(()), |fault| Err(fault.into()))
    }

    /// What was lost in a range of addresses since the guard was made or last [`forgot`](Self::forget).
    ///
    /// To be called after the access that it speaks of.
    pub(crate) fn lost(&self, memory: Range<usize>) -> Option<Fault> {
        self.slot.lost(memory)
    }

    /// Notes that a range of addresses holds nothing of value.
    pub(crate) fn lose(&self, memory: Range<usize>, fault: Fault) {
        self.slot.lose(memory, fault);
    }

    /// The addresses that were lost, from the first to the last; empty if none was.
    pub(crate) fn lost_range(&self) -> Range<usize> {
        self.slot.lost_range()
    }

    /// Forgets what was lost, when the memory has been mapped anew.
    pub(crate) fn forget(&self) {
        self.slot.forget();
    }
}
