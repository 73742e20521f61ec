//! Sets of signals, and the signals of the threads here.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;

use libc::{c_int, sigset_t};

/// Returns the set of one signal.
pub(super) fn set_of(signal: c_int) -> sigset_t {
    let mut set = MaybeUninit::<sigset_t>::uninit();
    // SAFETY: the call initializes a set, for which there is room.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: the set has just been initialized.
    let mut set = unsafe { set.assume_init() };
    // SAFETY: the call changes only the set. It fails for a number that is not a signal, and then the set is empty.
    unsafe { libc::sigaddset(&raw mut set, signal) };
    set
}

/// Blocks all signals in this thread except those for its own faults, so that handlers of the program run in other
/// threads.
pub(super) fn block_signals() -> io::Result<()> {
    let mut set = MaybeUninit::<sigset_t>::uninit();
    // SAFETY: the call initializes a set, for which there is room.
    unsafe { libc::sigfillset(set.as_mut_ptr()) };
    // SAFETY: the set has just been initialized.
    let mut set = unsafe { set.assume_init() };
    for fault in [libc::SIGBUS, libc::SIGSEGV, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP] {
        // SAFETY: the call changes only the set.
        unsafe { libc::sigdelset(&raw mut set, fault) };
    }
    // SAFETY: the call reads the set, and changes the mask of this thread alone. On failure it changes nothing.
    match unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut()) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Waits for a signal. Returns whether it came.
pub(super) fn wait(set: &sigset_t, timeout: &libc::timespec) -> bool {
    // SAFETY: the call reads the set and the time, and writes nothing, because the pointer for its result is null. A
    // failure means that the time is over.
    unsafe { libc::sigtimedwait(set, ptr::null_mut(), timeout) > 0 }
}
