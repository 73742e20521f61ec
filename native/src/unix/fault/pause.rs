//! Pausing stores to memory: threads that store there wait until they may go on. Linux `mprotect(2)` and SIGSEGV.
//!
//! While the end of a lease copies a window's pages, a store that goes to a page after it was copied would be undone
//! when the copy takes its place. So the pages cannot be written meanwhile. A store faults, its SIGSEGV waits in the
//! handler until the copy is in place, and then the store runs again.
//!
//! The handler is installed when stores are paused for the first time that they can be: when the first window gets a
//! lease. By then the engine has installed its own, to which all other faults are forwarded. All that runs in it is
//! async-signal-safe.

use std::io;
use std::mem::{self, MaybeUninit};
use std::ops::Range;
use std::ptr;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use libc::{c_int, c_void, sigaction, siginfo_t};

use super::super::replace::die;
use super::registry;

/// The action for SIGSEGV before ours.
static PREVIOUS: OnceLock<sigaction> = OnceLock::new();
static INSTALLED: OnceLock<Result<(), i32>> = OnceLock::new();

/// Held while stores are paused: one range at a time.
static PAUSE: Mutex<()> = Mutex::new(());
/// The paused range; empty if none is.
static START: AtomicUsize = AtomicUsize::new(0);
static END: AtomicUsize = AtomicUsize::new(0);

/// The time between looks of a waiting thread, in nanoseconds.
const WAIT: libc::c_long = 50_000;

/// A range of memory to which stores wait.
#[must_use]
pub(crate) struct PausedStores {
    memory: Range<usize>,
    _pause: MutexGuard<'static, ()>,
}

/// Installs the handler for SIGSEGV, once per process.
///
/// # Errors
///
/// The error of `sigaction(2)`.
pub(crate) fn allow_pauses() -> io::Result<()> {
    let install = || set_handler().map_err(|error| error.raw_os_error().unwrap_or(0));
    (*INSTALLED.get_or_init(install)).map_err(io::Error::from_raw_os_error)
}

impl PausedStores {
    /// Pauses stores to memory for which [`allow_pauses`] was called, until [`resume`](Self::resume).
    ///
    /// # Errors
    ///
    /// The error of `mprotect(2)`. Stores are not paused.
    ///
    /// # Safety
    ///
    /// The memory is whole pages that can be read and written, belongs to the caller, is stable in the registry of
    /// faults, and is replaced by nobody else.
    pub(crate) unsafe fn new(memory: &Range<usize>) -> io::Result<Self> {
        let pause = PAUSE.lock().unwrap_or_else(PoisonError::into_inner);
        // First the range: from the first fault on, the handler must know it.
        START.store(memory.start, SeqCst);
        END.store(memory.end, SeqCst);
        let paused = Self { memory: memory.clone(), _pause: pause };
        // SAFETY: the caller's promise; reads go on.
        match unsafe { protect(memory, libc::PROT_READ) } {
            Ok(()) => Ok(paused),
            Err(error) => {
                // A part may be protected: the kernel goes from area to area.
                paused.resume(false);
                Err(error)
            }
        }
    }

    /// Lets the stores run again. `is_replaced` says whether other memory, which can be written, has taken the place.
    pub(crate) fn resume(self, is_replaced: bool) {
        // SAFETY: the memory is that of `new`, whose caller owns it.
        let resumed = is_replaced || unsafe { protect(&self.memory, libc::PROT_READ | libc::PROT_WRITE) }.is_ok();
        END.store(0, SeqCst);
        START.store(0, SeqCst);
        if !resumed {
            die("memory of a window that was protected for a moment cannot be written again");
        }
    }
}

/// Changes the protection of memory. POSIX `mprotect(2)`.
///
/// # Safety
///
/// The memory belongs to the caller, and whoever uses it bears the protection.
unsafe fn protect(memory: &Range<usize>, protection: c_int) -> io::Result<()> {
    // SAFETY: the caller's promise; no byte changes, whether it succeeds or fails.
    let status = unsafe { libc::mprotect(ptr::without_provenance_mut(memory.start), memory.len(), protection) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn set_handler() -> io::Result<()> {
    let mut previous = MaybeUninit::<sigaction>::uninit();
    // SAFETY: `sigaction` only writes the current action to `previous`, which is large enough. On failure it writes
    // nothing.
    check(unsafe { libc::sigaction(libc::SIGSEGV, ptr::null(), previous.as_mut_ptr()) })?;
    // SAFETY: the call succeeded, so it has written all of `previous`.
    let previous = PREVIOUS.get_or_init(|| unsafe { previous.assume_init() });

    // SAFETY: a `sigaction` consists of integers and an optional function pointer, and zero is valid for all of them.
    let mut action: sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = on_sigsegv as *const () as usize;
    // What the previous handler relies on, such as running with the signal not blocked, holds as before.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | (previous.sa_flags & libc::SA_NODEFER);
    action.sa_mask = previous.sa_mask;
    // SAFETY: `action` is initialized, and `on_sigsegv` has the signature that `SA_SIGINFO` demands. On failure nothing
    // has changed.
    check(unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, ptr::null_mut()) })
}

fn check(status: c_int) -> io::Result<()> {
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

extern "C" fn on_sigsegv(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a valid `siginfo_t` to a handler with `SA_SIGINFO`.
    let fault = unsafe { &*info };
    /// The page is mapped, and may not be accessed so. `asm-generic/siginfo.h`.
    const SEGV_ACCERR: c_int = 2;
    if fault.si_code == SEGV_ACCERR {
        // SAFETY: the `siginfo_t` of a SIGSEGV has an address.
        let address = unsafe { fault.si_addr() } as usize;
        // SAFETY: the function has no precondition, and returns a pointer to this thread's own `errno`.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY: this thread's `errno` is valid as long as the thread lives.
        let saved = unsafe { *errno };
        let can_retry = wait_to_store(address);
        // SAFETY: as above.
        unsafe { *errno = saved };
        if can_retry {
            return;
        }
    }
    super::handler::forward_to(PREVIOUS.get(), signal, info, context);
}

/// Waits while stores to an address are paused. Returns whether the store can be tried again.
fn wait_to_store(address: usize) -> bool {
    let is_paused = || START.load(SeqCst) <= address && address < END.load(SeqCst);
    if is_paused() {
        while is_paused() {
            let time = libc::timespec { tv_sec: 0, tv_nsec: WAIT };
            // SAFETY: the call reads the time, and writes nothing.
            unsafe { libc::nanosleep(&raw const time, ptr::null_mut()) };
        }
        return true;
    }
    // The pause may have ended between the fault and now. Memory that can be paused can always be written but for that;
    // another kind of access, such as running it as code, faults again and again, and is not retried for ever.
    registry::find(address)
        .is_some_and(|found| found.slot.is_stable() && !found.slot.count_repeat(address & !(found.area.page - 1)))
}
