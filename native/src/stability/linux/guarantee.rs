//! Guarantees that bytes of a file do not change, and the memory that they cover.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use wasi_mmap_core::Result;

use super::super::kind::{Stability, unstable};
use super::lease::{self, Lease, Refusal};
use super::permanent::{HOLES, has_holes, is_in_memory, is_mounted_read_only, permanent_stability};

/// A guarantee that the bytes of a file do not change.
#[derive(Debug, Clone)]
pub(crate) enum Guarantee {
    /// Nobody can change them as long as the file exists.
    Permanent(Stability),
    /// Whoever wants to change them waits for this process.
    Lease(Arc<Lease>),
}

impl Guarantee {
    /// Guarantees that a file's bytes do not change, by the strongest means available.
    ///
    /// A file system that is mounted read-only comes last: the administrator of the machine can remount it.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`](wasi_mmap_core::Error::Unsupported), with the reason.
    pub(crate) fn of(file: &File) -> Result<Self> {
        if let Some(stability) = permanent_stability(file)? {
            return Ok(Self::Permanent(stability));
        }
        match Lease::take(file) {
            Ok(lease) => Ok(Self::Lease(lease)),
            // Not where somebody writes: a file system that became read-only by an error keeps its old writers.
            Err(Refusal::Unavailable(_)) if is_mounted_read_only(file) => Self::read_only(file),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Guarantees that a file's bytes do not change as long as it exists.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`](wasi_mmap_core::Error::Unsupported), with the reason.
    pub(crate) fn permanent(file: &File) -> Result<Self> {
        if let Some(stability) = permanent_stability(file)? {
            return Ok(Self::Permanent(stability));
        }
        if !is_mounted_read_only(file) {
            return Err(unstable("it can be written"));
        }
        // As in `of`; the lease itself is not needed.
        match Lease::take(file) {
            Ok(_) | Err(Refusal::Unavailable(_)) => Self::read_only(file),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Returns the guarantee for a file that is mounted read-only.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`](wasi_mmap_core::Error::Unsupported) if there may be no space for holes when they are
    /// read.
    fn read_only(file: &File) -> Result<Self> {
        // Of a description of its own, because the position of the file's own may be somebody else's.
        if is_in_memory(file) && has_holes(&lease::reopen(file)?, &(0..file.metadata()?.len())) {
            return Err(unstable(HOLES));
        }
        Ok(Self::Permanent(Stability::ReadOnly))
    }

    /// Returns whether the guarantee may be kept for later: a file system can be mounted anew.
    pub(crate) fn can_be_kept(&self) -> bool {
        !matches!(self, Self::Permanent(Stability::ReadOnly))
    }

    /// Returns whether [`cover`](Self::cover) returns an error for a range that is not all in the file.
    pub(crate) fn checks_length(&self) -> bool {
        matches!(self, Self::Lease(_))
    }

    /// Returns the reason why the bytes do not change at present.
    pub(crate) fn stability(&self) -> Stability {
        match self {
            Self::Permanent(stability) => *stability,
            Self::Lease(lease) if lease.is_broken() => Stability::Copied,
            Self::Lease(_) => Stability::Lease,
        }
    }

    /// Maps a range of the file with `map`, and covers that memory by the guarantee. No lease ends in between.
    ///
    /// # Safety
    ///
    /// Once `map` has succeeded, the memory is whole pages, mapped privately from the guaranteed file, that can be read
    /// and written if there is a lease, and stable in the registry of faults before anybody else can use it. Until the
    /// returned pages are dropped, they stay mapped, are replaced only under [`StablePages::lock`], and may be replaced
    /// at any moment by other memory with the same bytes that can be read and written. Without `has_stores`, nobody
    /// writes there.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`](wasi_mmap_core::Error::Unsupported) if somebody has begun to write since the guarantee
    /// was given, or the range has holes for which there may be no space;
    /// [`Error::Truncated`](wasi_mmap_core::Error::Truncated) if a leased file ends before the range does; `map` was
    /// not called. The errors of `map`.
    pub(crate) unsafe fn cover<T>(
        &self,
        memory: Range<usize>,
        file_range: &Range<u64>,
        has_stores: bool,
        map: impl FnOnce() -> Result<T>,
    ) -> Result<(StablePages, T)> {
        let mapped = match self {
            Self::Permanent(_) => map()?,
            // SAFETY: the caller's promise.
            Self::Lease(lease) => unsafe { lease.cover(memory.clone(), file_range, has_stores, map) }?,
        };
        Ok((StablePages { guarantee: self.clone(), memory, is_released: AtomicBool::new(false) }, mapped))
    }
}

/// Memory whose bytes do not change, until this is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct StablePages {
    guarantee: Guarantee,
    memory: Range<usize>,
    /// Whether the memory is no longer covered.
    is_released: AtomicBool,
}

impl StablePages {
    /// Returns the reason why the bytes do not change at present.
    pub(crate) fn stability(&self) -> Stability {
        self.guarantee.stability()
    }

    /// Keeps the end of the lease from touching the memory, so that the owner can replace it. Waits if the lease is
    /// just ending.
    pub(crate) fn lock(&self) -> LockedPages<'_> {
        LockedPages(match &self.guarantee {
            Guarantee::Permanent(_) => None,
            // No lease ends in a forked child, and a thread that the child does not have may hold the lock for ever.
            Guarantee::Lease(lease) if lease.is_copy_of_parent() => None,
            Guarantee::Lease(lease) => Some((lease.state(), self)),
        })
    }
}

impl Drop for StablePages {
    fn drop(&mut self) {
        if !*self.is_released.get_mut() {
            self.lock().release();
        }
    }
}

/// Stable pages that their owner may replace: the end of the lease does not touch them meanwhile.
pub(crate) struct LockedPages<'a>(Option<(lease::StateGuard<'a>, &'a StablePages)>);

impl LockedPages<'_> {
    /// Covers the memory by the guarantee no longer.
    pub(crate) fn release(self) {
        if let Some((mut state, pages)) = self.0 {
            state.release(&pages.memory);
            pages.is_released.store(true, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::alone;

    /// A child has the locks as they were when it was made, and not the threads that would release them.
    #[test]
    fn a_forked_child_does_not_wait_for_its_parents_locks() {
        // Without other tests beside it: a child has their files for a moment.
        let name = "stability::linux::guarantee::tests::a_forked_child_does_not_wait_for_its_parents_locks";
        if let Some(output) = alone::run(name) {
            return assert!(output.succeeded, "{output:?}");
        }
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        std::io::Write::write_all(&mut file, &[b'a'; 4096]).expect("it writes");
        let path = file.into_temp_path();
        let Ok(lease) = Lease::take(&File::open(&path).expect("it opens")) else {
            return println!("skipped: no leases");
        };
        let memory = memmap2::MmapMut::map_anon(4096).expect("memory");
        let range = memory.as_ptr().expose_provenance()..memory.as_ptr().addr() + 4096;
        let guarantee = Guarantee::Lease(Arc::clone(&lease));
        // SAFETY: the memory is private, outlives the pages, and nobody uses it.
        let (pages, ()) = unsafe { guarantee.cover(range, &(0..4096), false, || Ok(())) }.expect("nobody writes");
        let state = lease.state();
        // SAFETY: the child drops its copies of these, which takes no lock there, and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            pages.lock().release();
            drop((pages, guarantee));
            // SAFETY: no precondition.
            unsafe { libc::_exit(0) };
        }
        assert!(child > 0);
        let (mut status, started) = (0, Instant::now());
        // SAFETY: the call writes to `status`.
        while unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) } == 0 {
            if started.elapsed() > Duration::from_secs(20) {
                // SAFETY: the child is this process's own, and was not waited for.
                unsafe { libc::kill(child, libc::SIGKILL) };
                panic!("the child waits for a lock");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(status, 0, "the child did not end by itself");
        drop(state);
        assert_eq!(pages.stability(), Stability::Lease);
    }
}
