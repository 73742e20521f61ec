//! `fcntl(2)` with locks, `lockf(3)` and `flock(2)`.

use std::ffi::{c_int, c_void};

use libc::off_t;

use super::errno::{Errno, Result, status};

const F_GETLK: c_int = 12;
const F_SETLK: c_int = 13;
const F_SETLKW: c_int = 14;
const F_OFD_GETLK: c_int = 36;
const F_OFD_SETLK: c_int = 37;
const F_OFD_SETLKW: c_int = 38;

unsafe extern "C" {
    /// The C library's function, with its third parameter as C passes `...`: the address of the arguments.
    #[link_name = "fcntl"]
    fn libc_fcntl(fd: c_int, command: c_int, arguments: *const c_void) -> c_int;
}

fn unsupported() -> Result<()> {
    Err(Errno(libc::ENOLCK))
}

/// # Safety
///
/// As `fcntl(2)`: `arguments` is what a C program passes for `...`.
#[unsafe(no_mangle)]
unsafe extern "C" fn wasi_mmap_fcntl(fd: c_int, command: c_int, arguments: *const c_void) -> c_int {
    match command {
        F_GETLK | F_SETLK | F_SETLKW | F_OFD_GETLK | F_OFD_SETLK | F_OFD_SETLKW => status(unsupported()),
        // SAFETY: the C program's own call, passed on.
        _ => unsafe { libc_fcntl(fd, command, arguments) },
    }
}

/// # Safety
///
/// As `fcntl(2)`: `arguments` is what a C program passes for `...`.
#[unsafe(no_mangle)]
unsafe extern "C" fn wasi_mmap_fcntl_pretending(fd: c_int, command: c_int, arguments: *const c_void) -> c_int {
    match command {
        F_GETLK | F_OFD_GETLK => {
            // SAFETY: the program passes the address of a `struct flock`.
            let lock = unsafe { arguments.cast::<*mut i16>().read() };
            // SAFETY: as above; its first member is the kind of the lock.
            unsafe { lock.write(2) };
            0
        }
        F_SETLK | F_SETLKW | F_OFD_SETLK | F_OFD_SETLKW => 0,
        // SAFETY: the C program's own call, passed on.
        _ => unsafe { libc_fcntl(fd, command, arguments) },
    }
}

#[unsafe(no_mangle)]
extern "C" fn wasi_mmap_flock(_: c_int, _: c_int) -> c_int {
    status(unsupported())
}

#[unsafe(no_mangle)]
extern "C" fn wasi_mmap_flock_pretending(_: c_int, _: c_int) -> c_int {
    0
}

#[unsafe(no_mangle)]
extern "C" fn wasi_mmap_lockf(_: c_int, _: c_int, _: off_t) -> c_int {
    status(unsupported())
}

#[unsafe(no_mangle)]
extern "C" fn wasi_mmap_lockf_pretending(_: c_int, _: c_int, _: off_t) -> c_int {
    0
}
