//! The calls for leases, which `rustix` lacks: Linux `fcntl(2)`.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use libc::{c_int, c_long, pid_t};

/// `libc` has these not for every target. `asm-generic/fcntl.h`, the same on all machines.
const F_SETSIG: c_int = 10;
const F_SETOWN_EX: c_int = 15;
const F_OWNER_TID: c_int = 0;
/// `libc` has it not for every target. `linux/fcntl.h`.
const F_GETLEASE: c_int = 1025;

/// `struct f_owner_ex`.
#[repr(C)]
struct Owner {
    kind: c_int,
    id: pid_t,
}

/// Sets the thread of this process that is notified when somebody waits for the end of a lease. `F_SETOWN_EX`.
pub(super) fn set_owner(file: &File, thread: pid_t) -> io::Result<()> {
    let owner = Owner { kind: F_OWNER_TID, id: thread };
    // SAFETY: the call reads `owner`, which outlives it, and writes nothing. On failure nothing has changed.
    check(unsafe { libc::fcntl(file.as_raw_fd(), F_SETOWN_EX, &raw const owner) })
}

/// Sets the signal of that notification. `F_SETSIG`.
pub(super) fn set_signal(file: &File, signal: c_int) -> io::Result<()> {
    set(file, F_SETSIG, signal)
}

/// Takes a read lease. `F_SETLEASE` with `F_RDLCK`.
pub(super) fn take_lease(file: &File) -> io::Result<()> {
    set(file, libc::F_SETLEASE, libc::F_RDLCK)
}

/// Gives a lease up. `F_SETLEASE` with `F_UNLCK`, which fails with `EAGAIN` if there is no lease.
pub(super) fn release_lease(file: &File) -> io::Result<()> {
    set(file, libc::F_SETLEASE, libc::F_UNLCK)
}

/// Returns whether there is a lease whose end nobody waits for. `F_GETLEASE`, which returns the kind that the lease is
/// to become.
pub(super) fn has_lease(file: &File) -> bool {
    // SAFETY: the call takes no further argument, and touches no memory of this process, whether it succeeds or fails.
    unsafe { libc::fcntl(file.as_raw_fd(), F_GETLEASE) == libc::F_RDLCK }
}

fn set(file: &File, command: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: these commands take a number, and touch no memory of this process, whether they succeed or fail.
    check(unsafe { libc::fcntl(file.as_raw_fd(), command, c_long::from(value)) })
}

fn check(status: c_int) -> io::Result<()> {
    if status == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
