//! The SIGBUS handler. All that runs in it is async-signal-safe: atomics, and system calls that take no lock of this
//! process (`fstat(2)`, `madvise(2)`, `mmap(2)`, `sigaction(2)`, `raise(3)`). It touches no memory that maps a file, so
//! it cannot fault itself.

use std::io;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::OnceLock;

use libc::{c_int, c_void, sigaction, siginfo_t};

use super::super::replace;
use super::action;
use super::registry::{self, Area, Fault, Found, Slot};

/// The action for SIGBUS before ours. Set before our handler is installed, so that the handler always finds it.
static PREVIOUS: OnceLock<sigaction> = OnceLock::new();

static INSTALLED: OnceLock<Result<(), i32>> = OnceLock::new();

/// Installs the handler, once per process.
pub(super) fn install() -> io::Result<()> {
    let install = || set_handler().map_err(|error| error.raw_os_error().unwrap_or(0));
    (*INSTALLED.get_or_init(install)).map_err(io::Error::from_raw_os_error)
}

fn set_handler() -> io::Result<()> {
    let previous = action::set(libc::SIGBUS, None)?;
    PREVIOUS.get_or_init(|| previous);
    action::set(libc::SIGBUS, Some(&action::new(on_sigbus, libc::SA_RESTART)))?;
    Ok(())
}

extern "C" fn on_sigbus(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a valid `siginfo_t` to a handler with `SA_SIGINFO`.
    let fault = unsafe { &*info };
    // SAFETY: the `siginfo_t` of a SIGBUS has an address.
    let address = unsafe { fault.si_addr() } as usize;
    // SAFETY: the function has no precondition, and returns a pointer to this thread's own `errno`.
    let errno = unsafe { action::errno_location() };
    // SAFETY: this thread's `errno` is valid as long as the thread lives.
    let saved = unsafe { *errno };
    // `BUS_ADRERR` means that there is no page. Broken memory and misaligned accesses are not ours to repair.
    let repaired =
        fault.si_code == libc::BUS_ADRERR && registry::find(address).is_some_and(|found| repair(&found, address));
    // SAFETY: as above.
    unsafe { *errno = saved };
    if !repaired {
        action::forward(PREVIOUS.get(), signal, info, context);
    }
}

/// Replaces lost pages with zeros and records the loss, unless the page turns out to be available after all. Returns
/// whether the access can go on.
fn repair(found: &Found, address: usize) -> bool {
    let Found { slot, area } = found;
    if slot.is_stable() {
        // Zeros would be other bytes than somebody may have read here already.
        replace::die(BYTES_LOST);
    }
    let page = area.page;
    let start = address & !(page - 1);
    let one = start..start + page;
    let rest = start..area.memory.end.next_multiple_of(page);
    for _ in 0..MAX_TRIES {
        // If the file ends before the fault, everything behind is lost too, and is replaced by one mapping instead of
        // one per page.
        if let Some(len) = file_len(area.descriptor).filter(|&len| file_offset_of(area, start) >= len) {
            if area.reaches_beyond_end() {
                return show_zeros(slot, area, len);
            }
            return replace(slot, area, rest.clone(), Fault::Truncated);
        }
        // The file has the page. Either the file has grown since the fault, or there is no space for the page. A
        // private page is populated for reading only: populating it for writing would copy it, and the copy would hide
        // the file's later contents. A shared page may have become a private one since the slot was found.
        let is_private = slot.is_private();
        match populate(&one, is_private) {
            // It can be read, but faults again and again: a write finds no memory for its copy. This must not go on for
            // ever.
            Populated::Yes if is_private && slot.count_repeat(start) => return copy_or_replace(found, start),
            Populated::Yes => {
                // If it became private only now, it may have been copied.
                if !is_private && slot.is_private() {
                    slot.lose(one, Fault::Truncated);
                }
                return true;
            }
            Populated::No => {}
            Populated::Unknown => break,
        }
    }
    replace_for_space(found, start)
}

/// Replaces a page for which there is no space; after many such pages, everything behind it as well.
fn replace_for_space(found: &Found, start: usize) -> bool {
    let Found { slot, area } = found;
    let end = if slot.count_single() { start + area.page } else { area.memory.end.next_multiple_of(area.page) };
    replace(slot, area, start..end, Fault::NoSpace)
}

/// Copies a private page, as a write would, and records it as lost, since it no longer shows the file's contents. If it
/// cannot be copied either, there is no space.
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

/// The message where bytes are gone that were promised not to change.
const BYTES_LOST: &str = "bytes of a mapped file are gone that were promised not to change: another process has opened the \
                          file with O_RDONLY and O_TRUNC, which ends no lease, or its disk has failed";

/// The number of times that a file may shrink and grow again during a repair before the fault counts as lack of space.
const MAX_TRIES: u32 = 16;

/// The outcome of populating a page.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux can tell"))]
enum Populated {
    Yes,
    No,
    /// The system cannot tell.
    Unknown,
}

/// Tries to bring a page into memory without a fault, for writing or, with `read_only`, just for reading. Linux
/// `madvise(2)` with `MADV_POPULATE_WRITE` or `MADV_POPULATE_READ`, since 5.14.
#[cfg(target_os = "linux")]
fn populate(page: &Range<usize>, read_only: bool) -> Populated {
    // For writing first: a page that can be read may still have no space when it is written, and would fault for ever.
    let advices = [libc::MADV_POPULATE_WRITE, libc::MADV_POPULATE_READ];
    for &advice in &advices[usize::from(read_only)..] {
        // SAFETY: whether it succeeds or fails, the call changes no byte that anybody sees and removes no page. The
        // pointer is only used as a number.
        let status = unsafe { libc::madvise(std::ptr::without_provenance_mut(page.start), page.len(), advice) };
        if status == 0 {
            return Populated::Yes;
        }
        // SAFETY: as in `on_sigbus`.
        let errno = unsafe { action::errno_location() };
        // SAFETY: as in `on_sigbus`.
        match unsafe { *errno } {
            // The page is not writable, or the kernel does not know the advice. In the second case, it does not know
            // the advice for reading either.
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

/// Puts zeros in the place of all pages past the end of a file of `len` bytes, and records them, so that the file is put
/// back when it has grown. What the file had before is lost. Returns whether it did.
fn show_zeros(slot: &Slot, area: &Area, len: u64) -> bool {
    let end = area.memory.end.next_multiple_of(area.page);
    let in_file = usize::try_from(len.saturating_sub(area.file_offset)).unwrap_or(usize::MAX);
    let from = area.memory.start.saturating_add(in_file).min(end).next_multiple_of(area.page);
    if from < area.had_end {
        slot.lose(from..area.had_end.min(end), Fault::Truncated);
    }
    slot.add_zeros(from);
    // SAFETY: as in `replace`.
    if from < end && unsafe { replace::put_zeros(&(from..end)) }.is_ok() {
        slot.add_zeros(from);
        return true;
    }
    // The process has no areas left.
    slot.add_zeros(area.memory.start);
    let is_replaced = replace(slot, area, area.memory.start..end, Fault::Truncated);
    slot.add_zeros(area.memory.start);
    is_replaced
}

/// Records that memory is lost, then replaces it with zeros. Returns whether it did.
fn replace(slot: &Slot, area: &Area, lost: Range<usize>, fault: Fault) -> bool {
    slot.lose(lost.clone(), fault);
    // SAFETY: the pages lie in a range that its owner registered and keeps mapped while it is accessed, and the fault
    // shows that it is being accessed. They are replaced by private pages that can be read and written. Through a
    // pointer, these look like pages whose contents another process has changed. On failure the pages are as they were.
    if unsafe { replace::put_zeros(&lost) }.is_ok() {
        return true;
    }
    // Replacing a part of an area splits it in two or three, and the process may have no areas left. Replacing all of
    // it splits none.
    let all = area.memory.start..area.memory.end.next_multiple_of(area.page);
    slot.lose(all.clone(), fault);
    // SAFETY: as above.
    if unsafe { replace::put_zeros(&all) }.is_ok() {
        return true;
    }
    // SAFETY: as above. A thread that touches the memory between the two steps crashes the process. This is the last
    // resort before the process ends anyway.
    unsafe { replace::put_zeros_anew(&all) }.is_ok()
}

fn file_offset_of(area: &Area, address: usize) -> u64 {
    area.file_offset.saturating_add(address.saturating_sub(area.memory.start) as u64)
}

fn file_len(descriptor: c_int) -> Option<u64> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `fstat` writes to `stat`, which is large enough, or fails.
    if unsafe { libc::fstat(descriptor, stat.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: the call succeeded, so it has written all of `stat`.
    let stat = unsafe { stat.assume_init() };
    u64::try_from(stat.st_size).ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::FileExt;

    use super::super::registry::OwnedSlot;
    use super::*;

    /// Another thread may make a window one for reading while a fault in it is being repaired.
    #[test]
    fn a_page_that_became_private_meanwhile_is_not_copied() {
        let page = super::super::super::page::page_len();
        let file = tempfile::tempfile().expect("a file");
        file.write_all_at(&vec![1; page], 0).expect("it writes");
        // SAFETY: nobody refers to the bytes, which are read through a pointer.
        let map: memmap2::MmapRaw = unsafe { memmap2::MmapOptions::new().map_copy(&file) }.expect("a mapping").into();
        let memory = map.as_ptr().addr()..map.as_ptr().addr() + page;
        let area = Area { memory: memory.clone(), descriptor: file.as_raw_fd(), page, ..Area::NONE };
        let slot = OwnedSlot::register(&area).expect("a slot");
        let found = registry::find(memory.start).expect("it is registered");
        slot.set_private(true);
        assert!(repair(&found, memory.start), "the file has the page");
        file.write_all_at(&[2], 0).expect("it writes");
        // SAFETY: the byte is mapped, and the file has it.
        assert_eq!(unsafe { map.as_ptr().read_volatile() }, 2, "the page shows the file");
        assert_eq!(slot.lost(memory), None);
    }
}
