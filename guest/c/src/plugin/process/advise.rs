//! `madvise(2)`.

use std::ops::Range;
use std::ptr::with_exposed_provenance_mut;

use wasi_mmap_core::Error;
use wasi_mmap_sys::bindings::wasi_mmap::mmap::types::{Access, Advice};
use wasi_mmap_sys::copies::{HeldSource, Source};

use super::{Kind, Process};
use crate::plugin::constants::{
    MADV_DONTNEED, MADV_FREE, MADV_LAST, MADV_NORMAL, MADV_RANDOM, MADV_REMOVE, MADV_SEQUENTIAL, MADV_WILLNEED,
};
use crate::plugin::errno::{EACCES, EINVAL, ENOMEM, Result};

impl Process {
    /// Takes advice for the pages of a range.
    ///
    /// # Errors
    ///
    /// `EINVAL` for unknown advice; `ENOMEM`, if a page is not mapped: the advice is for the others then.
    pub(crate) fn advise(&mut self, range: &Range<usize>, advice: i32) -> Result<()> {
        let hint = match advice {
            MADV_NORMAL => Some(Advice::Normal),
            MADV_RANDOM => Some(Advice::Random),
            MADV_SEQUENTIAL => Some(Advice::Sequential),
            MADV_WILLNEED => Some(Advice::WillNeed),
            // Bytes that are not needed any more may stay.
            MADV_DONTNEED | MADV_FREE | MADV_REMOVE..=MADV_LAST => None,
            _ => return Err(EINVAL),
        };
        for area in self.areas.within(range) {
            let part = area.start.max(range.start)..area.end.min(range.end);
            match (hint, advice) {
                (Some(hint), _) => self.hint(area.start, &part, hint)?,
                (None, MADV_DONTNEED) => self.discard(area.start, &part)?,
                (None, MADV_REMOVE) => self.punch(area.start, &part)?,
                _ => {}
            }
        }
        if self.covers(range) { Ok(()) } else { Err(ENOMEM) }
    }

    fn hint(&self, start: usize, part: &Range<usize>, hint: Advice) -> Result<()> {
        match self.areas.get(start).map(|area| &area.content.kind) {
            Some(Kind::Window(start)) => match self.windows.get(start) {
                Some(window) => Ok(window.advise(part, hint)?),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Discards private changes: the file's bytes, or zeros, are seen again. `MADV_DONTNEED`.
    fn discard(&mut self, start: usize, part: &Range<usize>) -> Result<()> {
        let Some(area) = self.areas.get(start) else { return Ok(()) };
        let mapped = &area.content;
        let offset = mapped.spec.file.as_ref().map_or(0, |(_, offset)| offset + (part.start - start) as u64);
        match (&mapped.kind, &mapped.spec.file) {
            (Kind::Memory, None) => fill(part),
            (Kind::Memory, Some((file, _))) => read(part, file, offset)?,
            (Kind::Window(window), Some((file, _))) => {
                let has_changes = self.windows.get(window).is_some_and(|window| window.mapping.access == Access::Copy);
                if has_changes {
                    read(part, file, offset)?;
                }
            }
            (Kind::Copy(copy), _) => copy.refresh(part.start - start, part.len())?,
            (Kind::Window(_), None) => {}
        }
        Ok(())
    }

    /// Makes bytes zeros, in the file as well, which may need less space then: `MADV_REMOVE`.
    fn punch(&mut self, start: usize, part: &Range<usize>) -> Result<()> {
        let Some(area) = self.areas.get(start) else { return Ok(()) };
        let mapped = &area.content;
        if !mapped.spec.is_shared {
            return Err(EINVAL);
        }
        if !mapped.spec.is_writable() {
            return Err(EACCES);
        }
        match &mapped.kind {
            Kind::Memory => fill(part),
            // SAFETY of the bytes: the window can be written, and zeros are what a hole in the file reads as.
            Kind::Window(_) => fill(part),
            Kind::Copy(copy) => {
                fill(part);
                copy.flush(part.start - start, part.len(), false)?;
            }
        }
        Ok(())
    }
}

/// Makes a part of an area zeros.
fn fill(part: &Range<usize>) {
    // SAFETY: the part is mapped, and no reference to it is Rust's. The program asked for it.
    unsafe { with_exposed_provenance_mut::<u8>(part.start).write_bytes(0, part.len()) };
}

/// Reads a part of an area from its file again. What is past the end of the file becomes zeros.
fn read(part: &Range<usize>, file: &HeldSource, offset: u64) -> Result<()> {
    let mut block = [0; 16 << 10];
    let mut at = part.start;
    while at < part.end {
        let bytes = &mut block[..(part.end - at).min(16 << 10)];
        let position = offset.checked_add((at - part.start) as u64).ok_or(Error::OutOfMemory)?;
        let mut count = file.read_at(bytes, position)?.min(bytes.len());
        if count == 0 {
            bytes.fill(0);
            count = bytes.len();
        }
        // SAFETY: the range is within an area of the program's, to which there are no references of Rust's.
        unsafe { with_exposed_provenance_mut::<u8>(at).copy_from_nonoverlapping(bytes.as_ptr(), count) };
        at += count;
    }
    Ok(())
}
