//! Which memory is ours, in a form that a signal handler can read at any moment: fixed slots, atomics, no locks.

use std::io;
use std::ops::Range;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, compiler_fence, fence};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::Fault;

/// One range of memory. Slots are never freed, only used again.
#[derive(Debug)]
pub(super) struct Slot {
    /// Odd while the fields below change: a reader that sees it odd, or changed, has not seen its own slot.
    version: AtomicUsize,
    start: AtomicUsize,
    end: AtomicUsize,
    descriptor: AtomicI32,
    offset: AtomicU64,
    /// The size of the memory's pages.
    page: AtomicUsize,
    private: AtomicBool,
    /// The first lost address; `usize::MAX` when nothing was lost.
    low: AtomicUsize,
    /// The end of what was lost.
    high: AtomicUsize,
    /// How many times something was lost to a full disk.
    no_space: AtomicUsize,
    /// How many pages were replaced one by one.
    singles: AtomicUsize,
    /// The page that was last made readable, and how often in a row.
    again: AtomicUsize,
    times: AtomicUsize,
}

/// The memory that a slot speaks of.
#[derive(Debug, Clone)]
pub(super) struct Area {
    pub(super) memory: Range<usize>,
    /// The file behind it, or -1.
    pub(super) descriptor: i32,
    /// Where in the file the memory starts.
    pub(super) offset: u64,
    /// The size of the memory's pages: what can be replaced of it at the least.
    pub(super) page: usize,
    /// Whether a write makes a copy of a page, which the file's changes do not reach any more.
    pub(super) private: bool,
}

impl Area {
    const NONE: Self = Self { memory: 0..0, descriptor: -1, offset: 0, page: 0, private: false };
}

/// What the handler needs to know of the memory around a fault.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) slot: &'static Slot,
    pub(super) area: Area,
}

/// The slots come in segments that double in size, so that none ever moves: 64, 128, 256, …
const FIRST_SEGMENT: usize = 64;
static SEGMENTS: [OnceLock<Box<[Slot]>>; 40] = [const { OnceLock::new() }; 40];

/// The slots that are free, for threads; the handler never touches it.
static FREE: Mutex<Vec<&'static Slot>> = Mutex::new(Vec::new());

impl Slot {
    const fn empty() -> Self {
        Self {
            version: AtomicUsize::new(0),
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            descriptor: AtomicI32::new(-1),
            offset: AtomicU64::new(0),
            page: AtomicUsize::new(0),
            private: AtomicBool::new(false),
            low: AtomicUsize::new(usize::MAX),
            high: AtomicUsize::new(0),
            no_space: AtomicUsize::new(0),
            singles: AtomicUsize::new(0),
            again: AtomicUsize::new(0),
            times: AtomicUsize::new(0),
        }
    }

    fn set(&self, area: &Area) {
        self.version.fetch_add(1, AcqRel);
        fence(Release);
        self.start.store(area.memory.start, Relaxed);
        self.end.store(area.memory.end, Relaxed);
        self.descriptor.store(area.descriptor, Relaxed);
        self.offset.store(area.offset, Relaxed);
        self.page.store(area.page, Relaxed);
        self.private.store(area.private, Relaxed);
        self.version.fetch_add(1, AcqRel);
    }

    fn find(&'static self, address: usize) -> Option<Found> {
        let version = self.version.load(Acquire);
        let area = Area {
            memory: self.start.load(Relaxed)..self.end.load(Relaxed),
            descriptor: self.descriptor.load(Relaxed),
            offset: self.offset.load(Relaxed),
            page: self.page.load(Relaxed),
            private: self.private.load(Relaxed),
        };
        fence(Acquire);
        let stable = version.is_multiple_of(2) && version == self.version.load(Relaxed);
        (stable && area.memory.contains(&address)).then_some(Found { slot: self, area })
    }

    /// Notes that a range of addresses is lost. To be called before there is anything in its place: whoever reads what is put
    /// there asks afterwards whether it was lost.
    pub(super) fn lose(&self, memory: Range<usize>, fault: Fault) {
        if fault == Fault::NoSpace {
            self.no_space.fetch_add(1, Relaxed);
        }
        self.high.fetch_max(memory.end, AcqRel);
        self.low.fetch_min(memory.start, AcqRel);
    }

    /// Whether one more page may be replaced alone, which is counted then. If not, all that follows it had better go with it: each
    /// page that is replaced alone may make two more areas of memory, of which a process has some ten thousands.
    pub(super) fn take_single(&self) -> bool {
        let below = |most: usize| move |count: usize| (count < most).then_some(count + 1);
        if SINGLES.try_update(AcqRel, Acquire, below(MOST_SINGLES)).is_err() {
            return false;
        }
        // Counted in all before it is counted here: what is given back was counted.
        let is_taken = self.singles.try_update(AcqRel, Acquire, below(MOST_SINGLES_OF_ONE)).is_ok();
        if !is_taken {
            SINGLES.fetch_sub(1, AcqRel);
        }
        is_taken
    }

    /// Whether a page was made readable so often without another one in between that its faults must be those of writes. What other
    /// threads count into it, or out of it, at the same time makes the answer come a little earlier or later.
    pub(super) fn is_met_again(&self, page: usize) -> bool {
        if self.again.swap(page, Relaxed) != page {
            self.times.store(0, Relaxed);
        }
        self.times.fetch_add(1, Relaxed) >= MOST_TIMES
    }
}

/// How many pages of the memory of one slot may be replaced alone.
const MOST_SINGLES_OF_ONE: usize = 16;

/// How many pages of all memory together: with two areas each, a thirtieth of the 65,530 that a process has on Linux.
const MOST_SINGLES: usize = 1024;

/// How many were.
static SINGLES: AtomicUsize = AtomicUsize::new(0);

/// How often a page may be made readable in a row. A file that becomes shorter and longer all the time seldom does so at the right
/// moments more than twice.
const MOST_TIMES: usize = 64;

/// The slot that an address lies in. Safe to call in a signal handler.
pub(super) fn find(address: usize) -> Option<Found> {
    SEGMENTS.iter().map_while(OnceLock::get).flatten().find_map(|slot| slot.find(address))
}

/// A slot that is in use.
#[derive(Debug)]
pub(super) struct Lease(&'static Slot);

/// Takes a slot into use.
///
/// # Errors
///
/// `OutOfMemory`.
pub(super) fn lease(area: &Area) -> io::Result<Lease> {
    let slot = {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        match free.pop() {
            Some(slot) => slot,
            None => add_segment(&mut free)?,
        }
    };
    slot.set(area);
    Ok(Lease(slot))
}

/// Adds the next segment and answers one of its slots; the others become free.
fn add_segment(free: &mut Vec<&'static Slot>) -> io::Result<&'static Slot> {
    let index = SEGMENTS.iter().take_while(|segment| segment.get().is_some()).count();
    let count = FIRST_SEGMENT << index;
    let mut slots = Vec::new();
    slots.try_reserve_exact(count).map_err(|_| io::ErrorKind::OutOfMemory)?;
    // Room for all slots that there are: giving one back needs no memory then, and cannot fail.
    free.try_reserve(2 * count).map_err(|_| io::ErrorKind::OutOfMemory)?;
    slots.resize_with(count, Slot::empty);
    let slots = SEGMENTS[index].get_or_init(|| slots.into_boxed_slice());
    free.extend(&slots[1..]);
    Ok(&slots[0])
}

impl Lease {
    /// Speaks of other memory from now on. What was lost stays lost.
    #[cfg(target_os = "linux")]
    pub(super) fn set(&self, area: &Area) {
        self.0.set(area);
    }

    /// Whether nothing before `end` was lost, as far as the first lost address tells: if not, [`lost`](Self::lost) knows more.
    #[inline]
    pub(super) fn is_sound_to(&self, end: usize) -> bool {
        // The handler runs in the middle of the access before this call, in this thread or in another one that met the hole
        // first: keep the compiler from asking too early, and a processor that would read the mark before the bytes.
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

    pub(super) fn lost_range(&self) -> Range<usize> {
        let (low, high) = (self.0.low.load(Acquire), self.0.high.load(Acquire));
        if low < high { low..high } else { 0..0 }
    }

    /// Forgets what was lost. The pages that were replaced are to be replaced by others, or to go, now or just before.
    pub(super) fn forget(&self) {
        self.0.low.store(usize::MAX, Relaxed);
        self.0.high.store(0, Relaxed);
        self.0.no_space.store(0, Release);
        SINGLES.fetch_sub(self.0.singles.swap(0, AcqRel), AcqRel);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.set(&Area::NONE);
        self.forget();
        FREE.lock().unwrap_or_else(PoisonError::into_inner).push(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease_of(memory: Range<usize>, offset: u64) -> Lease {
        lease(&Area { memory, descriptor: -1, offset, page: 0x1000, private: false }).expect("memory for a slot")
    }

    #[test]
    fn an_address_is_found_while_its_slot_is_leased() {
        let base = 0x7000_0000_0000;
        // More than fit into one segment; Miri takes half an hour for so many.
        let count = if cfg!(miri) { 20 } else { 500 };
        let leases: Vec<_> =
            (0..count).map(|i| lease_of(base + i * 0x1000..base + (i + 1) * 0x1000, i as u64)).collect();
        for i in 0..count {
            let found = find(base + i * 0x1000 + 5).expect("it is leased");
            assert_eq!(found.area.offset, i as u64);
        }
        assert!(find(base + count * 0x1000).is_none());
        drop(leases);
        assert!(find(base + 5).is_none());
    }

    #[test]
    fn only_what_was_lost_is_lost() {
        let lease = lease_of(0x6000_0000_0000..0x6000_0000_8000, 0);
        assert_eq!(lease.lost(0x6000_0000_0000..0x6000_0000_8000), None);
        find(0x6000_0000_2000).expect("it is leased").slot.lose(0x6000_0000_2000..0x6000_0000_3000, Fault::Truncated);
        assert_eq!(lease.lost(0x6000_0000_0000..0x6000_0000_2000), None);
        assert_eq!(lease.lost(0x6000_0000_0000..0x6000_0000_2001), Some(Fault::Truncated));
        assert_eq!(lease.lost(0x6000_0000_2fff..0x6000_0000_3000), Some(Fault::Truncated));
        assert_eq!(lease.lost(0x6000_0000_3000..0x6000_0000_8000), None);
        assert_eq!(lease.lost_range(), 0x6000_0000_2000..0x6000_0000_3000);
        lease.forget();
        assert_eq!(lease.lost(0x6000_0000_0000..0x6000_0000_8000), None);
    }

    #[test]
    fn pages_that_are_replaced_alone_are_counted_and_given_back() {
        let lease = lease_of(0x5000_0000_0000..0x5000_1000_0000, 0);
        for _ in 0..3 {
            let taken = (0..100).filter(|_| lease.0.take_single()).count();
            assert_eq!(taken, MOST_SINGLES_OF_ONE);
            lease.forget();
        }
        // As many as there may be in all, by other slots. Other tests of this process take none.
        let base = 0x4000_0000_0000;
        let others: Vec<_> = (0..200).map(|i| lease_of(base + i * 0x1000..base + (i + 1) * 0x1000, 0)).collect();
        let taken = |other: &Lease| (0..20).filter(|_| other.0.take_single()).count();
        assert_eq!(others.iter().map(taken).sum::<usize>(), MOST_SINGLES);
        assert!(!lease.0.take_single());
        drop(others);
        assert!(lease.0.take_single());
        drop(lease);
        assert_eq!(SINGLES.load(Acquire), 0);
    }
}
