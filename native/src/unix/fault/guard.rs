//! Guards over ranges of memory.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;

use wasi_mmap_core::Result;

use super::handler;
use super::registry::{self, Area, Fault, OwnedSlot};

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
        let had_end = usize::MAX;
        Self::register(Area { memory, descriptor: file.as_raw_fd(), file_offset, page, private, had_end })
    }

    /// Guards memory that may reach past the end of its file: bytes past the end are zeros, and are lost only if they lie
    /// among the first `had`. Otherwise as [`new`](Self::new).
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub(crate) fn beyond_end(
        memory: Range<usize>,
        file: &File,
        file_offset: u64,
        page: usize,
        private: bool,
        had: u64,
    ) -> io::Result<Self> {
        let had_end = had_end_of(&memory, had);
        Self::register(Area { memory, descriptor: file.as_raw_fd(), file_offset, page, private, had_end })
    }

    /// Guards memory that maps no file and has pages of `page` bytes.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub(crate) fn without_file(memory: Range<usize>, page: usize) -> io::Result<Self> {
        Self::register(Area { memory, page, ..Area::NONE })
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
        // The bytes that are lost if the file has them no longer move along.
        if self.area.reaches_beyond_end() {
            let had = self.area.had_end - self.area.memory.start;
            self.area.had_end = memory.start.saturating_add(had).min(usize::MAX - 1);
        }
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

    /// Returns the first page that may be zeros because the file ended before it; all after it may be zeros as well.
    #[inline]
    pub(crate) fn zeros_from(&self) -> Option<usize> {
        self.slot.zeros_from()
    }

    /// Takes the record of these zeros. The file must be put back in their place next, or they must be
    /// [recorded](Self::add_zeros) again.
    pub(crate) fn take_zeros(&self) -> Option<usize> {
        self.slot.take_zeros()
    }

    /// Records that the pages from an address on may be zeros because the file ended before them.
    pub(crate) fn add_zeros(&self, from: usize) {
        self.slot.add_zeros(from);
    }

    /// Sets the number of bytes that are lost if the file has them no longer.
    pub(crate) fn set_had(&mut self, had: u64) {
        self.area.had_end = had_end_of(&self.area.memory, had);
        self.slot.set_had_end(self.area.had_end);
    }

    /// Returns whether zeros may be in any memory of the process because a file ended before it.
    #[inline]
    pub(crate) fn has_zeros_anywhere() -> bool {
        registry::has_zeros()
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

/// Returns the address after the first `had` bytes: any but that of memory without zeros past the end of its file.
fn had_end_of(memory: &Range<usize>, had: u64) -> usize {
    memory.start.saturating_add(usize::try_from(had).unwrap_or(usize::MAX)).min(usize::MAX - 1)
}
