//! `fcntl(2)` with locks, `lockf(3)` and `flock(2)`.
//!
//! The headers call them by other names, since the C library has an `fcntl` of its own. Those that pretend are for
//! programs that were compiled with `WASI_MMAP_PRETEND_LOCKS`: where there are no locks, they grant all of them.

use std::ffi::{c_int, c_void};
use std::ops::Range;

use libc::off_t;
use wasi_mmap_sys::bindings::wasi_mmap::mmap::types::LockKind;

use super::errno::{EACCES, EFAULT, EINVAL, ENOLCK, EOVERFLOW, Errno, Result, status};
use super::lock_table::{Lockable, Owner};
use crate::ranges::{END, Kind};

const F_GETLK: c_int = 12;
const F_SETLK: c_int = 13;
const F_SETLKW: c_int = 14;
const F_OFD_GETLK: c_int = 36;
const F_OFD_SETLK: c_int = 37;
const F_OFD_SETLKW: c_int = 38;

const F_RDLCK: i16 = 0;
const F_WRLCK: i16 = 1;
const F_UNLCK: i16 = 2;

const F_ULOCK: c_int = 0;
const F_LOCK: c_int = 1;
const F_TLOCK: c_int = 2;
const F_TEST: c_int = 3;

const LOCK_SH: c_int = 1;
const LOCK_EX: c_int = 2;
const LOCK_NB: c_int = 4;
const LOCK_UN: c_int = 8;

/// `struct flock`, as wasi-libc has it.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Flock {
    kind: i16,
    whence: i16,
    start: off_t,
    len: off_t,
    process: i32,
}

unsafe extern "C" {
    /// The C library's function, with its third parameter as C passes `...`: the address of the arguments.
    #[link_name = "fcntl"]
    fn libc_fcntl(fd: c_int, command: c_int, arguments: *const c_void) -> c_int;
}

/// Controls an open file: `fcntl(2)`.
///
/// # Safety
///
/// `arguments` is what a C program passes for `...`.
#[unsafe(no_mangle)]
unsafe extern "C" fn wasi_mmap_fcntl(fd: c_int, command: c_int, arguments: *const c_void) -> c_int {
    // SAFETY: the contract is the caller's.
    unsafe { control(fd, command, arguments, false) }
}

/// # Safety
///
/// As [`wasi_mmap_fcntl`].
#[unsafe(no_mangle)]
unsafe extern "C" fn wasi_mmap_fcntl_pretending(fd: c_int, command: c_int, arguments: *const c_void) -> c_int {
    // SAFETY: the contract is the caller's.
    unsafe { control(fd, command, arguments, true) }
}

/// # Safety
///
/// As [`wasi_mmap_fcntl`].
unsafe fn control(fd: c_int, command: c_int, arguments: *const c_void, pretends: bool) -> c_int {
    let owner = match command {
        F_GETLK | F_SETLK | F_SETLKW => Owner::Program,
        F_OFD_GETLK | F_OFD_SETLK | F_OFD_SETLKW => Owner::Description,
        // SAFETY: the C program's own call, passed on.
        _ => return unsafe { libc_fcntl(fd, command, arguments) },
    };
    // SAFETY: the only argument of these commands is the address of a `struct flock`.
    let address = unsafe { arguments.cast::<*mut Flock>().read() };
    if address.is_null() {
        return status(Err(EFAULT));
    }
    // SAFETY: as above.
    let mut flock = unsafe { address.read() };
    let outcome = if matches!(command, F_GETLK | F_OFD_GETLK) {
        let outcome = test(fd, owner, &mut flock);
        if pretends && outcome == Err(ENOLCK) {
            flock.kind = F_UNLCK;
        }
        // SAFETY: as above.
        unsafe { address.write(flock) };
        outcome
    } else {
        set(fd, owner, &flock, matches!(command, F_SETLKW | F_OFD_SETLKW))
    };
    status(granted(outcome, pretends))
}

/// Grants a lock where there are none, if the program has asked for that.
fn granted(outcome: Result<()>, pretends: bool) -> Result<()> {
    if pretends && outcome == Err(ENOLCK) { Ok(()) } else { outcome }
}

fn kind(kind: i16) -> Result<Option<Kind>> {
    match kind {
        F_RDLCK => Ok(Some(Kind::Shared)),
        F_WRLCK => Ok(Some(Kind::Exclusive)),
        F_UNLCK => Ok(None),
        _ => Err(EINVAL),
    }
}

fn set(fd: c_int, owner: Owner, flock: &Flock, wait: bool) -> Result<()> {
    check_process(owner, flock)?;
    let file = Lockable::new(fd)?;
    let range = range(fd, &file, flock)?;
    match kind(flock.kind)? {
        Some(kind) => file.lock(owner, &range, kind, wait),
        None => file.unlock(owner, &range),
    }
}

fn test(fd: c_int, owner: Owner, flock: &mut Flock) -> Result<()> {
    check_process(owner, flock)?;
    let file = Lockable::new(fd)?;
    let range = range(fd, &file, flock)?;
    let kind = kind(flock.kind)?.ok_or(EINVAL)?;
    let Some(held) = file.test(owner, &range, kind)? else {
        flock.kind = F_UNLCK;
        return Ok(());
    };
    let number = |number: u64| off_t::try_from(number).unwrap_or(off_t::MAX);
    *flock = Flock {
        kind: if held.kind == LockKind::Shared { F_RDLCK } else { F_WRLCK },
        whence: WHENCE_SET,
        start: number(held.offset),
        len: number(held.length),
        process: held.process.and_then(|process| i32::try_from(process).ok()).unwrap_or(-1),
    };
    Ok(())
}

/// `l_pid` must be 0 for locks of open files, as on Linux.
fn check_process(owner: Owner, flock: &Flock) -> Result<()> {
    if owner == Owner::Description && flock.process != 0 { Err(EINVAL) } else { Ok(()) }
}

const WHENCE_SET: i16 = 0;
const WHENCE_CURRENT: i16 = 1;
const WHENCE_END: i16 = 2;

const _: () = assert!(libc::SEEK_SET == 0 && libc::SEEK_CUR == 1 && libc::SEEK_END == 2);

/// Returns the range of a lock in its file.
fn range(fd: c_int, file: &Lockable, flock: &Flock) -> Result<Range<u64>> {
    let origin = match flock.whence {
        WHENCE_SET => 0,
        WHENCE_CURRENT => position(fd)?,
        WHENCE_END => off_t::try_from(file.len()?).map_err(|_| EOVERFLOW)?,
        _ => return Err(EINVAL),
    };
    let start = origin.checked_add(flock.start).ok_or(EOVERFLOW)?;
    // A negative length: the bytes before the start.
    let (first, end) = match flock.len {
        0 => (start, None),
        len if len > 0 => (start, Some(start.checked_add(len - 1).ok_or(EOVERFLOW)?)),
        len => (start.checked_add(len).ok_or(EINVAL)?, Some(start - 1)),
    };
    let first = u64::try_from(first).map_err(|_| EINVAL)?;
    let end = match end {
        Some(last) => u64::try_from(last).map_err(|_| EINVAL)? + 1,
        None => END,
    };
    Ok(first..end)
}

fn position(fd: c_int) -> Result<off_t> {
    // SAFETY: the call takes any number for a descriptor.
    let position = unsafe { libc::lseek(fd, 0, libc::SEEK_CUR) };
    if position < 0 { Err(Errno::last()) } else { Ok(position) }
}

/// Locks the bytes from the file's position on, or unlocks them: `lockf(3)`.
#[unsafe(no_mangle)]
extern "C" fn wasi_mmap_lockf(fd: c_int, command: c_int, len: off_t) -> c_int {
    status(lock_from_position(fd, command, len))
}

#[unsafe(no_mangle)]
extern "C" fn wasi_mmap_lockf_pretending(fd: c_int, command: c_int, len: off_t) -> c_int {
    status(granted(lock_from_position(fd, command, len), true))
}

fn lock_from_position(fd: c_int, command: c_int, len: off_t) -> Result<()> {
    let mut flock = Flock { kind: F_WRLCK, whence: WHENCE_CURRENT, start: 0, len, process: 0 };
    match command {
        F_LOCK | F_TLOCK => set(fd, Owner::Program, &flock, command == F_LOCK),
        F_ULOCK => set(fd, Owner::Program, &Flock { kind: F_UNLCK, ..flock }, false),
        F_TEST => {
            test(fd, Owner::Program, &mut flock)?;
            if flock.kind == F_UNLCK { Ok(()) } else { Err(EACCES) }
        }
        _ => Err(EINVAL),
    }
}

/// Locks a whole file, or unlocks it: `flock(2)`.
#[unsafe(no_mangle)]
extern "C" fn wasi_mmap_flock(fd: c_int, operation: c_int) -> c_int {
    status(lock_file(fd, operation))
}

#[unsafe(no_mangle)]
extern "C" fn wasi_mmap_flock_pretending(fd: c_int, operation: c_int) -> c_int {
    status(granted(lock_file(fd, operation), true))
}

fn lock_file(fd: c_int, operation: c_int) -> Result<()> {
    let kind = match operation & !LOCK_NB {
        LOCK_SH => Some(Kind::Shared),
        LOCK_EX => Some(Kind::Exclusive),
        LOCK_UN => None,
        _ => return Err(EINVAL),
    };
    Lockable::new(fd)?.lock_file(kind, operation & LOCK_NB == 0)
}
