//! `shm_open(3)`: shared memory is a file in a directory that processes have in common.

use std::ffi::{CStr, CString, c_char, c_int};

use super::errno::{EINVAL, Errno, Result, status};

/// The directory for shared memory: that of other systems, with whose processes it is shared then.
const DIRECTORY: &[u8] = b"/dev/shm/";

/// The most bytes in a name.
const NAME_MAX: usize = 255;

/// Returns the path of shared memory.
///
/// # Safety
///
/// `name` is a string of C.
unsafe fn path(name: *const c_char) -> Result<CString> {
    // SAFETY: the contract is the caller's.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    let name = &name[name.iter().position(|byte| *byte != b'/').unwrap_or(name.len())..];
    if name.len() > NAME_MAX {
        return Err(Errno(libc::ENAMETOOLONG));
    }
    if name.is_empty() || name == b"." || name == b".." || name.contains(&b'/') {
        return Err(EINVAL);
    }
    CString::new([DIRECTORY, name].concat()).map_err(|_| EINVAL)
}

/// Opens shared memory: `shm_open(3)`.
///
/// # Safety
///
/// `name` is a string of C.
#[unsafe(no_mangle)]
unsafe extern "C" fn shm_open(name: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int {
    // SAFETY: the contract is the caller's.
    match unsafe { path(name) } {
        // SAFETY: the path ends with a zero.
        Ok(path) => unsafe { libc::open(path.as_ptr(), flags | libc::O_NOFOLLOW, mode) },
        Err(errno) => status(Err(errno)),
    }
}

/// Removes the name of shared memory: `shm_unlink(3)`.
///
/// # Safety
///
/// `name` is a string of C.
#[unsafe(no_mangle)]
unsafe extern "C" fn shm_unlink(name: *const c_char) -> c_int {
    // SAFETY: the contract is the caller's.
    match unsafe { path(name) } {
        // SAFETY: the path ends with a zero.
        Ok(path) => unsafe { libc::unlink(path.as_ptr()) },
        Err(errno) => status(Err(errno)),
    }
}
