//! Guards over ranges of memory.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;

use wasi_mmap_core::Result;

use super::handler;
use super::registry::{Area, Fault, OwnedSlot};

/// A range of memory whose faults are repaired until the guard is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct FaultGuard {
    slot: OwnedSlot,
    area: Area,
}

impl FaultGuard {
    /// Guards memory that maps `file` from `file_offset` in pages of `page` bytes. The file must stay open as long as
    /// the guard lives. If `private` is set, a write copies the page, and a repair must not.
    ///
    /// # Errors
    ///
    /// The error of `sigaction(2)`, at the first call in a process; `OutOfMemory`.
    pub(crate) fn new(
        memory: Range<usize>,
        file: &File,
        file_offset: u64,
        page: usize,
        private: bool,
    ) -> io::Result<Self> {
        Self::register(Area { memory, descriptor: file.as_raw_fd(), file_offset, page, private })
    }

    /// Guards memory that maps no file and has pages of `page` bytes.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub(crate) fn without_file(memory: Range<usize>, page: usize) -> io::Result<Self> {
        Self::register(Area { memory, descriptor: -1, file_offset: 0, page, private: false })
    }

    fn register(area: Area) -> io::Result<Self> {
        handler::install()?;
        Ok(Self { slot: OwnedSlot::register(&area)?, area })
    }

    /// Guards nothing until [`resume`](Self::resume). Must be called before the memory moves: its old addresses may
    /// then belong to somebody else.
    #[cfg(target_os = "linux")]
    pub(crate) fn suspend(&mut self) {
        self.slot.set(&Area { memory: 0..0, ..self.area.clone() });
    }

    /// Guards the memory at its new addresses.
    #[cfg(target_os = "linux")]
    pub(crate) fn resume(&mut self, memory: Range<usize>) {
        self.area.memory = memory;
        self.slot.set(&self.area);
    }

    /// Returns an error if a part of a range of addresses was [`lost`](Self::lost).
    ///
    /// Must be called after the access that it is to vouch for.
    #[inline]
    pub(crate) fn check(&self, memory: Range<usize>) -> Result<()> {
        if self.slot.is_sound_to(memory.end) { Ok(()) } else { self.check_lost(memory) }
    }

    #[cold]
    fn check_lost(&self, memory: Range<usize>) -> Result<()> {
        self.lost(memory).map_or(Ok(()), |fault| Err(fault.into()))
    }

    /// Returns the fault that a part of a range of addresses was lost to, if any, since the guard was made or last
    /// [`forgot`](Self::forget).
    ///
    /// Must be called after the access that it is to vouch for.
    pub(crate) fn lost(&self, memory: Range<usize>) -> Option<Fault> {
        self.slot.lost(memory)
    }

    /// Ends the process at the next fault in the memory, as long as the guard lives: its bytes were promised not to
    /// change, and a repair would put others there.
    pub(crate) fn set_stable(&self) {
        self.slot.set_stable();
    }

    /// Sets whether a write copies the page, for faults from now on.
    pub(crate) fn set_private(&mut self, private: bool) {
        self.area.private = private;
        self.slot.set_private(private);
    }

    /// Records that a range of addresses is lost.
    pub(crate) fn lose(&self, memory: Range<usize>, fault: Fault) {
        self.slot.lose(memory, fault);
    }

    /// Returns the addresses from the first lost one to the end of the last; empty if none was lost.
    pub(crate) fn lost_range(&self) -> Range<usize> {
        self.slot.lost_range()
    }

    /// Forgets what was lost, after the memory has been mapped anew.
    pub(crate) fn forget(&self) {
        self.slot.forget();
    }
}
