//! The thread that breaks leases: it waits for the signal by which the kernel says that somebody wants to write.
//!
//! The signal goes to this thread alone, where it is blocked and waited for: no handler of anybody runs, and no other thread knows. If too
//! many signals wait already (`RLIMIT_SIGPENDING`), the kernel sends SIGIO instead. It is blocked here as well, and not waited for:
//! that could take one that the program means for itself. Instead, as a second line, all leases are looked at from time to time.

use std::collections::BTreeMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use libc::{c_int, pid_t, sigset_t};
use wasi_mmap_core::Result;

use super::super::replace::die;
use super::kinds::refuse;
use super::lease::Lease;

/// Who is told that a lease is to end, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watcher {
    pub(super) thread: pid_t,
    pub(super) signal: c_int,
    /// The process that the thread is in.
    process: u32,
}

static WATCHER: Mutex<Option<Watcher>> = Mutex::new(None);

/// The leases that there are, by their descriptors. No lock but this one is taken by who has it.
static LEASES: Mutex<BTreeMap<RawFd, Weak<Lease>>> = Mutex::new(BTreeMap::new());
static ADDED: Condvar = Condvar::new();

/// How often all leases are looked at, signal or not.
const INTERVAL: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 250_000_000 };
const AT_ONCE: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 0 };

fn leases() -> MutexGuard<'static, BTreeMap<RawFd, Weak<Lease>>> {
    LEASES.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn add(descriptor: RawFd, lease: &Arc<Lease>) {
    leases().insert(descriptor, Arc::downgrade(lease));
    ADDED.notify_one();
}

/// Forgets a lease. To be called before its descriptor is closed, whose number another one could get.
pub(super) fn remove(descriptor: RawFd) {
    leases().remove(&descriptor);
}

/// The thread, which is started at the first call of a process.
///
/// # Errors
///
/// `unsupported`.
pub(super) fn watcher() -> Result<Watcher> {
    let mut watcher = WATCHER.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if watcher.is_some_and(|watcher| watcher.process != process) {
        return Err(refuse("this process was forked from one that has the thread for it"));
    }
    let started = match *watcher {
        Some(watcher) => watcher,
        None => start(process).map_err(|error| refuse(&format!("starting a thread for it: {error}")))?,
    };
    *watcher = Some(started);
    Ok(started)
}

fn start(process: u32) -> io::Result<Watcher> {
    // Not the last one, which Valgrind uses, and not the first ones, which programs do.
    let signal = libc::SIGRTMAX() - 5;
    let (sender, receiver) = channel();
    let thread = std::thread::Builder::new().name("wasi-mmap-lease".into()).stack_size(256 << 10);
    thread.spawn(move || run(signal, &sender))?;
    // From when it says so, the signals are blocked there.
    let thread = receiver.recv().map_err(io::Error::other)??;
    Ok(Watcher { thread, signal, process })
}

fn run(signal: c_int, ready: &Sender<io::Result<pid_t>>) {
    /// What is promised could not be kept without this thread.
    struct Last;
    impl Drop for Last {
        fn drop(&mut self) {
            die("the thread that holds files still has ended");
        }
    }
    if let Err(error) = block_signals() {
        let _ = ready.send(Err(error));
        return;
    }
    let _last = Last;
    // SAFETY: the call has no argument and touches no memory of ours.
    let thread = unsafe { libc::syscall(libc::SYS_gettid) };
    // A thread's number is of 32 bits; where it were not, taking a lease would fail.
    let _ = ready.send(Ok(pid_t::try_from(thread).unwrap_or(-1)));
    let waited_for = set_of(signal);
    loop {
        for lease in wait_for_leases() {
            lease.break_if_asked();
        }
        if wait(&waited_for, &INTERVAL) {
            // What was signalled until now is looked at in one go.
            while wait(&waited_for, &AT_ONCE) {}
        }
    }
}

/// The leases that there are, of which there is one at the least.
fn wait_for_leases() -> Vec<Arc<Lease>> {
    let leases = leases();
    let leases = ADDED.wait_while(leases, |leases| leases.is_empty()).unwrap_or_else(PoisonError::into_inner);
    // Collected, for one that is dropped here takes the lock.
    leases.values().filter_map(Weak::upgrade).collect()
}

/// When a break that begins now must be done: somewhat before the kernel takes the lease, which it does `lease-break-time` seconds
/// after somebody has begun to wait. `None` if it never does.
pub(super) fn deadline() -> Option<Instant> {
    let seconds = std::fs::read_to_string("/proc/sys/fs/lease-break-time").ok();
    let seconds = seconds.and_then(|text| text.trim().parse::<u32>().ok()).unwrap_or(45);
    (seconds > 0).then(|| Instant::now() + Duration::from_secs(seconds.into()) * 3 / 4)
}

fn set_of(signal: c_int) -> sigset_t {
    let mut set = MaybeUninit::<sigset_t>::uninit();
    // SAFETY: the call writes all of a set, which there is room for.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: it has just been written.
    let mut set = unsafe { set.assume_init() };
    // SAFETY: the call changes the set, and nothing else; it fails for what is no signal, and then the set is empty.
    unsafe { libc::sigaddset(&raw mut set, signal) };
    set
}

/// Blocks all signals in this thread, but for those that say that it has met a fault: the handlers of others run elsewhere.
fn block_signals() -> io::Result<()> {
    let mut set = MaybeUninit::<sigset_t>::uninit();
    // SAFETY: the call writes all of a set, which there is room for.
    unsafe { libc::sigfillset(set.as_mut_ptr()) };
    // SAFETY: it has just been written.
    let mut set = unsafe { set.assume_init() };
    for fault in [libc::SIGBUS, libc::SIGSEGV, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP] {
        // SAFETY: the call changes the set, and nothing else.
        unsafe { libc::sigdelset(&raw mut set, fault) };
    }
    // SAFETY: the call reads the set, and changes the mask of this thread alone, or fails and changes nothing.
    match unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut()) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Waits for a signal; whether it came.
fn wait(set: &sigset_t, timeout: &libc::timespec) -> bool {
    // SAFETY: the call reads the set and the time, and writes nothing, as it is told to; that it fails says that the time is over.
    unsafe { libc::sigtimedwait(set, ptr::null_mut(), timeout) > 0 }
}
