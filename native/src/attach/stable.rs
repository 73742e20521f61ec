//! A part of a mapping in other memory, with bytes that nobody else changes.

use std::ops::Range;
use std::ptr;
use std::slice;

use wasi_mmap_core::{Error, Result};

use super::attach::Attached;
use super::fault::{Fault, Guard};
use super::page_len;
use crate::pages::Pages;
use crate::stable::WindowPlan;
use crate::stable::window::Plan;
use crate::storage::Native;

impl Native {
    /// Puts a part of the mapping in place of the memory from `address` on, as it was [planned](Self::plan_stable).
    ///
    /// Where a lease holds the bytes and somebody wants to write to the file, copies take their place in the memory at one moment;
    /// what is stored there in just that moment is lost, in a window that is only to be read.
    ///
    /// # Safety
    ///
    /// As [`attach`](Self::attach). As long as the part is attached, nobody else replaces the memory.
    ///
    /// # Errors
    ///
    /// As [`attach`](Self::attach); `unsupported`, if somebody has begun to write to the file since it was planned. Nothing is attached.
    ///
    /// # Panics
    ///
    /// As [`attach`](Self::attach).
    pub unsafe fn attach_stable(&mut self, plan: WindowPlan, range: Range<u64>, address: usize) -> Result<Attached> {
        match plan.0 {
            // SAFETY: the caller's promise.
            Plan::AsTheyAre { to_write } => unsafe { self.attach(range, address, to_write) },
            // SAFETY: the caller's promise.
            Plan::Copied => unsafe { self.attach_copied(range, address) },
            Plan::Held(hold) => {
                let page = page_len();
                let len = usize::try_from(range.end.saturating_sub(range.start)).map_err(|_| Error::OutOfMemory)?;
                let end = len.checked_next_multiple_of(page).and_then(|len| address.checked_add(len));
                let memory = address..end.ok_or(Error::OutOfMemory)?;
                // SAFETY: the caller's promise.
                let attach = || unsafe { self.attach(range, address, false) };
                // SAFETY: `attach` puts whole private pages of the file there. Until the part is detached or abandoned, which drop
                // the place, nobody replaces them: detaching locks it, and the rest is the caller's promise.
                let (place, attached) = unsafe { hold.keep(memory, attach) }?;
                attached.hold_by(place);
                Ok(attached)
            }
        }
    }

    /// Copies a part of the mapping to memory, which is the part from then on.
    ///
    /// # Safety
    ///
    /// As [`attach`](Self::attach).
    unsafe fn attach_copied(&mut self, range: Range<u64>, address: usize) -> Result<Attached> {
        let index = |at: u64| usize::try_from(at).expect("within the mapping");
        let range = index(range.start)..index(range.end);
        let pin = std::sync::Arc::clone(&self.pin);
        let pages = self.pages_mut()?;
        let page = page_len();
        assert!(range.start.is_multiple_of(page) && range.end <= pages.len() && address.is_multiple_of(page));
        let memory = address..address + range.len().next_multiple_of(page);
        if pages.moved.iter().any(|moved| !moved.part_of(&range).is_empty()) {
            return Err(Error::Busy);
        }
        pages.check(range.clone())?;
        let guard = Guard::without_file(memory.clone(), page).map_err(Error::from)?;
        let target = ptr::with_exposed_provenance_mut::<u8>(address);
        // SAFETY: the caller owns so many bytes, which are mapped, can be written, and are used by nobody else during the call.
        let bytes = unsafe { slice::from_raw_parts_mut(target, memory.len()) };
        let (bytes, tail) = bytes.split_at_mut(range.len());
        if pages.read(range.start, bytes).is_err() {
            // The file was made shorter just now. That is known of the part as if it had happened right after this.
            guard.lose(memory.clone(), Fault::Truncated);
        }
        tail.fill(0);
        let attached = Attached::copied(range, memory, guard, pin);
        pages.note_moved(attached.clone());
        Ok(attached)
    }
}

impl Pages {
    /// Writes what was changed in a part that was copied to other memory back; `lost` are addresses there that hold nothing of value.
    /// Pages that are as they were stay the file's.
    ///
    /// # Safety
    ///
    /// See [`Native::detach`].
    pub(crate) unsafe fn copy_back(&mut self, attached: &Attached, lost: &Range<usize>) {
        let (memory, range) = (attached.memory(), attached.part_of(&(0..self.len())));
        self.moved.retain(|moved| moved.memory() != memory);
        let page = page_len();
        let mut old = vec![0; page];
        for start in range.clone().step_by(page) {
            let count = page.min(range.end - start);
            let source = memory.start + (start - range.start);
            if lost.contains(&source) {
                continue;
            }
            let source = ptr::with_exposed_provenance::<u8>(source);
            // SAFETY: within the part's memory, which is mapped, and which nobody writes to during the call.
            let bytes = unsafe { slice::from_raw_parts(source, count) };
            // What cannot be read or written at home is noted there as lost.
            if self.read(start, &mut old[..count]).is_ok() && old[..count] != *bytes {
                let _ = self.write(start, bytes);
            }
        }
    }
}
