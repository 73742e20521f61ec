//! A read lease on a file: who wants to write waits until we let go. Linux `fcntl(2)`.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use wasi_mmap_core::Result;

use super::super::replace::die;
use super::kinds::refuse;
use super::watch::{self, Watcher};
use super::{copy, fcntl};

/// A lease, until it is dropped or somebody wants to write.
#[derive(Debug)]
pub(crate) struct Lease {
    /// A description of its own, of which there is this descriptor alone: nothing is mapped with it.
    file: File,
    state: Mutex<State>,
    /// Whether it was given up.
    is_broken: AtomicBool,
}

/// The memory that is promised not to change. Locked by the thread that breaks leases, so that nobody may open files, or do anything
/// else that can wait for the end of a lease, while he has it.
#[derive(Debug, Default)]
pub(crate) struct State {
    places: Vec<Range<usize>>,
}

pub(super) type StateGuard<'a> = MutexGuard<'a, State>;

impl State {
    pub(super) fn forget(&mut self, memory: &Range<usize>) {
        self.places.retain(|place| place != memory);
    }
}

impl Lease {
    /// Takes a lease on a file of a local file system.
    ///
    /// # Errors
    ///
    /// `unsupported`, with the reason.
    pub(super) fn take(file: &File) -> Result<Arc<Self>> {
        Self::take_slowly(file, |_| {})
    }

    /// The same, with something that happens when the lease is known and not yet there: for tests.
    fn take_slowly(file: &File, meanwhile: impl FnOnce(&Arc<Self>)) -> Result<Arc<Self>> {
        let watcher = watch::watcher()?;
        let lease = Arc::new(Self { file: reopen(file)?, state: Mutex::default(), is_broken: AtomicBool::new(false) });
        // Known first: from the moment that there is a lease, somebody may be waiting for its end.
        // The thread must not find it without a lease, and take it for broken: hence the lock, under which nothing here can wait.
        let state = lease.state();
        watch::add(lease.file.as_raw_fd(), &lease);
        meanwhile(&lease);
        let outcome = lease.set(watcher);
        // If it failed, there is none to give up.
        lease.is_broken.store(outcome.is_err(), Relaxed);
        drop(state);
        outcome.map_err(|error| explain(&error))?;
        Ok(lease)
    }

    fn set(&self, watcher: Watcher) -> io::Result<()> {
        // The order matters: without the other two, the kernel would send SIGIO to the process, which ends it.
        fcntl::set_owner(&self.file, watcher.thread)?;
        fcntl::set_signal(&self.file, watcher.signal)?;
        fcntl::take_lease(&self.file)
    }

    /// Whether it was given up, and what was held by it is copies.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken.load(Relaxed)
    }

    pub(super) fn state(&self) -> StateGuard<'_> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Maps the file with `map`, and promises that the memory does not change.
    ///
    /// # Safety
    ///
    /// See [`Hold::keep`](super::Hold::keep).
    ///
    /// # Errors
    ///
    /// `unsupported`, if somebody wants to write; the errors of `map`.
    pub(super) unsafe fn keep<T>(&self, memory: Range<usize>, map: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut state = self.state();
        self.look(&mut state);
        if self.is_broken() {
            return Err(refuse("somebody opens it for writing or makes it shorter just now"));
        }
        // A break needs the lock, and had not begun when we looked: it finds the memory.
        let mapped = map()?;
        state.places.push(memory);
        Ok(mapped)
    }

    /// Gives the lease up if somebody waits for that.
    pub(super) fn break_if_asked(&self) {
        self.look(&mut self.state());
    }

    fn look(&self, state: &mut State) {
        if self.is_broken() || fcntl::has_lease(&self.file) {
            return;
        }
        let places = std::mem::take(&mut state.places);
        let deadline = if places.is_empty() { None } else { watch::deadline() };
        for place in &places {
            // SAFETY: who registered the place promised that it may be replaced, until it is forgotten, for which the lock is
            // needed that we have.
            unsafe { copy::replace(place, deadline) };
        }
        self.is_broken.store(true, Relaxed);
        if let Err(error) = fcntl::give_lease_up(&self.file)
            && !places.is_empty()
        {
            // The kernel waits for `lease-break-time`, and then takes the lease: what was copied may have changed before.
            die(&format!("the lease of a mapped file was taken before its bytes were copied: {error}"));
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        watch::remove(self.file.as_raw_fd());
        if !self.is_broken() {
            // A child that was forked may have the description, and its lease, otherwise. Nothing is held by it any more.
            let _ = fcntl::give_lease_up(&self.file);
        }
    }
}

/// Opens a file anew, to read: a description that others have would share its lease with them.
fn reopen(file: &File) -> Result<File> {
    // Without waiting: somebody may have a lease that our reading would break.
    let no_wait = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let opened = OpenOptions::new().read(true).custom_flags(no_wait).open(path);
    let opened = opened.map_err(|error| refuse(&format!("it cannot be opened anew through /proc: {error}")))?;
    let identity = |file: &File| file.metadata().map(|found| (found.dev(), found.ino())).ok();
    if identity(&opened).is_none() || identity(&opened) != identity(file) {
        return Err(refuse("/proc leads to another file"));
    }
    Ok(opened)
}

/// Says why there is no lease, and what helps.
fn explain(error: &io::Error) -> wasi_mmap_core::Error {
    refuse(&match Errno::from_io_error(error) {
        Some(Errno::AGAIN) => {
            "somebody has it open for writing or mapped to write, perhaps this process; they must close it first".into()
        }
        Some(Errno::ACCESS | Errno::PERM) => {
            "a lease is for the file's owner; run as that user, or with the capability CAP_LEASE".into()
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

    /// It was, once in some hundred processes: the thread looks when the first lease is known.
    #[test]
    fn a_lease_that_is_being_taken_is_not_taken_for_broken() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let reading = File::open(file.path()).expect("it opens");
        // No longer open for writing.
        let _path = file.into_temp_path();
        let mut looking = None;
        let taken = Lease::take_slowly(&reading, |lease| {
            let lease = Arc::clone(lease);
            looking = Some(std::thread::spawn(move || lease.break_if_asked()));
            std::thread::sleep(Duration::from_millis(50));
        });
        looking.expect("it was called").join().expect("a thread");
        match taken {
            Ok(lease) => assert!(!lease.is_broken() && fcntl::has_lease(&lease.file)),
            Err(error) => println!("skipped: {error}"),
        }
    }
}
