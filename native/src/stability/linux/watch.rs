//! The thread that breaks leases. It waits for the signal by which the kernel tells that somebody wants to write.
//!
//! The signal goes to this thread alone, which blocks it and waits for it, so no signal handler runs and no other
//! thread is involved. If too many signals are pending (`RLIMIT_SIGPENDING`), the kernel sends SIGIO instead. The
//! thread blocks that too, but does not wait for it: it might take one that is meant for the program. Instead, it also
//! checks all leases at regular intervals.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::RawFd;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use libc::{c_int, pid_t};
use wasi_mmap_core::Result;

use super::super::kind::unstable;
use super::deadline;
use super::signals::{block_signals, set_of, wait};
use crate::sys::die;

/// A lease, as the thread sees it.
pub(super) trait Breakable: Send + Sync {
    /// Gives the lease up if somebody waits for its end. Returns false if that must be tried again soon.
    fn break_if_contested(&self) -> bool;
}

/// The thread that breaks leases, and the signal that it waits for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watcher {
    pub(super) thread: pid_t,
    pub(super) signal: c_int,
    /// The process of the thread.
    process: u32,
}

static WATCHER: Mutex<Option<Watcher>> = Mutex::new(None);

/// All leases, by their descriptors. Whoever holds this lock takes no other.
static LEASES: Mutex<BTreeMap<RawFd, Weak<dyn Breakable>>> = Mutex::new(BTreeMap::new());
static ADDED: Condvar = Condvar::new();

/// The interval at which all leases are checked, signal or not.
const INTERVAL: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 250_000_000 };
/// The time between attempts to break a lease when memory is short.
const RETRY_INTERVAL: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 10_000_000 };
const AT_ONCE: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 0 };

fn leases() -> MutexGuard<'static, BTreeMap<RawFd, Weak<dyn Breakable>>> {
    LEASES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches a lease from now on.
pub(super) fn add(descriptor: RawFd, lease: Weak<dyn Breakable>) {
    leases().insert(descriptor, lease);
    ADDED.notify_one();
}

/// Forgets a lease. Must be called before its descriptor is closed, because another file may get the same number.
pub(super) fn remove(descriptor: RawFd) {
    leases().remove(&descriptor);
}

/// Returns the thread, which the first call in a process starts.
///
/// # Errors
///
/// [`Error::Unsupported`](wasi_mmap_core::Error::Unsupported), with the reason.
pub(super) fn watcher() -> Result<Watcher> {
    let mut watcher = WATCHER.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if watcher.is_some_and(|watcher| watcher.process != process) {
        return Err(unstable("this process was forked, without the thread that breaks leases"));
    }
    let started = match *watcher {
        Some(watcher) => watcher,
        None => {
            start(process).map_err(|error| unstable(&format!("starting the thread that breaks leases: {error}")))?
        }
    };
    *watcher = Some(started);
    Ok(started)
}

fn start(process: u32) -> io::Result<Watcher> {
    // Neither the last signal, which Valgrind uses, nor the first ones, which programs use.
    let signal = libc::SIGRTMAX() - 5;
    deadline::start()?;
    let (sender, receiver) = channel();
    let thread = std::thread::Builder::new().name("wasi-mmap-lease".into()).stack_size(256 << 10);
    thread.spawn(move || run(signal, &sender))?;
    // When the thread sends its number, it has blocked the signals.
    let thread = receiver.recv().map_err(io::Error::other)??;
    Ok(Watcher { thread, signal, process })
}

fn run(signal: c_int, ready: &Sender<io::Result<pid_t>>) {
    /// Ends the process with the thread, without which no guarantee could be kept.
    struct Essential;
    impl Drop for Essential {
        fn drop(&mut self) {
            die("the thread that breaks leases has ended");
        }
    }
    if let Err(error) = block_signals() {
        let _ = ready.send(Err(error));
        return;
    }
    let _essential = Essential;
    // SAFETY: the call takes no argument and touches no memory of this process.
    let thread = unsafe { libc::syscall(libc::SYS_gettid) };
    // A thread's number has 32 bits; with -1 in its place, taking a lease would fail.
    let _ = ready.send(Ok(pid_t::try_from(thread).unwrap_or(-1)));
    let awaited = set_of(signal);
    loop {
        // Each lease in turn, and the ones that fail again soon: none waits for another one's memory.
        let failed = wait_for_leases().iter().filter(|lease| !lease.break_if_contested()).count();
        if wait(&awaited, if failed == 0 { &INTERVAL } else { &RETRY_INTERVAL }) {
            // One check covers all signals so far.
            while wait(&awaited, &AT_ONCE) {}
        }
    }
}

/// Returns all leases, and waits until there is one.
fn wait_for_leases() -> Vec<Arc<dyn Breakable>> {
    let leases = leases();
    let leases = ADDED.wait_while(leases, |leases| leases.is_empty()).unwrap_or_else(PoisonError::into_inner);
    // Collected, because a lease that is dropped takes the lock.
    leases.values().filter_map(Weak::upgrade).collect()
}

/// Returns the time that the kernel lets a writer wait for the end of a lease: `Some(None)` if it waits for ever, and
/// `None` if that cannot be read. Linux `/proc/sys/fs/lease-break-time`.
pub(super) fn break_time() -> Option<Option<Duration>> {
    let seconds: u32 = std::fs::read_to_string("/proc/sys/fs/lease-break-time").ok()?.trim().parse().ok()?;
    Some((seconds > 0).then(|| Duration::from_secs(seconds.into())))
}
