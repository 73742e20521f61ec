//! Read leases on files: whoever wants to write waits until the lease is given up. Linux `fcntl(2)`.

use std::cell::OnceCell;
use std::fs::{File, OpenOptions};
use std::io;
use std::mem;
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use wasi_mmap_core::{Error, Result};

use super::super::kind::unstable;
use super::deadline::Deadline;
use super::permanent::{HOLES, has_holes, is_in_memory, length};
use super::watch::{self, Breakable, Watcher};
use super::{copy, fcntl};
use crate::sys::{allow_pauses, die};

/// A read lease, until it is dropped or somebody wants to write.
#[derive(Debug)]
pub(crate) struct Lease {
    /// The number of the descriptor in `State::file`.
    descriptor: RawFd,
    state: Mutex<State>,
    /// Whether the lease was given up.
    is_broken: AtomicBool,
    /// The process that took the lease. A forked child has a copy of this, and not the lease.
    process: u32,
    /// Whether the file is in memory, where a hole needs space when it is read.
    is_in_memory: bool,
    /// The time after which the kernel takes the lease from whoever keeps a writer waiting, as it was when the lease
    /// was taken. `None` if it never does.
    break_time: Option<Duration>,
}

/// The memory that the lease covers. The thread that breaks leases locks it, so nobody may open a file, or do anything
/// else that may wait for the end of a lease, while holding the lock.
#[derive(Debug)]
pub(crate) struct State {
    /// The only descriptor of an open file description of its own. No mapping uses it. `None` after it had to be closed
    /// to end the lease.
    file: Option<File>,
    covered: Vec<Covered>,
    /// The last moment before which nobody had begun to wait for the end of the lease.
    uncontested: Instant,
    /// The moment by which the lease must be given up, which does not change once somebody waits. `None` if there is
    /// none: the writer waits for ever.
    deadline: OnceCell<Option<Instant>>,
    /// Ends the process at the deadline, while memory is still to be copied: also between attempts, when the thread may
    /// be busy with another lease.
    limit: Option<Deadline>,
}

/// Memory that a lease covers.
#[derive(Debug)]
struct Covered {
    memory: Range<usize>,
    /// The part of the memory that is still the file's: less than all of it after an attempt that failed.
    remaining: Range<usize>,
    has_stores: bool,
}

pub(super) type StateGuard<'a> = MutexGuard<'a, State>;

/// The reason why there is no lease.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The kernel gives none, for another reason than that somebody has the file open for writing.
    Unavailable(Error),
    Other(Error),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let (Refusal::Unavailable(error) | Refusal::Other(error)) = refusal;
        error
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl State {
    /// Covers memory no longer.
    pub(super) fn release(&mut self, memory: &Range<usize>) {
        self.covered.retain(|covered| covered.memory != *memory);
        if self.covered.is_empty() {
            self.limit = None;
        }
    }
}

impl Lease {
    /// Takes a lease on a file of a local file system.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`], with the reason.
    pub(super) fn take(file: &File) -> Result<Arc<Self>, Refusal> {
        Self::take_with(file, |_| {})
    }

    /// As [`take`](Self::take), and calls `meanwhile` when the lease is registered and not yet taken: for tests.
    fn take_with(file: &File, meanwhile: impl FnOnce(&Arc<Self>)) -> Result<Arc<Self>, Refusal> {
        let watcher = watch::watcher()?;
        let break_time = watch::break_time().ok_or_else(|| {
            unstable("/proc/sys/fs/lease-break-time cannot be read, which limits how long a lease lasts")
        })?;
        let own = reopen(file)?;
        let lease = Arc::new(Self {
            descriptor: own.as_raw_fd(),
            is_in_memory: is_in_memory(&own),
            state: Mutex::new(State {
                file: Some(own),
                covered: Vec::new(),
                uncontested: Instant::now(),
                deadline: OnceCell::new(),
                limit: None,
            }),
            is_broken: AtomicBool::new(false),
            process: std::process::id(),
            break_time,
        });
        // Registered first: as soon as there is a lease, somebody may wait for its end. The lock keeps the thread from
        // finding the file without a lease and taking the lease for broken. Nothing here can wait under it.
        let mut state = lease.state();
        let weak = Arc::downgrade(&lease);
        watch::add(lease.descriptor, weak);
        meanwhile(&lease);
        state.uncontested = Instant::now();
        let outcome = state.file.as_ref().map_or(Ok(()), |file| acquire(file, watcher));
        // After a failure there is no lease to give up.
        lease.is_broken.store(outcome.is_err(), Relaxed);
        drop(state);
        outcome.map_err(|error| explain(&error))?;
        Ok(lease)
    }

    /// Returns whether the lease was given up. The memory that it covered is a copy then.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken.load(Relaxed)
    }

    /// Returns whether this is a forked child's copy of its parent's lease.
    pub(super) fn is_copy_of_parent(&self) -> bool {
        self.process != std::process::id()
    }

    pub(super) fn state(&self) -> StateGuard<'_> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Maps a range of the file with `map`, and covers that memory by the lease.
    ///
    /// # Safety
    ///
    /// Once `map` has succeeded, the memory is whole pages, mapped privately from the leased file, that can be read and
    /// written, and stable in the registry of faults before anybody else can use it. Until it is
    /// [released](State::release), it stays mapped, is replaced only under the lock of [`state`](Self::state), and may
    /// be replaced at any moment by other memory with the same bytes that can be read and written. Without
    /// `has_stores`, nobody writes there.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if somebody wants to write, or the range has holes for which there may be no space;
    /// [`Error::Truncated`] if the file ends before the range does; the errors of `map`.
    pub(super) unsafe fn cover<T>(
        &self,
        memory: Range<usize>,
        file_range: &Range<u64>,
        has_stores: bool,
        map: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        if has_stores {
            allow_pauses()?;
        }
        let mut state = self.state();
        // What cannot be broken now will be broken by the thread.
        let is_uncontested = self.try_break(&mut state).is_ok() && !self.is_broken();
        let Some(file) = state.file.as_ref().filter(|_| is_uncontested) else {
            return Err(unstable("it is just being opened for writing or truncated"));
        };
        // The length cannot change but by whoever opens the file with `O_RDONLY` and `O_TRUNC`.
        if length(file)? < file_range.end {
            return Err(Error::Truncated);
        }
        if self.is_in_memory && has_holes(file, file_range) {
            return Err(unstable(HOLES));
        }
        // Breaking the lease needs the lock, and had not begun when the lease was checked, so it will find the memory.
        let mapped = map()?;
        state.covered.push(Covered { remaining: memory.clone(), memory, has_stores });
        Ok(mapped)
    }

    /// Gives the lease up if somebody waits for its end, after the covered memory has been replaced by copies.
    ///
    /// # Errors
    ///
    /// There is no memory for the copies. It must be tried again, until the deadline, at which the process ends.
    fn try_break(&self, state: &mut State) -> io::Result<()> {
        let State { file: own, covered, uncontested, deadline, limit } = state;
        let Some(file) = own.as_ref().filter(|_| !self.is_broken()) else { return Ok(()) };
        // The time from before the call: this thread may be kept waiting right after it.
        let now = Instant::now();
        if fcntl::has_lease(file) {
            *uncontested = now;
            return Ok(());
        }
        // Somewhat before the kernel takes the lease, by the time that it goes by: that of the moment at which the
        // first one began to wait.
        let deadline = *deadline.get_or_init(|| {
            let break_time = watch::break_time().unwrap_or(self.break_time);
            break_time.map(|time| *uncontested + time * 3 / 4)
        });
        let was_covered = !covered.is_empty();
        if limit.is_none() && was_covered {
            *limit = deadline.map(Deadline::set);
        }
        while let Some(Covered { remaining, has_stores, .. }) = covered.last_mut() {
            // SAFETY: the caller of `cover` promised that the memory may be replaced until it is released, which needs
            // the lock that is held here, and whether there are stores.
            if let Err(error) = unsafe { copy::try_replace(remaining, *has_stores, deadline) } {
                if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    // The kernel is about to let the waiting writer go on, and bytes would change that must not.
                    die(&format!(
                        "the bytes of a leased file could not be copied before another process writes: {error}"
                    ));
                }
                return Err(error);
            }
            covered.pop();
        }
        if was_covered && deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            die("the bytes of a leased file were copied too slowly: another process may have changed them meanwhile");
        }
        *limit = None;
        self.is_broken.store(true, Relaxed);
        if let Err(error) = fcntl::release_lease(file) {
            match Errno::from_io_error(&error) {
                // The kernel has taken the lease, so the bytes may have changed before they were copied.
                Some(Errno::AGAIN) if was_covered => {
                    die(&format!("the lease of a mapped file ended before its bytes were copied: {error}"))
                }
                Some(Errno::AGAIN) => {}
                // The file has another owner now, or this process has lost its rights. Closing the only descriptor of
                // the description ends the lease without asking for them.
                _ => {
                    watch::remove(self.descriptor);
                    *own = None;
                }
            }
        }
        Ok(())
    }
}

fn acquire(file: &File, watcher: Watcher) -> io::Result<()> {
    // The order matters: without the first two calls, the kernel would send SIGIO to the process, which ends it.
    fcntl::set_owner(file, watcher.thread)?;
    fcntl::set_signal(file, watcher.signal)?;
    fcntl::take_lease(file)
}

impl Breakable for Lease {
    fn break_if_contested(&self) -> bool {
        self.try_break(&mut self.state()).is_ok()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let is_copy_of_parent = self.is_copy_of_parent();
        let is_broken = self.is_broken();
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if is_copy_of_parent {
            // The parent's lease goes on, and locks may be held for ever by threads that this process does not have.
            mem::forget(state.limit.take());
            return;
        }
        if let Some(file) = &state.file {
            watch::remove(self.descriptor);
            if !is_broken {
                // A forked child may share the description and keep its lease alive. The lease covers nothing any more.
                let _ = fcntl::release_lease(file);
            }
        }
    }
}

/// Opens a file again, for reading: the lease belongs to the open file description, which others may share.
pub(super) fn reopen(file: &File) -> Result<File> {
    // Without waiting: another process may have a write lease, which opening the file would break.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let opened = OpenOptions::new().read(true).custom_flags(nonblocking).open(path);
    let opened = opened.map_err(|error| unstable(&format!("it cannot be opened again through /proc: {error}")))?;
    let identity = |file: &File| file.metadata().map(|found| (found.dev(), found.ino())).ok();
    if identity(&opened).is_none() || identity(&opened) != identity(file) {
        return Err(unstable("/proc leads to another file"));
    }
    Ok(opened)
}

/// Returns the refusal of a lease, with the reason and a remedy.
fn explain(error: &io::Error) -> Refusal {
    match Errno::from_io_error(error) {
        Some(Errno::AGAIN) => Refusal::Other(unstable(
            "a process, perhaps this one, has it open for writing or mapped for writing, and must close it first",
        )),
        Some(Errno::ACCESS | Errno::PERM) => Refusal::Unavailable(unstable(
            "a lease is only for the file's owner; run as that user, or with the capability CAP_LEASE",
        )),
        Some(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            Refusal::Unavailable(unstable("this file system or kernel gives no leases; see /proc/sys/fs/leases-enable"))
        }
        _ => Refusal::Other(unstable(&format!("taking a lease: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alone;

    /// This happened once in some hundred processes: the thread checks a lease as soon as it is registered.
    #[test]
    fn a_lease_that_is_being_taken_is_not_broken() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let reading = File::open(file.path()).expect("it opens");
        // Closes the file, which was open for writing.
        let _path = file.into_temp_path();
        let mut checking = None;
        let taken = Lease::take_with(&reading, |lease| {
            let lease = Arc::clone(lease);
            checking = Some(std::thread::spawn(move || Breakable::break_if_contested(&*lease)));
            std::thread::sleep(Duration::from_millis(50));
        });
        checking.expect("it was called").join().expect("a thread");
        match taken {
            Ok(lease) => {
                let state = lease.state();
                assert!(!lease.is_broken() && state.file.as_ref().is_some_and(fcntl::has_lease));
            }
            Err(refusal) => println!("skipped: {refusal:?}"),
        }
    }

    /// Two leases end, one of which has been waited for too long already, as far as anybody can know: the thread was
    /// kept from looking.
    #[test]
    fn a_process_ends_that_is_late_with_a_lease() {
        let name = "stability::linux::lease::tests::a_process_ends_that_is_late_with_a_lease";
        let Some(output) = alone::run(name) else { return be_late() };
        if output.stdout.contains("skipped") {
            return println!("skipped: no leases");
        }
        assert!(!output.succeeded && output.stderr.contains("could not be copied before"), "{output:?}");
    }

    fn be_late() {
        let take = || {
            let mut file = tempfile::NamedTempFile::new().expect("a file");
            io::Write::write_all(&mut file, &[b'a'; 4096]).expect("it writes");
            let path = file.into_temp_path();
            let lease = Lease::take(&File::open(&path).expect("it opens"));
            (path, lease)
        };
        let ((path, lease), (other_path, other)) = (take(), take());
        let (Ok(lease), Ok(other)) = (lease, other) else { return println!("skipped: no leases") };
        let memory = memmap2::MmapMut::map_anon(4096).expect("memory");
        let range = memory.as_ptr().expose_provenance()..memory.as_ptr().addr() + 4096;
        // SAFETY: the memory is private, outlives the leases, and nobody uses it.
        unsafe { other.cover(range, &(0..4096), false, || Ok(())) }.unwrap_or_else(|error| panic!("{error}"));
        // Nobody waits: the thread looks, and the time begins anew.
        let hour = Duration::from_secs(3600);
        other.state().uncontested -= hour;
        std::thread::sleep(Duration::from_millis(1000));
        assert!(other.state().uncontested.elapsed() < hour, "nobody looked");
        // The thread is kept from both by the first lock, and finds the second lease too late.
        let state = lease.state();
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let write = |path: &std::path::Path| OpenOptions::new().write(true).custom_flags(nonblocking).open(path);
        assert!(write(&path).is_err(), "it does not wait");
        // Until it waits for the lock: it looks at the leases by their descriptors.
        std::thread::sleep(Duration::from_millis(1000));
        assert!(write(&other_path).is_err(), "it does not wait");
        other.state().uncontested -= hour;
        drop(state);
        std::thread::sleep(Duration::from_secs(20));
        panic!("the process goes on, and the bytes may change");
    }

    /// Makes every access to memory wait for ever. Linux `userfaultfd(2)`, with nobody who resolves the faults.
    ///
    /// # Errors
    ///
    /// The error of `userfaultfd(2)` or `ioctl(2)`.
    fn hang_at(memory: &Range<usize>) -> io::Result<RawFd> {
        const USER_MODE_ONLY: libc::c_int = 1;
        const API: libc::Ioctl = 0xc018_aa3f_u32 as libc::Ioctl;
        const REGISTER: libc::Ioctl = 0xc020_aa00_u32 as libc::Ioctl;
        let check = |status: libc::c_long| if status < 0 { Err(io::Error::last_os_error()) } else { Ok(status) };
        let flags = USER_MODE_ONLY | libc::O_CLOEXEC;
        // SAFETY: the call takes flags, and touches no memory.
        let faults = check(unsafe { libc::syscall(libc::SYS_userfaultfd, flags) })?;
        let faults = RawFd::try_from(faults).map_err(io::Error::other)?;
        let mut api = [0xaa_u64, 0, 0];
        // SAFETY: the call reads and writes these three numbers.
        check(unsafe { libc::ioctl(faults, API, api.as_mut_ptr()) }.into())?;
        let mut range = [memory.start as u64, memory.len() as u64, 1, 0];
        // SAFETY: the call reads and writes these four numbers; accesses to the memory wait from here on.
        check(unsafe { libc::ioctl(faults, REGISTER, range.as_mut_ptr()) }.into())?;
        Ok(faults)
    }

    /// The bytes are on a disk that does not respond, for example: the thread that copies them cannot look at the
    /// clock.
    #[test]
    fn a_process_ends_whose_bytes_cannot_be_read_in_time() {
        let name = "stability::linux::lease::tests::a_process_ends_whose_bytes_cannot_be_read_in_time";
        let Some(output) = alone::run(name) else { return read_for_ever() };
        if output.stdout.contains("skipped") {
            return println!("skipped: no leases, or no memory that hangs");
        }
        assert!(!output.succeeded && output.stderr.contains("too slow"), "{output:?}");
    }

    fn read_for_ever() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        io::Write::write_all(&mut file, &[b'a'; 4096]).expect("it writes");
        let path = file.into_temp_path();
        let lease = Lease::take(&File::open(&path).expect("it opens"));
        let memory = memmap2::MmapMut::map_anon(4096).expect("memory");
        let range = memory.as_ptr().expose_provenance()..memory.as_ptr().addr() + 4096;
        let (Ok(lease), Ok(_)) = (lease, hang_at(&range)) else { return println!("skipped") };
        let Some(break_time) = lease.break_time else { return println!("skipped") };
        // SAFETY: the memory is private, outlives the lease, and nobody uses it.
        unsafe { lease.cover(range, &(0..4096), false, || Ok(())) }.unwrap_or_else(|error| panic!("{error}"));
        let mut state = lease.state();
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        assert!(OpenOptions::new().write(true).custom_flags(nonblocking).open(&path).is_err(), "it does not wait");
        // A second before the deadline.
        state.uncontested = Instant::now() + Duration::from_secs(1) - break_time * 3 / 4;
        drop(state);
        std::thread::sleep(Duration::from_secs(20));
        panic!("the process goes on, and the bytes may change");
    }
}
