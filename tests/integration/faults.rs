//! The SIGBUS handler, in processes that it may end.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::ptr;

use super::child;
use wasi_mmap::Mapping;
use wasi_mmap_core::{Access, Error};
use wasi_mmap_native::Lend;

const PAGE: usize = 4096;

/// Runs a part in a process, with a file of eight pages, and returns its exit status.
fn end_of(part: &str) -> ExitStatus {
    let scratch = tempfile::tempdir().expect("a directory");
    let path = scratch.path().join("file");
    fs::write(&path, vec![1; 8 * PAGE]).expect("a file");
    let status = child::command(part, &[path.to_str().expect("UTF-8")]).status().expect("a process");
    println!("{part}: {status}");
    status
}

#[test]
fn a_fault_elsewhere_ends_the_process_as_usual() {
    assert_eq!(end_of("fault-elsewhere").signal(), Some(libc::SIGBUS));
    assert_eq!(end_of("fault-elsewhere-without-a-handler").signal(), Some(libc::SIGBUS));
}

#[test]
fn a_fault_elsewhere_goes_to_the_previous_handler() {
    assert_eq!(end_of("handler-with-information").code(), Some(42));
    assert_eq!(end_of("handler-of-a-number").code(), Some(43));
}

#[test]
fn a_sent_signal_ends_the_process_as_usual() {
    assert_eq!(end_of("sent-signal").signal(), Some(libc::SIGBUS));
}

#[test]
fn a_sent_signal_that_the_process_ignores_is_ignored() {
    assert!(end_of("sent-signal-that-is-ignored").success());
    // A fault cannot be ignored.
    assert_eq!(end_of("fault-elsewhere-that-is-ignored").signal(), Some(libc::SIGBUS));
}

#[test]
fn a_fault_in_another_signals_handler_is_repaired() {
    assert!(end_of("nested-fault").success());
}

#[test]
fn many_threads_fault_on_one_page() {
    assert!(end_of("many-threads").success());
}

#[test]
fn a_fault_is_repaired_at_the_limit_of_memory_areas() {
    assert!(end_of("no-more-areas").success());
}

#[test]
fn a_fault_is_repaired_on_a_small_stack() {
    assert!(end_of("small-stack").success());
}

/// Runs a part, in its process.
pub fn meet(part: &str, path: &Path) {
    match part {
        "fault-elsewhere" => {
            survive_our_own(path);
            fault_elsewhere(path);
        }
        "fault-elsewhere-without-a-handler" => {
            // SAFETY: the default is a valid action.
            unsafe { libc::signal(libc::SIGBUS, libc::SIG_DFL) };
            survive_our_own(path);
            fault_elsewhere(path);
        }
        "handler-with-information" => {
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = end_with_42;
            set_handler(handler as *const () as usize, libc::SA_SIGINFO);
            survive_our_own(path);
            fault_elsewhere(path);
        }
        "handler-of-a-number" => {
            let handler: extern "C" fn(libc::c_int) = end_with_43;
            set_handler(handler as *const () as usize, 0);
            survive_our_own(path);
            fault_elsewhere(path);
        }
        "sent-signal" => {
            // SAFETY: the default is a valid action.
            unsafe { libc::signal(libc::SIGBUS, libc::SIG_DFL) };
            survive_our_own(path);
            // SAFETY: no precondition.
            unsafe { libc::raise(libc::SIGBUS) };
        }
        "sent-signal-that-is-ignored" => {
            // SAFETY: to ignore is a valid action.
            unsafe { libc::signal(libc::SIGBUS, libc::SIG_IGN) };
            survive_our_own(path);
            // SAFETY: no precondition.
            unsafe { libc::raise(libc::SIGBUS) };
            let process = std::process::id().cast_signed();
            // SAFETY: no precondition.
            assert_eq!(unsafe { libc::kill(process, libc::SIGBUS) }, 0);
            survive_our_own(path);
        }
        "fault-elsewhere-that-is-ignored" => {
            // SAFETY: to ignore is a valid action.
            unsafe { libc::signal(libc::SIGBUS, libc::SIG_IGN) };
            survive_our_own(path);
            fault_elsewhere(path);
        }
        "nested-fault" => nested_fault(path),
        "many-threads" => many_threads(path),
        "no-more-areas" => no_more_areas(path),
        "small-stack" => {
            let path = path.to_owned();
            let thread = std::thread::Builder::new().stack_size(32 * 1024).spawn(move || survive_our_own(&path));
            thread.expect("a thread").join().expect("it lives");
        }
        other => panic!("no such part: {other}"),
    }
}

extern "C" fn end_with_42(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid `siginfo_t`.
    let code = unsafe { (*info).si_code };
    // SAFETY: no precondition.
    unsafe { libc::_exit(if code == libc::BUS_ADRERR { 42 } else { 1 }) };
}

extern "C" fn end_with_43(_: libc::c_int) {
    // SAFETY: no precondition.
    unsafe { libc::_exit(43) };
}

fn set_handler(handler: usize, flags: libc::c_int) {
    // SAFETY: zero is a value of each field.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: the action is initialized, and its handler has the signature that the flags promise.
    assert_eq!(unsafe { libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut()) }, 0);
}

fn cut(path: &Path, pages: usize) {
    let file = OpenOptions::new().write(true).open(path).expect("a file");
    file.set_len((pages * PAGE) as u64).expect("it becomes shorter");
}

/// A fault in a mapping of ours, and recovery from it.
fn survive_our_own(path: &Path) {
    let mut mapping = Mapping::options().access(Access::Write).open(path).expect("a mapping");
    cut(path, 4);
    assert_eq!(mapping.read_range(..8 * PAGE as u64), Err(Error::Truncated));
    assert_eq!(mapping.get(3 * PAGE as i64), Ok(1));
    assert_eq!(mapping.write_all_at(b"lost", 7 * PAGE as u64), Err(Error::Truncated));
    assert_eq!(mapping.find_from_cursor(&[2], Some(0), None), Err(Error::Truncated));
    assert_eq!(mapping.refresh(), Err(Error::Truncated));
    fs::write(path, vec![1; 8 * PAGE]).expect("a file");
    mapping.refresh().expect("it is whole");
    assert_eq!(mapping.get(7 * PAGE as i64), Ok(1));
}

/// Faults in memory that other code has mapped.
fn fault_elsewhere(path: &Path) {
    let file = File::open(path).expect("a file");
    let (len, flags) = (16 * PAGE, libc::MAP_SHARED);
    // SAFETY: the kernel chooses where.
    let start = unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_READ, flags, file.as_raw_fd(), 0) };
    assert_ne!(start, libc::MAP_FAILED);
    let place = start.cast::<u8>().wrapping_add(12 * PAGE);
    // SAFETY: the address is mapped. Its page does not exist, so that the process ends here, as intended.
    let byte = unsafe { place.read_volatile() };
    panic!("read {byte} where the file has nothing");
}

static mut LENT: (*const u8, usize) = (ptr::null(), 0);

extern "C" fn sum_lent(_: libc::c_int) {
    // SAFETY: written before the signal is sent, in this thread.
    let (start, len) = unsafe { LENT };
    for at in (0..len).step_by(PAGE) {
        // SAFETY: the mapping is alive, and has these bytes.
        unsafe { start.wrapping_add(at).read_volatile() };
    }
}

/// The handler of another signal faults on a lost page during a system call.
fn nested_fault(path: &Path) {
    let mapping = Mapping::open(path).expect("a mapping");
    // SAFETY: the file is truncated while the slice is alive, and the handler below reads it by single volatile reads.
    let lent = unsafe { mapping.as_slice() }.expect("its pages");
    // SAFETY: nobody else runs.
    unsafe { LENT = (lent.as_ptr(), lent.len()) };
    let handler: extern "C" fn(libc::c_int) = sum_lent;
    // SAFETY: the handler has this signature, and reads memory alone.
    unsafe { libc::signal(libc::SIGUSR1, handler as *const () as usize) };
    cut(path, 2);
    // SAFETY: no precondition.
    unsafe { libc::raise(libc::SIGUSR1) };
    assert_eq!(mapping.check(0..2 * PAGE as u64), Ok(()));
    assert_eq!(mapping.check(0..8 * PAGE as u64), Err(Error::Truncated));
}

/// Each thread that reads the replacement of a page, made by another thread's fault, gets an error.
fn many_threads(path: &Path) {
    let mut mapping = Mapping::open(path).expect("a mapping");
    for _ in 0..2_000 {
        cut(path, 1);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| assert_eq!(mapping.get(6 * PAGE as i64), Err(Error::Truncated)));
            }
        });
        fs::write(path, vec![1; 8 * PAGE]).expect("a file");
        mapping.refresh().expect("it is whole");
    }
}

/// A process at its limit of memory areas repairs a fault in the middle of one.
fn no_more_areas(path: &Path) {
    let mapping = Mapping::options().access(Access::Write).open(path).expect("a mapping");
    let mut copy = Mapping::options().access(Access::Copy).open(path).expect("a mapping");
    copy.set(6 * PAGE as i64, 2).expect("it is private");
    let most: usize =
        fs::read_to_string("/proc/sys/vm/max_map_count").expect("Linux").trim().parse().expect("a number");
    let len = (most + 100) * 2 * PAGE;
    // SAFETY: the kernel chooses where.
    let start = unsafe {
        libc::mmap(
            ptr::null_mut(),
            len,
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    assert_ne!(start, libc::MAP_FAILED);
    let page = |number: usize| start.cast::<u8>().wrapping_add(number * 2 * PAGE).cast();
    // Every second page becomes an area of its own.
    // SAFETY: the pages were just mapped, and nobody uses them.
    let full = (0..most + 100).find(|&number| unsafe { libc::mprotect(page(number), PAGE, libc::PROT_READ) } != 0);
    let full = full.expect("there is a limit");
    // No output may be formatted, and no thread made, in between: that too takes memory.
    cut(path, 4);
    let (one, other) = (mapping.get(6 * PAGE as i64), copy.get(6 * PAGE as i64));
    let new = Mapping::open(path).map(|_| ());
    // SAFETY: as above.
    unsafe { libc::munmap(start, len) };
    println!("{full} areas of our own: {one:?} {other:?}, a new mapping: {new:?}");
    assert_eq!((one, other), (Err(Error::Truncated), Err(Error::Truncated)));
    assert_eq!(new, Err(Error::OutOfMemory));
    Mapping::open(path).expect("there is room again");
}
