//! Pausing stores to memory: threads that store there wait until they may go on. Linux `mprotect(2)` and SIGSEGV.
//!
//! While the end of a lease copies a window's pages, a store that goes to a page after it was copied would be undone
//! when the copy takes its place. So the pages cannot be written meanwhile. A store faults, its SIGSEGV waits in the
//! handler until the copy is in place, and then the store runs again.
//!
//! The handler is installed when the first window gets a lease, and forwards all other faults to the one that was there
//! before: the engine's, which would take a store that waits for an error of the plugin. If somebody has installed
//! another one since, such as an engine that was made later, ours is put on top again before stores are paused. All
//! that runs in the handler is async-signal-safe.

use std::io;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicPtr, AtomicUsize};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use libc::{c_int, c_void, sigaction, siginfo_t};

use super::super::replace::die;
use super::action::{self, Handler};
use super::registry;

/// Our handlers. Each is installed once, on top of the action that it forwards to: whoever installs an action over one
/// of them forwards to that one, so it cannot be put on top again, or the two would forward to each other for ever.
const HANDLERS: [Handler; 8] = [
    on_sigsegv::<0>,
    on_sigsegv::<1>,
    on_sigsegv::<2>,
    on_sigsegv::<3>,
    on_sigsegv::<4>,
    on_sigsegv::<5>,
    on_sigsegv::<6>,
    on_sigsegv::<7>,
];

/// The action that each handler forwards to: null before the handler is installed, and never freed after that.
static PREVIOUS: [AtomicPtr<sigaction>; HANDLERS.len()] = [const { AtomicPtr::new(ptr::null_mut()) }; HANDLERS.len()];

/// Held while stores are paused: one range at a time.
static PAUSE: Mutex<()> = Mutex::new(());
/// The paused range; empty if none is.
static START: AtomicUsize = AtomicUsize::new(0);
static END: AtomicUsize = AtomicUsize::new(0);
/// The number of stores since the last pause that were tried again because it might just have ended.
static RETRIES: AtomicUsize = AtomicUsize::new(0);

/// The time between looks of a waiting thread, in nanoseconds.
const WAIT: libc::c_long = 50_000;

/// The number of stores that are tried again after a pause: more than threads that can have met it.
const MAX_RETRIES: usize = 1024;

/// A range of memory to which stores wait.
#[must_use]
pub(crate) struct PausedStores {
    memory: Range<usize>,
    _pause: MutexGuard<'static, ()>,
}

/// Installs the handler for SIGSEGV, at the first call in a process.
///
/// # Errors
///
/// The error of `sigaction(2)`.
pub(crate) fn allow_pauses() -> io::Result<()> {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    if INSTALLED.get().is_none() {
        let _pause = lock();
        put_on_top()?;
        INSTALLED.get_or_init(|| ());
    }
    Ok(())
}

fn lock() -> MutexGuard<'static, ()> {
    PAUSE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PausedStores {
    /// Pauses stores to memory, until [`resume`](Self::resume).
    ///
    /// # Errors
    ///
    /// The error of `mprotect(2)` or `sigaction(2)`; an error if others have installed too many handlers. Stores are
    /// not paused.
    ///
    /// # Safety
    ///
    /// The memory is whole pages that can be read and written, belongs to the caller, is stable in the registry of
    /// faults, and is replaced by nobody else.
    pub(crate) unsafe fn new(memory: &Range<usize>) -> io::Result<Self> {
        let pause = lock();
        put_on_top()?;
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
        // First the count: whoever finds no pause any more may try again.
        RETRIES.store(0, SeqCst);
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

/// Puts a handler of ours on top of all others, if none is. The caller holds the lock.
///
/// # Errors
///
/// The error of `sigaction(2)`; an error if all of ours lie below others. Nothing has changed.
fn put_on_top() -> io::Result<()> {
    let current = action::set(libc::SIGSEGV, None)?;
    if HANDLERS.iter().any(|&handler| current.sa_sigaction == handler as usize) {
        return Ok(());
    }
    let Some(level) = PREVIOUS.iter().position(|previous| previous.load(SeqCst).is_null()) else {
        return Err(io::Error::other("too many handlers for SIGSEGV were installed"));
    };
    // The previous handler may rely on running with the signal not blocked.
    let mut action = action::new(HANDLERS[level], current.sa_flags & libc::SA_NODEFER);
    action.sa_mask = current.sa_mask;
    // First the action that the handler forwards to: it may run at once.
    PREVIOUS[level].store(Box::into_raw(Box::new(current)), SeqCst);
    match action::set(libc::SIGSEGV, Some(&action)) {
        Ok(replaced) => {
            if replaced.sa_sigaction != current.sa_sigaction {
                // Another thread was faster, with an action of its own.
                PREVIOUS[level].store(Box::into_raw(Box::new(replaced)), SeqCst);
            }
            Ok(())
        }
        Err(error) => {
            // The handler was not installed, so nobody has read this; it is a few bytes that stay allocated.
            PREVIOUS[level].store(ptr::null_mut(), SeqCst);
            Err(error)
        }
    }
}

extern "C" fn on_sigsegv<const LEVEL: usize>(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a valid `siginfo_t` to a handler with `SA_SIGINFO`.
    let fault = unsafe { &*info };
    /// The page is mapped, and may not be accessed so. `asm-generic/siginfo.h`.
    const SEGV_ACCERR: c_int = 2;
    if fault.si_code == SEGV_ACCERR {
        // SAFETY: the `siginfo_t` of a SIGSEGV has an address.
        let address = unsafe { fault.si_addr() } as usize;
        // SAFETY: the function has no precondition, and returns a pointer to this thread's own `errno`.
        let errno = unsafe { action::errno_location() };
        // SAFETY: this thread's `errno` is valid as long as the thread lives.
        let saved = unsafe { *errno };
        let can_retry = wait_to_store(address);
        // SAFETY: as above.
        unsafe { *errno = saved };
        if can_retry {
            return;
        }
    }
    // SAFETY: null, or an action that was stored before this handler was installed, and is never freed.
    let previous = unsafe { PREVIOUS[LEVEL].load(SeqCst).as_ref() };
    action::forward(previous, signal, info, context);
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
    registry::find(address).is_some_and(|found| found.slot.is_stable()) && RETRIES.fetch_add(1, SeqCst) < MAX_RETRIES
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::super::FaultGuard;
    use super::*;
    use crate::alone;

    /// Memory of one page, as a window has it.
    fn stable_page() -> (memmap2::MmapMut, Range<usize>, FaultGuard) {
        let memory = memmap2::MmapMut::map_anon(4096).expect("memory");
        let range = memory.as_ptr().expose_provenance()..memory.as_ptr().addr() + 4096;
        let guard = FaultGuard::without_file(range.clone(), 4096).expect("a guard");
        guard.set_stable();
        (memory, range, guard)
    }

    /// A thread that faulted during a pause looks after its end, time and again.
    #[test]
    fn a_store_that_met_the_end_of_a_pause_is_tried_again_however_often_that_was() {
        let (_memory, range, _guard) = stable_page();
        for round in 0..3 * MAX_RETRIES {
            // SAFETY: the memory is that of this test, and nobody uses it.
            unsafe { PausedStores::new(&range) }.expect("it is paused").resume(false);
            assert!(wait_to_store(range.start + 5), "round {round}");
        }
        assert!(!wait_to_store(range.end), "behind the memory");
    }

    #[test]
    fn an_access_that_no_pause_explains_is_not_tried_again_for_ever() {
        let (_memory, range, _guard) = stable_page();
        // Others of this process pause, too.
        assert!((0..1_000_000).any(|_| !wait_to_store(range.start)));
    }

    /// An action for SIGSEGV that others install, and that forwards to the one before.
    static OTHERS: AtomicPtr<sigaction> = AtomicPtr::new(ptr::null_mut());
    static SEEN: AtomicUsize = AtomicUsize::new(0);

    extern "C" fn on_others(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
        SEEN.fetch_add(1, SeqCst);
        // SAFETY: it was stored before this was installed, and is never freed.
        let previous = unsafe { OTHERS.load(SeqCst).as_ref() };
        action::forward(previous, signal, info, context);
    }

    /// An engine that is made after the first window has a lease installs a handler over ours, and would take a store
    /// that waits for an error of the plugin.
    #[test]
    fn our_handler_is_put_on_top_of_one_that_was_installed_later() {
        let (mut memory, range, _guard) = stable_page();
        allow_pauses().expect("it is installed");
        let others = action::new(on_others, libc::SA_NODEFER);
        OTHERS.store(Box::into_raw(Box::new(action::set(libc::SIGSEGV, None).expect("an action"))), SeqCst);
        action::set(libc::SIGSEGV, Some(&others)).expect("it is installed");
        for round in 0..200u8 {
            // SAFETY: the memory is that of this test, whose stores wait.
            let paused = unsafe { PausedStores::new(&range) }.expect("it is paused");
            std::thread::scope(|scope| {
                let memory = &mut memory;
                // SAFETY: a byte of the memory, which nobody else uses.
                let storing = scope.spawn(move || unsafe { memory.as_mut_ptr().write_volatile(round) });
                std::thread::sleep(std::time::Duration::from_micros(300));
                paused.resume(false);
                storing.join().expect("a thread");
            });
            assert_eq!(memory[0], round);
        }
        assert_eq!(SEEN.load(SeqCst), 0, "another handler has seen a store that waits");
        let installed = PREVIOUS.iter().filter(|previous| !previous.load(SeqCst).is_null()).count();
        assert!(installed <= 2, "{installed} handlers");
    }

    /// Actions that others install over each of our handlers, and that forward to it.
    static BELOW: [AtomicPtr<sigaction>; HANDLERS.len()] = [const { AtomicPtr::new(ptr::null_mut()) }; HANDLERS.len()];

    extern "C" fn on_other<const LEVEL: usize>(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
        let text = &b"[0]\n[1]\n[2]\n[3]\n[4]\n[5]\n[6]\n[7]\n"[4 * LEVEL..][..4];
        // SAFETY: the call reads the text.
        unsafe { libc::write(libc::STDOUT_FILENO, text.as_ptr().cast(), text.len()) };
        // SAFETY: it was stored before this was installed, and is never freed.
        let previous = unsafe { BELOW[LEVEL].load(SeqCst).as_ref() };
        action::forward(previous, signal, info, context);
    }

    /// A fault that is not ours passes each handler once, ours and those of others in turn, and ends the process.
    #[test]
    fn handlers_that_lie_over_each_other_do_not_forward_in_a_circle() {
        let name = "unix::fault::pause::tests::handlers_that_lie_over_each_other_do_not_forward_in_a_circle";
        if let Some(output) = alone::run(name) {
            let seen = |level: usize| output.stdout.matches(&format!("[{level}]")).count();
            let seen: Vec<_> = (0..HANDLERS.len()).map(seen).collect();
            assert!(!output.succeeded && output.stdout.contains("too many"), "{output:?}");
            return assert_eq!(seen, [1; HANDLERS.len()], "{output:?}");
        }
        // SAFETY: no precondition. It ends this process if it hangs.
        unsafe { libc::alarm(60) };
        let others: [Handler; HANDLERS.len()] = [
            on_other::<0>,
            on_other::<1>,
            on_other::<2>,
            on_other::<3>,
            on_other::<4>,
            on_other::<5>,
            on_other::<6>,
            on_other::<7>,
        ];
        for (level, handler) in others.into_iter().enumerate() {
            put_on_top().expect("there are more handlers");
            put_on_top().expect("ours is on top");
            BELOW[level].store(Box::into_raw(Box::new(action::set(libc::SIGSEGV, None).expect("an action"))), SeqCst);
            action::set(libc::SIGSEGV, Some(&action::new(handler, 0))).expect("it is installed");
        }
        println!("{}", put_on_top().expect_err("all of ours lie below others"));
        let (mut memory, range, guard) = stable_page();
        drop(guard);
        // SAFETY: the memory is that of this test, which is to end here.
        unsafe { protect(&range, libc::PROT_READ) }.expect("it is protected");
        // SAFETY: none; the process ends here.
        unsafe { memory.as_mut_ptr().write_volatile(1) };
        println!("it went on");
    }
}
