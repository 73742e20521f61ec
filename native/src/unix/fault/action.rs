//! Actions for signals: installing a handler, and forwarding to the action that it replaced.

use std::io;
use std::mem::{self, MaybeUninit};
use std::ptr;

use libc::{c_int, c_void, sigaction, siginfo_t};

/// The type of a handler with `SA_SIGINFO`.
pub(super) type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

/// Returns an action that calls a handler. It runs on the thread's alternate stack, if there is one: the stack of the
/// fault may be small.
pub(super) fn new(handler: Handler, flags: c_int) -> sigaction {
    // SAFETY: a `sigaction` consists of integers and an optional function pointer, and zero is valid for all of them.
    let mut action: sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | flags;
    action
}

/// Sets the action for a signal, if there is a new one, and returns the one before. POSIX `sigaction(2)`.
///
/// # Errors
///
/// The error of `sigaction(2)`. The action is as before.
pub(super) fn set(signal: c_int, action: Option<&sigaction>) -> io::Result<sigaction> {
    let mut previous = MaybeUninit::<sigaction>::uninit();
    let action = action.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `action` is null, or was made by `new` or returned by this function, so that its handler has the signature
    // that its flags demand. `previous` is large enough. On failure nothing has changed, and nothing was written.
    if unsafe { libc::sigaction(signal, action, previous.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it has written all of `previous`.
    Ok(unsafe { previous.assume_init() })
}

/// Forwards a signal to the handler that was there before. If there was none, the process ends as it would have without
/// us.
pub(super) fn forward(previous: Option<&sigaction>, signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a valid `siginfo_t`.
    let was_sent = unsafe { (*info).si_code } <= 0;
    match previous.map_or(libc::SIG_DFL, |action| action.sa_sigaction) {
        libc::SIG_IGN if was_sent => {}
        // A fault cannot be ignored: the kernel kills the process in this case too.
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: zero is valid for each field, and means `SIG_DFL` for the handler.
            let default: sigaction = unsafe { mem::zeroed() };
            // SAFETY: `default` is initialized. When we return, the access runs again, and its fault ends the process.
            unsafe { libc::sigaction(signal, &raw const default, ptr::null_mut()) };
            if was_sent {
                // The signal was sent, so no access runs again. Raised here, it is blocked until we return, and then
                // ends the process.
                // SAFETY: `raise` has no precondition.
                unsafe { libc::raise(signal) };
            }
        }
        handler if previous.is_some_and(|action| action.sa_flags & libc::SA_SIGINFO != 0) => {
            // SAFETY: whoever set `SA_SIGINFO` installed a function of this signature.
            let handler: Handler = unsafe { mem::transmute(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: without `SA_SIGINFO`, the function takes the signal number alone.
            let handler: extern "C" fn(c_int) = unsafe { mem::transmute(handler) };
            handler(signal);
        }
    }
}

/// Returns the address of this thread's `errno`.
#[cfg(any(target_os = "linux", target_os = "emscripten"))]
pub(super) unsafe fn errno_location() -> *mut c_int {
    // SAFETY: the function has no precondition.
    unsafe { libc::__errno_location() }
}

/// Returns the address of this thread's `errno`.
#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
pub(super) unsafe fn errno_location() -> *mut c_int {
    // SAFETY: the function has no precondition.
    unsafe { libc::__error() }
}

/// Returns the address of this thread's `errno`.
#[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
pub(super) unsafe fn errno_location() -> *mut c_int {
    // SAFETY: the function has no precondition.
    unsafe { libc::__errno() }
}
