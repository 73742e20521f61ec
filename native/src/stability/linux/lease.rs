//! Read leases on files: whoever wants to write waits until the lease is given up. Linux `fcntl(2)`.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use wasi_mmap_core::Result;

use super::super::kind::unstable;
use super::watch::{self, Breakable, Watcher};
use super::{copy, fcntl};
use crate::sys::die;

/// A read lease, until it is dropped or somebody wants to write.
#[derive(Debug)]
pub(crate) struct Lease {
    /// The only descriptor of an open file description of its own. No mapping uses it.
    file: File,
    state: Mutex<State>,
    /// Whether the lease was given up.
    is_broken: AtomicBool,
}

/// The memory that the lease covers. The thread that breaks leases locks it, so nobody may open a file, or do anything
/// else that may wait for the end of a lease, while holding the lock.
#[derive(Debug, Default)]
pub(crate) struct State {
    covered: Vec<Range<usize>>,
}

pub(super) type StateGuard<'a> = MutexGuard<'a, State>;

impl State {
    /// Covers memory no longer.
    pub(super) fn release(&mut self, memory: &Range<usize>) {
        self.covered.retain(|covered| covered != memory);
    }
}

impl Lease {
    /// Takes a lease on a file of a local file system.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`](wasi_mmap_core::Error::Unsupported), with the reason.
    pub(super) fn take(file: &File) -> Result<Arc<Self>> {
        Self::take_with(file, |_| {})
    }

    /// As [`take`](Self::take), and calls `meanwhile` when the lease is registered and not yet taken: for tests.
    fn take_with(file: &File, meanwhile: impl FnOnce(&Arc<Self>)) -> Result<Arc<Self>> {
        let watcher = watch::watcher()?;
        let lease = Arc::new(Self { file: reopen(file)?, state: Mutex::default(), is_broken: AtomicBool::new(false) });
        // Registered first: as soon as there is a lease, somebody may wait for its end. The lock keeps the thread from
        // finding the file without a lease and taking the lease for broken. Nothing here can wait under it.
        let state = lease.state();
        let weak = Arc::downgrade(&lease);
        watch::add(lease.file.as_raw_fd(), weak);
        meanwhile(&lease);
        let outcome = lease.acquire(watcher);
        // After a failure there is no lease to give up.
        lease.is_broken.store(outcome.is_err(), Relaxed);
        drop(state);
        outcome.map_err(|error| explain(&error))?;
        Ok(lease)
    }

    fn acquire(&self, watcher: Watcher) -> io::Result<()> {
        // The order matters: without the first two calls, the kernel would send SIGIO to the process, which ends it.
        fcntl::set_owner(&self.file, watcher.thread)?;
        fcntl::set_signal(&self.file, watcher.signal)?;
        fcntl::take_lease(&self.file)
    }

    /// Returns whether the lease was given up. The memory that it covered is a copy then.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken.load(Relaxed)
    }

    pub(super) fn state(&self) -> StateGuard<'_> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Maps the file with `map`, and covers that memory by the lease.
    ///
    /// # Safety
    ///
    /// Once `map` has succeeded, the memory is whole pages, mapped privately from the leased file, or put there by a
    /// repair of faults. Until it is [released](State::release), it stays mapped, is replaced only under the lock of
    /// [`state`](Self::state), and may be replaced at any moment by other memory with the same bytes that can be read
    /// and written.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`](wasi_mmap_core::Error::Unsupported) if somebody wants to write; the errors of `map`.
    pub(super) unsafe fn cover<T>(&self, memory: Range<usize>, map: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut state = self.state();
        self.break_if_contested(&mut state);
        if self.is_broken() {
            return Err(unstable("it is just being opened for writing or truncated"));
        }
        // Breaking the lease needs the lock, and had not begun when the lease was checked, so it will find the memory.
        let mapped = map()?;
        state.covered.push(memory);
        Ok(mapped)
    }

    /// Gives the lease up if somebody waits for its end, after the covered memory has been replaced by copies.
    fn break_if_contested(&self, state: &mut State) {
        if self.is_broken() || fcntl::has_lease(&self.file) {
            return;
        }
        let covered = std::mem::take(&mut state.covered);
        let deadline = if covered.is_empty() { None } else { watch::deadline() };
        for memory in &covered {
            // SAFETY: the caller of `cover` promised that the memory may be replaced until it is released, which needs
            // the lock that is held here.
            unsafe { copy::replace(memory, deadline) };
        }
        self.is_broken.store(true, Relaxed);
        if let Err(error) = fcntl::release_lease(&self.file)
            && !covered.is_empty()
        {
            // The kernel has waited for `lease-break-time` and taken the lease, so the bytes may have changed before
            // they were copied.
            die(&format!("the lease of a mapped file ended before its bytes were copied: {error}"));
        }
    }
}

impl Breakable for Lease {
    fn break_if_contested(&self) {
        Self::break_if_contested(self, &mut self.state());
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        watch::remove(self.file.as_raw_fd());
        if !self.is_broken() {
            // A forked child may share the description and keep its lease alive. The lease covers nothing any more.
            let _ = fcntl::release_lease(&self.file);
        }
    }
}

/// Opens a file again, for reading: the lease belongs to the open file description, which others may share.
fn reopen(file: &File) -> Result<File> {
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

/// Returns the error for a lease that was refused, with the reason and a remedy.
fn explain(error: &io::Error) -> wasi_mmap_core::Error {
    unstable(&match Errno::from_io_error(error) {
        Some(Errno::AGAIN) => {
            "a process, perhaps this one, has it open for writing or mapped for writing, and must close it first".into()
        }
        Some(Errno::ACCESS | Errno::PERM) => {
            "a lease is only for the file's owner; run as that user, or with the capability CAP_LEASE".into()
        }
        Some(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            "this file system or kernel gives no leases; see /proc/sys/fs/leases-enable".into()
        }
        _ => format!("taking a lease: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

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
            Ok(lease) => assert!(!lease.is_broken() && fcntl::has_lease(&lease.file)),
            Err(error) => println!("skipped: {error}"),
        }
    }
}
