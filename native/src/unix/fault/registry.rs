//! The guarded ranges of memory, in a form that a signal handler can read at any moment: slots that never move,
//! atomics, no locks.

use std::io;
use std::ops::Range;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, compiler_fence, fence};
use std::sync::{Mutex, OnceLock, PoisonError};

use wasi_mmap_core::Error;

/// The reason why bytes of a mapping were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The file ends before the page.
    Truncated,
    /// The file has the page, but there is no space for it.
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

/// One range of memory. Slots are never freed, only reused.
#[derive(Debug)]
pub(super) struct Slot {
    /// A sequence lock: odd while the fields below change. A reader that sees it odd, or changed, has read a slot that
    /// is not its own.
    version: AtomicUsize,
    start: AtomicUsize,
    end: AtomicUsize,
    descriptor: AtomicI32,
    file_offset: AtomicU64,
    /// The size of the memory's pages.
    page: AtomicUsize,
    private: AtomicBool,
    /// The end of the bytes that are lost if the file has them no longer. Those after them are zeros past its end.
    had_end: AtomicUsize,
    /// The first page that may be zeros because the file ended before it; `usize::MAX` if there is none. All after it
    /// may be zeros, too.
    zeros_from: AtomicUsize,
    /// The first lost address; `usize::MAX` when nothing was lost.
    low: AtomicUsize,
    /// The end of what was lost.
    high: AtomicUsize,
    /// The number of times that something was lost to a full disk.
    no_space: AtomicUsize,
    /// The number of pages that were replaced singly.
    singles: AtomicUsize,
    /// The page that was last made readable.
    last_populated: AtomicUsize,
    /// The number of times in a row that it was.
    repeats: AtomicUsize,
    /// Whether the bytes were promised not to change, so that a fault cannot be repaired.
    is_stable: AtomicBool,
}

/// The memory that a slot describes.
#[derive(Debug, Clone)]
pub(super) struct Area {
    pub(super) memory: Range<usize>,
    /// The mapped file, or -1.
    pub(super) descriptor: i32,
    /// The offset in the file that the memory starts at.
    pub(super) file_offset: u64,
    /// The size of the memory's pages: the smallest part that can be replaced.
    pub(super) page: usize,
    /// Whether a write copies the page, after which it no longer shows changes of the file.
    pub(super) private: bool,
    /// The end of the bytes that are lost if the file has them no longer; `usize::MAX` if all are. Those after them are
    /// zeros past the end of the file.
    pub(super) had_end: usize,
}

impl Area {
    pub(super) const NONE: Self =
        Self { memory: 0..0, descriptor: -1, file_offset: 0, page: 0, private: false, had_end: usize::MAX };

    /// Returns whether the memory may reach past the end of its file.
    pub(super) fn reaches_beyond_end(&self) -> bool {
        self.had_end != usize::MAX
    }
}

/// A slot and its memory, as the handler finds them.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) slot: &'static Slot,
    pub(super) area: Area,
}

/// The slots, in segments that double in size (64, 128, 256, …), so that none ever moves.
const FIRST_SEGMENT: usize = 64;
static SEGMENTS: [OnceLock<Box<[Slot]>>; 40] = [const { OnceLock::new() }; 40];

/// The free slots. The handler never touches this lock.
static FREE: Mutex<Vec<&'static Slot>> = Mutex::new(Vec::new());

impl Slot {
    const fn empty() -> Self {
        Self {
            version: AtomicUsize::new(0),
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            descriptor: AtomicI32::new(-1),
            file_offset: AtomicU64::new(0),
            page: AtomicUsize::new(0),
            private: AtomicBool::new(false),
            had_end: AtomicUsize::new(usize::MAX),
            zeros_from: AtomicUsize::new(usize::MAX),
            low: AtomicUsize::new(usize::MAX),
            high: AtomicUsize::new(0),
            no_space: AtomicUsize::new(0),
            singles: AtomicUsize::new(0),
            last_populated: AtomicUsize::new(0),
            repeats: AtomicUsize::new(0),
            is_stable: AtomicBool::new(false),
        }
    }

    fn set(&self, area: &Area) {
        self.version.fetch_add(1, AcqRel);
        fence(Release);
        self.start.store(area.memory.start, Relaxed);
        self.end.store(area.memory.end, Relaxed);
        self.descriptor.store(area.descriptor, Relaxed);
        self.file_offset.store(area.file_offset, Relaxed);
        self.page.store(area.page, Relaxed);
        self.private.store(area.private, Relaxed);
        self.had_end.store(area.had_end, Relaxed);
        self.version.fetch_add(1, AcqRel);
    }

    fn find(&'static self, address: usize) -> Option<Found> {
        let version = self.version.load(Acquire);
        let area = Area {
            memory: self.start.load(Relaxed)..self.end.load(Relaxed),
            descriptor: self.descriptor.load(Relaxed),
            file_offset: self.file_offset.load(Relaxed),
            page: self.page.load(Relaxed),
            private: self.private.load(Relaxed),
            had_end: self.had_end.load(Relaxed),
        };
        fence(Acquire);
        let stable = version.is_multiple_of(2) && version == self.version.load(Relaxed);
        (stable && area.memory.contains(&address)).then_some(Found { slot: self, area })
    }

    /// Records that a range of addresses is lost. Must be called before anything is put in its place: whoever reads the
    /// replacement checks for the loss afterwards.
    pub(super) fn lose(&self, memory: Range<usize>, fault: Fault) {
        if fault == Fault::NoSpace {
            self.no_space.fetch_add(1, Relaxed);
        }
        self.high.fetch_max(memory.end, AcqRel);
        self.low.fetch_min(memory.start, AcqRel);
    }

    /// Records that the pages from an address on may be zeros because the file ended before them.
    ///
    /// Must be called before they are put there: whoever meets them looks it up afterwards. And again after that: whoever
    /// has put the file back meanwhile has forgotten it.
    pub(super) fn add_zeros(&self, from: usize) {
        if self.zeros_from.fetch_min(from, AcqRel) == usize::MAX && from != usize::MAX {
            ZEROS.fetch_add(1, AcqRel);
        }
    }

    fn take_zeros(&self) -> Option<usize> {
        let from = Some(self.zeros_from.swap(usize::MAX, AcqRel)).filter(|&from| from != usize::MAX);
        if from.is_some() {
            ZEROS.fetch_sub(1, AcqRel);
        }
        from
    }

    /// Returns whether a write copies the page, at this moment.
    pub(super) fn is_private(&self) -> bool {
        self.private.load(Acquire)
    }

    /// Returns whether the bytes were promised not to change.
    pub(super) fn is_stable(&self) -> bool {
        self.is_stable.load(Acquire)
    }

    /// Counts one more page that is replaced singly, and returns true, unless the limit is reached. Then all memory
    /// from the page on should be replaced at once: each single page may split an area of memory in three, and a
    /// process may only have some tens of thousands of areas.
    pub(super) fn count_single(&self) -> bool {
        let below = |max: usize| move |count: usize| (count < max).then_some(count + 1);
        if SINGLES.try_update(AcqRel, Acquire, below(MAX_SINGLES)).is_err() {
            return false;
        }
        // The global count goes first, so that whatever is given back here has been counted there.
        let is_counted = self.singles.try_update(AcqRel, Acquire, below(MAX_SINGLES_OF_SLOT)).is_ok();
        if !is_counted {
            SINGLES.fetch_sub(1, AcqRel);
        }
        is_counted
    }

    /// Records that a page was made readable. Returns whether this happened so often in a row that its faults must come
    /// from writes. Other threads that count at the same time make this true a little earlier or later.
    pub(super) fn count_repeat(&self, page: usize) -> bool {
        if self.last_populated.swap(page, Relaxed) != page {
            self.repeats.store(0, Relaxed);
        }
        self.repeats.fetch_add(1, Relaxed) >= MAX_REPEATS
    }
}

/// The number of pages that may be replaced singly in the memory of one slot.
const MAX_SINGLES_OF_SLOT: usize = 16;

/// The number in all slots together: with two areas each, a thirtieth of the 65,530 areas that a process may have on
/// Linux.
const MAX_SINGLES: usize = 1024;

/// The number of pages that are replaced singly at present, in all slots.
static SINGLES: AtomicUsize = AtomicUsize::new(0);

/// The number of times in a row that a page may be made readable. Even a file that shrinks and grows all the time
/// seldom does so at the right moments more than twice.
const MAX_REPEATS: usize = 64;

/// The number of slots with zeros past the end of a file.
static ZEROS: AtomicUsize = AtomicUsize::new(0);

/// Returns whether any slot has zeros past the end of a file.
pub(super) fn has_zeros() -> bool {
    ZEROS.load(Acquire) != 0
}

/// Returns the slot whose memory contains an address. Async-signal-safe.
pub(super) fn find(address: usize) -> Option<Found> {
    SEGMENTS.iter().map_while(OnceLock::get).flatten().find_map(|slot| slot.find(address))
}

/// A slot in use. Dropping it frees the slot.
#[derive(Debug)]
pub(super) struct OwnedSlot(&'static Slot);

/// Adds the next segment. Returns one of its slots; the others become free.
fn add_segment(free: &mut Vec<&'static Slot>) -> io::Result<&'static Slot> {
    let index = SEGMENTS.iter().take_while(|segment| segment.get().is_some()).count();
    let count = FIRST_SEGMENT << index;
    let mut slots = Vec::new();
    slots.try_reserve_exact(count).map_err(|_| io::ErrorKind::OutOfMemory)?;
    // Room for all existing slots, so that freeing one needs no memory and cannot fail.
    free.try_reserve(2 * count).map_err(|_| io::ErrorKind::OutOfMemory)?;
    slots.resize_with(count, Slot::empty);
    let slots = SEGMENTS[index].get_or_init(|| slots.into_boxed_slice());
    free.extend(&slots[1..]);
    Ok(&slots[0])
}

impl OwnedSlot {
    /// Takes a free slot and describes `area` in it.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`.
    pub(super) fn register(area: &Area) -> io::Result<Self> {
        let slot = {
            let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
            match free.pop() {
                Some(slot) => slot,
                None => add_segment(&mut free)?,
            }
        };
        slot.set(area);
        Ok(Self(slot))
    }

    /// Describes other memory from now on. What was lost stays lost.
    #[cfg(target_os = "linux")]
    pub(super) fn set(&self, area: &Area) {
        self.0.set(area);
    }

    /// Sets whether a write copies the page. The handler finds the slot all the time: the version does not change.
    pub(super) fn set_private(&self, private: bool) {
        self.0.private.store(private, Release);
    }

    /// Returns whether nothing before `end` was lost. A quick test of the first lost address; [`lost`](Self::lost) is
    /// precise.
    #[inline]
    pub(super) fn is_sound_to(&self, end: usize) -> bool {
        // The handler runs during the access before this call, in this thread or in another one that faulted first. The
        // fences keep the compiler and the processor from loading the lost address before the bytes.
        compiler_fence(AcqRel);
        fence(Acquire);
        end <= self.0.low.load(Acquire)
    }

    pub(super) fn lost(&self, memory: Range<usize>) -> Option<Fault> {
        if self.is_sound_to(memory.end) || memory.is_empty() || memory.start >= self.0.high.load(Acquire) {
            return None;
        }
        Some(if self.0.no_space.load(Relaxed) == 0 { Fault::Truncated } else { Fault::NoSpace })
    }

    pub(super) fn lose(&self, memory: Range<usize>, fault: Fault) {
        self.0.lose(memory, fault);
    }

    /// Returns the first page that may be zeros because the file ended before it.
    #[inline]
    pub(super) fn zeros_from(&self) -> Option<usize> {
        compiler_fence(AcqRel);
        fence(Acquire);
        Some(self.0.zeros_from.load(Acquire)).filter(|&from| from != usize::MAX)
    }

    /// Takes the record of these zeros, before the file is put back in their place.
    pub(super) fn take_zeros(&self) -> Option<usize> {
        self.0.take_zeros()
    }

    /// Records that pages may be zeros because the file ended before them.
    pub(super) fn add_zeros(&self, from: usize) {
        self.0.add_zeros(from);
    }

    /// Sets the end of the bytes that are lost if the file has them no longer. The handler finds the slot all the time:
    /// the version does not change.
    pub(super) fn set_had_end(&self, end: usize) {
        self.0.had_end.store(end, Release);
    }

    /// Records that the bytes were promised not to change, as long as the slot is in use.
    pub(super) fn set_stable(&self) {
        self.0.is_stable.store(true, Release);
    }

    pub(super) fn lost_range(&self) -> Range<usize> {
        let (low, high) = (self.0.low.load(Acquire), self.0.high.load(Acquire));
        if low < high { low..high } else { 0..0 }
    }

    /// Forgets what was lost. The replaced pages must be replaced by others, or be unmapped, right before or after.
    pub(super) fn forget(&self) {
        self.0.low.store(usize::MAX, Relaxed);
        self.0.high.store(0, Relaxed);
        self.0.no_space.store(0, Release);
        SINGLES.fetch_sub(self.0.singles.swap(0, AcqRel), AcqRel);
    }
}

impl Drop for OwnedSlot {
    fn drop(&mut self) {
        self.0.set(&Area::NONE);
        self.0.is_stable.store(false, Release);
        // The next owner may have the same page.
        self.0.repeats.store(0, Relaxed);
        self.0.take_zeros();
        self.forget();
        FREE.lock().unwrap_or_else(PoisonError::into_inner).push(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(memory: Range<usize>, file_offset: u64) -> OwnedSlot {
        let area = Area { memory, file_offset, page: 0x1000, ..Area::NONE };
        OwnedSlot::register(&area).expect("memory for a slot")
    }

    #[test]
    fn an_address_is_found_while_its_slot_is_in_use() {
        let base = 0x7000_0000_0000;
        // More than fit into one segment, except in Miri, where so many take half an hour.
        let count = if cfg!(miri) { 20 } else { 500 };
        let slots: Vec<_> =
            (0..count).map(|i| register(base + i * 0x1000..base + (i + 1) * 0x1000, i as u64)).collect();
        for i in 0..count {
            let found = find(base + i * 0x1000 + 5).expect("it is in use");
            assert_eq!(found.area.file_offset, i as u64);
        }
        assert!(find(base + count * 0x1000).is_none());
        drop(slots);
        assert!(find(base + 5).is_none());
    }

    #[test]
    fn only_recorded_ranges_are_lost() {
        let slot = register(0x6000_0000_0000..0x6000_0000_8000, 0);
        assert_eq!(slot.lost(0x6000_0000_0000..0x6000_0000_8000), None);
        find(0x6000_0000_2000).expect("it is in use").slot.lose(0x6000_0000_2000..0x6000_0000_3000, Fault::Truncated);
        assert_eq!(slot.lost(0x6000_0000_0000..0x6000_0000_2000), None);
        assert_eq!(slot.lost(0x6000_0000_0000..0x6000_0000_2001), Some(Fault::Truncated));
        assert_eq!(slot.lost(0x6000_0000_2fff..0x6000_0000_3000), Some(Fault::Truncated));
        assert_eq!(slot.lost(0x6000_0000_3000..0x6000_0000_8000), None);
        assert_eq!(slot.lost_range(), 0x6000_0000_2000..0x6000_0000_3000);
        slot.forget();
        assert_eq!(slot.lost(0x6000_0000_0000..0x6000_0000_8000), None);
    }

    #[test]
    fn pages_that_are_replaced_singly_are_counted_and_given_back() {
        let slot = register(0x5000_0000_0000..0x5000_1000_0000, 0);
        for _ in 0..3 {
            let taken = (0..100).filter(|_| slot.0.count_single()).count();
            assert_eq!(taken, MAX_SINGLES_OF_SLOT);
            slot.forget();
        }
        // Other slots use up the global limit. No other test of this process counts any.
        let base = 0x4000_0000_0000;
        let others: Vec<_> = (0..200).map(|i| register(base + i * 0x1000..base + (i + 1) * 0x1000, 0)).collect();
        let taken = |other: &OwnedSlot| (0..20).filter(|_| other.0.count_single()).count();
        assert_eq!(others.iter().map(taken).sum::<usize>(), MAX_SINGLES);
        assert!(!slot.0.count_single());
        drop(others);
        assert!(slot.0.count_single());
        drop(slot);
        assert_eq!(SINGLES.load(Acquire), 0);
    }
}
