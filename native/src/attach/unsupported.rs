//! A part of a mapping in other memory, which Windows does not have: views are put where nothing else is.

use std::ops::Range;

use wasi_mmap_core::{Error, Result};

use crate::{Held, Native, WindowPlan};

/// A part of a mapping that lies in place of other memory. On Windows there is none.
#[derive(Debug, Clone)]
pub enum Attached {}

impl Attached {
    /// Which part of the mapping it is.
    pub fn range(&self) -> Range<u64> {
        match *self {}
    }

    /// The addresses that it lies at: whole pages.
    pub fn memory(&self) -> Range<usize> {
        match *self {}
    }

    /// Whether all that was read from there was the file's.
    ///
    /// # Errors
    ///
    /// `closed`, if it is not attached any more.
    pub fn check(&self) -> Result<()> {
        match *self {}
    }

    /// How the bytes there are held still.
    pub fn held(&self) -> Option<Held> {
        match *self {}
    }

    /// Forgets the memory, which is not touched any more.
    pub fn abandon(&self) {
        match *self {}
    }

    pub(crate) fn check_memory(&self, _: Range<usize>) -> Result<()> {
        match *self {}
    }

    pub(crate) fn part_of(&self, _: &Range<usize>) -> Range<usize> {
        match *self {}
    }

    pub(crate) fn pointer(&self, _: usize) -> *mut u8 {
        match *self {}
    }
}

impl Native {
    /// Refuses to put a part of the mapping in place of other memory.
    ///
    /// # Safety
    ///
    /// None is needed here; on other systems, the memory belongs to the caller.
    ///
    /// # Errors
    ///
    /// `unsupported`.
    pub unsafe fn attach(&mut self, _range: Range<u64>, _address: usize, _to_write: bool) -> Result<Attached> {
        Err(Error::Unsupported("a window on this system".into()))
    }

    /// Refuses to put a part of the mapping in place of other memory, held still.
    ///
    /// # Safety
    ///
    /// As [`attach`](Self::attach).
    ///
    /// # Errors
    ///
    /// `unsupported`.
    pub unsafe fn attach_stable(&mut self, _: WindowPlan, _range: Range<u64>, _address: usize) -> Result<Attached> {
        Err(Error::Unsupported("a window on this system".into()))
    }

    /// Takes a part out of the memory that it lies in.
    ///
    /// # Safety
    ///
    /// As [`attach`](Self::attach).
    ///
    /// # Errors
    ///
    /// None: there is no such part.
    pub unsafe fn detach(&mut self, attached: &Attached) -> Result<()> {
        match *attached {}
    }
}
