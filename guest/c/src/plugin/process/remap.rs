//! `mremap(2)`.

use std::ops::Range;
use std::ptr::with_exposed_provenance_mut;
use std::slice;

use super::{Kind, Place, Process, Spec};
use crate::plugin::constants::PROT_WRITE;
use crate::plugin::errno::{EFAULT, EINVAL, ENOMEM, Result};
use crate::plugin::page;

impl Process {
    /// Makes a mapping longer or shorter, and moves it if it must or if `target` says so. Returns its address.
    ///
    /// # Errors
    ///
    /// `EFAULT`, if the range is not one mapping; `ENOMEM`, if it has no room and may not move. Nothing has changed
    /// then.
    pub(crate) fn remap(
        &mut self,
        old: &Range<usize>,
        len: usize,
        may_move: bool,
        target: Option<usize>,
    ) -> Result<usize> {
        let len = len.checked_next_multiple_of(page::size()).ok_or(ENOMEM)?;
        let spec = self.one_mapping(old)?;
        let place = match target {
            Some(target) => {
                let new = page::whole(target, len).ok_or(ENOMEM)?;
                if new.start < old.end && old.start < new.end {
                    return Err(EINVAL);
                }
                Place::At(target)
            }
            None => {
                if len <= old.len() {
                    self.unmap(&(old.start + len..old.end))?;
                    return Ok(old.start);
                }
                let tail = old.end..old.start.checked_add(len).ok_or(ENOMEM)?;
                if self.space.is_free(&tail) {
                    self.map(Place::AtFree(tail.start), tail.len(), spec.from(old.len()))?;
                    return Ok(old.start);
                }
                if !may_move {
                    return Err(ENOMEM);
                }
                Place::Anywhere(0)
            }
        };
        self.relocate(old, place, len, spec)
    }

    /// Moves a mapping.
    fn relocate(&mut self, old: &Range<usize>, place: Place, len: usize, spec: Spec) -> Result<usize> {
        if spec.is_shared {
            // What was changed is read from the file.
            self.sync(old, 0)?;
        }
        let has_own_bytes = spec.file.is_none() || !spec.is_shared;
        let protection = spec.protection;
        let wide = Spec { protection: if has_own_bytes { protection | PROT_WRITE } else { protection }, ..spec };
        // It may come to lie in the memory of another mapping of the same bytes, and its old place may be another's.
        let new = self.map(place, len, wide)?;
        if has_own_bytes {
            copy_pages(old.start, new, old.len().min(len));
            // The bytes are there: a window that cannot become one for reading stays one for writing.
            let _ = self.protect(&(new..new + len), protection);
        }
        if let Err(error) = self.unmap(old) {
            if new != old.start {
                // The program knows the old place alone.
                let _ = self.unmap(&(new..new + len));
            }
            return Err(error);
        }
        Ok(new)
    }

    /// Returns what a range shows, if that is one mapping.
    fn one_mapping(&self, range: &Range<usize>) -> Result<Spec> {
        if !self.areas.covers(range) || range.is_empty() {
            return Err(EFAULT);
        }
        let mut first: Option<(usize, Spec)> = None;
        for area in self.areas.within(range) {
            let Some(found) = self.areas.get(area.start) else { return Err(EFAULT) };
            let (spec, kind) = (&found.content.spec, &found.content.kind);
            let Some((start, expected)) = &first else {
                let distance = range.start - area.start;
                first = Some((range.start, spec.from(distance)));
                continue;
            };
            let expected = expected.from(area.start - start);
            let is_same_file = match (&expected.file, &spec.file) {
                (None, None) => matches!(kind, Kind::Memory),
                (Some((one, at)), Some((other, offset))) => at == offset && std::sync::Arc::ptr_eq(one, other),
                _ => false,
            };
            if !is_same_file || expected.is_shared != spec.is_shared || expected.protection != spec.protection {
                return Err(EFAULT);
            }
        }
        first.map(|(_, spec)| spec).ok_or(EFAULT)
    }
}

/// Copies pages from one mapping to another, but those that are the same: they may stay the file's.
fn copy_pages(from: usize, to: usize, len: usize) {
    for at in (0..len).step_by(page::size()) {
        let source = with_exposed_provenance_mut::<u8>(from + at);
        let target = with_exposed_provenance_mut::<u8>(to + at);
        // SAFETY: a page of a mapping of the program, which does nothing else meanwhile.
        let one = unsafe { slice::from_raw_parts(source, page::size()) };
        // SAFETY: as above.
        let other = unsafe { slice::from_raw_parts(target, page::size()) };
        if one != other {
            // SAFETY: as above, and they do not overlap. The references are not used any more.
            unsafe { source.copy_to_nonoverlapping(target, page::size()) };
        }
    }
}
