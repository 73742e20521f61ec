//! The SIGBUS handler. All that runs in it is async-signal-safe: atomics, and system calls that take no lock of this process
//! (`fstat(2)`, `madvise(2)`, `mmap(2)`, `sigaction(2)`, `raise(3)`). It touches no memory that a file is mapped in, so that it
//! meets no fault itself.

use std::io;
use std::mem::{self, MaybeUninit};
use std::ops::Range;
use std::ptr;
use std::sync::OnceLock;

use libc::{c_int, c_void, sigaction, siginfo_t};

use super::super::replace;
use super::Fault;
use super::registry::{self, Area, Found, Slot};

/// What handled SIGBUS before us. Set before our handler is, so that the handler always finds it.
static PREVIOUS: OnceLock<sigaction> = OnceLock::new();

static INSTALLED: OnceLock<Result<(), i32>> = OnceLock::new();

/// Installs the handler, once in a process.
pub(super) fn install() -> io::Result<()> {
    let install = || set_handler().map_err(|error| error.raw_os_error().unwrap_or(0));
    (*INSTALLED.get_or_init(install)).map_err(io::Error::from_raw_os_error)
}

fn set_handler() -> io::Result<()> {
    let mut previous = MaybeUninit::<sigaction>::uninit();
    // SAFETY: `sigaction` only writes the current action to `previous`, which is large enough for it.
    check(unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), previous.as_mut_ptr()) })?;
    // SAFETY: the call succeeded, so it has written all of `previous`.
    PREVIOUS.get_or_init(|| unsafe { previous.assume_init() });

    // SAFETY: a `sigaction` is integers and an optional function pointer, for all of which zero is a value.
    let mut action: sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = on_sigbus as *const () as usize;
    // On the thread's alternate stack, where it has one: the fault may be met on a small stack.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: `action` is initialized, and `on_sigbus` has the signature that `SA_SIGINFO` promises.
    check(unsafe { libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut()) })
}

fn check(status: c_int) -> io::Result<()> {
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

extern "C" fn on_sigbus(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a valid `siginfo_t` to a handler with `SA_SIGINFO`.
    let fault = unsafe { &*info };
    // SAFETY: SIGBUS is a signal that has an address.
    let address = unsafe { fault.si_addr() } as usize;
    // SAFETY: the function has no precondition; the pointer it answers is this thread's own `errno`.
    let errno = unsafe { errno_location() };
    // SAFETY: this thread's `errno` is valid as long as the thread lives.
    let saved = unsafe { *errno };
    // `BUS_ADRERR`: no page there. Broken memory and misaligned accesses are not ours to repair.
    let repaired =
        fault.si_code == libc::BUS_ADRERR && registry::find(address).is_some_and(|found| repair(&found, address));
    // SAFETY: as above.
    unsafe { *errno = saved };
    if !repaired {
        hand_on(signal, info, context);
    }
}

/// Puts zeros where the file has nothing, and notes what was lost; or finds that the page can be had after all.
fn repair(found: &Found, address: usize) -> bool {
    let Found { slot, area } = found;
    let page = area.page;
    let start = address & !(page - 1);
    let one = start..start + page;
    let rest = start..area.memory.end.next_multiple_of(page);
    for _ in 0..TRIES {
        // When the file ends before the fault, all that follows is lost too: one mapping instead of one for each page.
        if file_len(area.descriptor).is_some_and(|len| offset_of(area, start) >= len) {
            return replace(slot, area, rest.clone(), Fault::Truncated);
        }
        // The file reaches further. Has it become longer since the fault, or is there no space for the page?
        // A private page is had to read alone: to have it to write is to copy it, and the copy hides what the file holds from then on.
        match populate(&one, area.private) {
            // It can be read, and faults all the same: a write finds no memory for its copy. There is to be an end to it.
            Populated::Yes if area.private && slot.is_met_again(start) => return copy_or_replace(found, start),
            Populated::Yes => return true,
            Populated::No => {}
            Populated::Unknown => break,
        }
    }
    replace_for_space(found, start)
}

/// Replaces a page that there is no space for, and where there were many already, all that follows it.
fn replace_for_space(found: &Found, start: usize) -> bool {
    let Found { slot, area } = found;
    let end = if slot.take_single() { start + area.page } else { area.memory.end.next_multiple_of(area.page) };
    replace(slot, area, start..end, Fault::NoSpace)
}

/// Makes a copy of a private page, as a write would; it is noted as lost, since what the file holds from now on does not reach it.
/// Where there cannot be one either, there is no space.
fn copy_or_replace(found: &Found, start: usize) -> bool {
    let page = start..start + found.area.page;
    match populate(&page, false) {
        Populated::Yes => {
            found.slot.lose(page, Fault::Truncated);
            true
        }
        Populated::No | Populated::Unknown => replace_for_space(found, start),
    }
}

/// How often a file may become shorter and longer again between two steps of a repair before the disk is blamed for it.
const TRIES: u32 = 16;

/// Whether a page could be had.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux can say"))]
enum Populated {
    Yes,
    No,
    /// The system cannot say.
    Unknown,
}

/// Tries to have a page in memory, without a fault; `to_read` alone, or to write as well. Linux `madvise(2)` with
/// `MADV_POPULATE_WRITE`, since 5.14.
#[cfg(target_os = "linux")]
fn populate(page: &Range<usize>, to_read: bool) -> Populated {
    // To write first: a page that can be read may still find no space when it is written, and fault for ever.
    let uses = [libc::MADV_POPULATE_WRITE, libc::MADV_POPULATE_READ];
    for &advice in &uses[usize::from(to_read)..] {
        // SAFETY: whether it succeeds or fails, the call changes no byte that anybody sees, and takes no page away; a pointer made
        // from the address serves as a mere number here.
        let status = unsafe { libc::madvise(ptr::without_provenance_mut(page.start), page.len(), advice) };
        if status == 0 {
            return Populated::Yes;
        }
        // SAFETY: as in `on_sigbus`.
        let errno = unsafe { errno_location() };
        // SAFETY: as in `on_sigbus`.
        match unsafe { *errno } {
            // Not to be written; or the advice is not known, and reading answers the same.
            libc::EINVAL => {}
            libc::EFAULT => return Populated::No,
            _ => return Populated::Unknown,
        }
    }
    Populated::Unknown
}

#[cfg(not(target_os = "linux"))]
fn populate(_: &Range<usize>, _: bool) -> Populated {
    Populated::Unknown
}

/// Puts zeros in the place of memory, and notes before that it is lost.
fn replace(slot: &Slot, area: &Area, lost: Range<usize>, fault: Fault) -> bool {
    slot.lose(lost.clone(), fault);
    // SAFETY: the pages lie in a range that its owner registered and keeps mapped while it is accessed, as the fault shows that it
    // is. They are replaced by private pages that can be read and written, which no pointer into them can tell from pages whose
    // contents another process changed. On failure they are as they were.
    if unsafe { replace::put_zeros(&lost) }.is_ok() {
        return true;
    }
    // A part of an area makes two or three of it, and the process may have no more. All of it makes none.
    let all = area.memory.start..area.memory.end.next_multiple_of(area.page);
    slot.lose(all.clone(), fault);
    // SAFETY: as above.
    if unsafe { replace::put_zeros(&all) }.is_ok() {
        return true;
    }
    // SAFETY: as above. Whoever touches the memory between its two steps dies: it is the last thing to try before the process ends.
    unsafe { replace::put_zeros_anew(&all) }.is_ok()
}

fn offset_of(area: &Area, address: usize) -> u64 {
    area.offset.saturating_add(address.saturating_sub(area.memory.start) as u64)
}

fn file_len(descriptor: c_int) -> Option<u64> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `fstat` writes a `stat` to the memory it is given, which is large enough, or fails.
    if unsafe { libc::fstat(descriptor, stat.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: the call succeeded, so it has written all of `stat`.
    let stat = unsafe { stat.assume_init() };
    u64::try_from(stat.st_size).ok()
}

/// Lets the handler that was there before decide; where there was none, the process ends as it would have without us.
fn hand_on(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let previous = PREVIOUS.get();
    // SAFETY: the kernel passes a valid `siginfo_t`.
    let is_sent = unsafe { (*info).si_code } <= 0;
    match previous.map_or(libc::SIG_DFL, |action| action.sa_sigaction) {
        libc::SIG_IGN if is_sent => {}
        // Ignoring a fault is not possible: the kernel kills the process for it as well.
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: zero is a value of each field, and is `SIG_DFL` for the handler.
            let default: sigaction = unsafe { mem::zeroed() };
            // SAFETY: `default` is initialized. The access runs again when we return, and its fault now ends the process.
            unsafe { libc::sigaction(signal, &raw const default, ptr::null_mut()) };
            if is_sent {
                // Somebody sent it, and no access runs again. It is blocked until we return, and then ends the process.
                // SAFETY: no precondition.
                unsafe { libc::raise(signal) };
            }
        }
        handler if previous.is_some_and(|action| action.sa_flags & libc::SA_SIGINFO != 0) => {
            // SAFETY: whoever set `SA_SIGINFO` gave a function of this signature.
            let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = unsafe { mem::transmute(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: without `SA_SIGINFO` the function takes the signal's number alone.
            let handler: extern "C" fn(c_int) = unsafe { mem::transmute(handler) };
            handler(signal);
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "emscripten"))]
unsafe fn errno_location() -> *mut c_int {
    // SAFETY: no precondition.
    unsafe { libc::__errno_location() }
}

#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
unsafe fn errno_location() -> *mut c_int {
    // SAFETY: no precondition.
    unsafe { libc::__error() }
}

#[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
unsafe fn errno_location() -> *mut c_int {
    // SAFETY: no precondition.
    unsafe { libc::__errno() }
}
