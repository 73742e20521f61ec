//! The calls for leases, which `rustix` does not have: Linux `fcntl(2)`.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use libc::{c_int, c_long, pid_t};

/// Not in every `libc`: `asm-generic/fcntl.h`, the same on all machines.
const F_SETSIG: c_int = 10;
const F_SETOWN_EX: c_int = 15;
const F_OWNER_TID: c_int = 0;
/// Not in every `libc`: `linux/fcntl.h`.
const F_GETLEASE: c_int = 1025;

/// `struct f_owner_ex`.
#[repr(C)]
struct Owner {
    kind: c_int,
    id: pid_t,
}

/// Sets which thread of this process is told of a lease that is to end. `F_SETOWN_EX`.
pub(super) fn set_owner(file: &File, thread: pid_t) -> io::Result<()> {
    let owner = Owner { kind: F_OWNER_TID, id: thread };
    // SAFETY: the call reads an `Owner`, which lives as long, and writes nothing. When it fails, nothing has changed.
    check(unsafe { libc::fcntl(file.as_raw_fd(), F_SETOWN_EX, &raw const owner) })
}

/// Sets which signal says so. `F_SETSIG`.
pub(super) fn set_signal(file: &File, signal: c_int) -> io::Result<()> {
    set(file, F_SETSIG, signal)
}

/// Takes a lease to read. `F_SETLEASE` with `F_RDLCK`.
pub(super) fn take_lease(file: &File) -> io::Result<()> {
    set(file, libc::F_SETLEASE, libc::F_RDLCK)
}

/// Gives a lease up. `F_SETLEASE` with `F_UNLCK`, which fails with `EAGAIN` if there is none any more.
pub(super) fn give_lease_up(file: &File) -> io::Result<()> {
    set(file, libc::F_SETLEASE, libc::F_UNLCK)
}

/// Whether there is a lease that nobody waits for the end of. `F_GETLEASE`, which says what a lease is to become.
pub(super) fn has_lease(file: &File) -> bool {
    // SAFETY: the call takes no further argument, and touches no memory of ours.
    unsafe { libc::fcntl(file.as_raw_fd(), F_GETLEASE) == libc::F_RDLCK }
}

fn set(file: &File, command: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: these commands take a number, and touch no memory of ours, whether they succeed or fail.
    check(unsafe { libc::fcntl(file.as_raw_fd(), command, c_long::from(value)) })
}

fn check(status: c_int) -> io::Result<()> {
    if status == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
