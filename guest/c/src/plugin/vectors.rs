//! Reads and writes of several parts: `writev(2)` and its relatives.
//!
//! Those of wasi-libc read or write the first part alone. POSIX allows that, but programs take it for a full disk.

use std::ffi::c_int;

use libc::{iovec, off_t};

use super::errno::{EINVAL, Errno, Result};

/// The most parts of one call: `IOV_MAX` of wasi-libc.
const MAX: usize = 1024;

/// Returns the parts.
///
/// # Safety
///
/// `parts` are `count` parts, whose memory stays as it is.
unsafe fn parts<'a>(parts: *const iovec, count: c_int) -> Result<&'a [iovec]> {
    let count = usize::try_from(count).ok().filter(|count| *count <= MAX).ok_or(EINVAL)?;
    if count == 0 {
        return Ok(&[]);
    }
    // SAFETY: the contract is the caller's.
    let parts = unsafe { std::slice::from_raw_parts(parts, count) };
    let sum = parts.iter().try_fold(0_usize, |sum, part| sum.checked_add(part.iov_len));
    sum.filter(|sum| isize::try_from(*sum).is_ok()).ok_or(EINVAL)?;
    Ok(parts)
}

/// Calls a function for each part, with its distance from the first one, until it does less than it was asked for.
/// Returns the sum, or the error of the first call.
fn each(parts: Result<&[iovec]>, mut operate: impl FnMut(&iovec, usize) -> isize) -> isize {
    let mut done = 0;
    let outcome = parts.and_then(|parts| {
        for part in parts.iter().filter(|part| part.iov_len > 0) {
            let count = usize::try_from(operate(part, done)).map_err(|_| Errno::last())?;
            done += count;
            if count < part.iov_len {
                break;
            }
        }
        Ok(())
    });
    match outcome {
        Err(errno) if done == 0 => {
            errno.set();
            -1
        }
        // The parts are no longer than `isize::MAX` altogether.
        _ => done.cast_signed(),
    }
}

/// Calls a function that may write less than it is asked for, until it has written everything or fails.
fn whole(len: usize, mut write: impl FnMut(usize) -> isize) -> isize {
    let mut done = 0;
    while done < len {
        match write(done) {
            0 => break,
            count => match usize::try_from(count) {
                Ok(count) => done += count,
                Err(_) if done == 0 => return -1,
                Err(_) => break,
            },
        }
    }
    done.cast_signed()
}

/// Reads several parts: `readv(2)`.
///
/// # Safety
///
/// As `readv(2)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn wasi_mmap_readv(fd: c_int, iov: *const iovec, count: c_int) -> isize {
    // SAFETY: the contract is the caller's.
    let parts = unsafe { parts(iov, count) };
    // SAFETY: as above: the part can be written.
    each(parts, |part, _| unsafe { libc::read(fd, part.iov_base, part.iov_len) })
}

/// Reads several parts from an offset on: `preadv(2)`.
///
/// # Safety
///
/// As `preadv(2)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn wasi_mmap_preadv(fd: c_int, iov: *const iovec, count: c_int, offset: off_t) -> isize {
    // SAFETY: the contract is the caller's.
    let parts = unsafe { parts(iov, count) };
    // SAFETY: as above: the part can be written.
    each(parts, |part, done| unsafe { libc::pread(fd, part.iov_base, part.iov_len, from(offset, done)) })
}

/// Writes several parts: `writev(2)`.
///
/// # Safety
///
/// As `writev(2)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn wasi_mmap_writev(fd: c_int, iov: *const iovec, count: c_int) -> isize {
    // SAFETY: the contract is the caller's.
    let parts = unsafe { parts(iov, count) };
    each(parts, |part, _| {
        whole(part.iov_len, |at| {
            // SAFETY: as above: the rest of the part can be read.
            unsafe { libc::write(fd, part.iov_base.wrapping_byte_add(at), part.iov_len - at) }
        })
    })
}

/// Writes several parts from an offset on: `pwritev(2)`.
///
/// # Safety
///
/// As `pwritev(2)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn wasi_mmap_pwritev(fd: c_int, iov: *const iovec, count: c_int, offset: off_t) -> isize {
    // SAFETY: the contract is the caller's.
    let parts = unsafe { parts(iov, count) };
    each(parts, |part, done| {
        whole(part.iov_len, |at| {
            let rest = part.iov_base.wrapping_byte_add(at);
            // SAFETY: as above: the rest of the part can be read.
            unsafe { libc::pwrite(fd, rest, part.iov_len - at, from(offset, done + at)) }
        })
    })
}

/// Returns an offset in a file. One that is too large is refused by the call that gets it.
fn from(offset: off_t, distance: usize) -> off_t {
    if offset < 0 {
        offset
    } else {
        off_t::try_from(distance).map_or(-1, |distance| offset.checked_add(distance).unwrap_or(-1))
    }
}
