//! Pages that lie elsewhere for the time being, in a window: how they go there and come back.

use std::ops::Range;
use std::ptr;

use wasi_mmap_core::{Error, Result};

use super::attach::Attached;
use crate::pages::Pages;

impl Pages {
    /// Moves pages to other memory. [`note_moved`](Self::note_moved) is to be called next.
    ///
    /// # Safety
    ///
    /// See [`Native::attach`](crate::Native::attach).
    pub(crate) unsafe fn move_to(&mut self, range: Range<usize>, memory: Range<usize>) -> Result<()> {
        if self.moved.iter().any(|moved| !moved.part_of(&range).is_empty()) {
            return Err(Error::Busy);
        }
        self.map.check(range.clone())?;
        let home = self.pointer(&range) as usize;
        // SAFETY: whole pages of this mapping, which nobody uses: `&mut self`. The others are the caller's.
        unsafe { move_pages(home, memory.start, memory.len()) }.map_err(|error| {
            // Several areas, or a kernel before Linux 5.13: the caller can do without.
            Error::Unsupported(format!("moving these pages: {error}").into())
        })?;
        Ok(())
    }

    /// Notes where pages were moved.
    pub(crate) fn note_moved(&mut self, attached: Attached) {
        self.moved.push(attached);
    }

    /// Moves pages back from where they were moved; `lost` are addresses there that hold nothing of value.
    ///
    /// # Safety
    ///
    /// See [`Native::detach`](crate::Native::detach).
    pub(crate) unsafe fn move_back(&mut self, attached: &Attached, lost: &Range<usize>) {
        let (memory, range) = (attached.memory(), attached.part_of(&(0..self.len())));
        self.moved.retain(|moved| moved.memory() != memory);
        let home = self.pointer(&range) as usize;
        // SAFETY: both are whole pages of the same length; nobody uses either, by `&mut self` and the caller's promise.
        if lost.is_empty() && unsafe { move_pages(memory.start, home, memory.len()) }.is_ok() {
            return;
        }
        // The pages are not one area any more, since some were lost. The others are copied.
        let (before, after) =
            if lost.is_empty() { (memory.clone(), 0..0) } else { (memory.start..lost.start, lost.end..memory.end) };
        for part in [before, after].into_iter().filter(|part| !part.is_empty()) {
            let start = range.start + (part.start - memory.start);
            let count = part.len().min(range.end.saturating_sub(start));
            let target = self.pointer(&(start..start + count));
            let source = ptr::with_exposed_provenance::<u8>(part.start);
            // SAFETY: the pages are still at `memory`, whose owner leaves them alone, and the target is this mapping's, as
            // `pointer` checked. The two are apart.
            unsafe { target.copy_from_nonoverlapping(source, count) };
        }
    }
}

/// Moves pages from one place to another, where others were. Linux `mremap(2)`.
///
/// The place that they leave stays mapped, so that no other thread can be given it: what is there is the file's content, or
/// zeros.
///
/// # Safety
///
/// Both are whole pages of the same length that are mapped; nobody uses either during the call.
#[cfg(target_os = "linux")]
unsafe fn move_pages(from: usize, to: usize, len: usize) -> std::io::Result<()> {
    use rustix::mm::MremapFlags;

    /// `MREMAP_DONTUNMAP`, which takes the pages of a file since Linux 5.13.
    const LEAVE_MAPPED: MremapFlags = MremapFlags::from_bits_retain(4);
    let (from, to) = (ptr::with_exposed_provenance_mut(from), ptr::with_exposed_provenance_mut(to));
    // SAFETY: the caller's promise.
    unsafe { rustix::mm::mremap_fixed(from, len, len, MremapFlags::MAYMOVE | LEAVE_MAPPED, to) }?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
unsafe fn move_pages(_: usize, _: usize, _: usize) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
