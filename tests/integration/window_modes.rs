//! Windows that change their mode in place, natively: while others look at them, and while calls of the system fail.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::child;
use super::failures::{
    Mounted, PAGES, Tally, Target, WindowKind, alone, attach, bytes, detach, fail_each, letters, page,
};
use super::support::is_long;
use wasi_mmap_core::{Access, Error, Internals};
use wasi_mmap_native::failures::{self, Call, Kind};
use wasi_mmap_native::{Mapping, Window};

pub fn set_mode(mapping: &mut Mapping, window: &Window, to_write: bool) -> Result<(), Error> {
    // SAFETY: the window is one of this mapping, and there are no references into its memory.
    unsafe { mapping.storage_mut()?.set_window_mode(window, to_write) }
}

/// The bytes that a window of `range` shows, with its byte 5 as given.
fn with_byte(range: &std::ops::Range<usize>, byte: u8) -> Vec<u8> {
    let mut bytes = letters(PAGES)[range.clone()].to_vec();
    bytes[5] = byte;
    bytes
}

#[test]
fn a_failed_change_of_mode_leaves_the_window_as_it_was() {
    let _alone = alone();
    let scratch = tempfile::tempdir().expect("a directory");
    let path = scratch.path().join("file");
    let mut tally = Tally::default();
    let mut changed_in_spite = 0;
    for (range, to_write) in [(0..PAGES * page(), true), (page()..3 * page(), true), (page()..3 * page(), false)] {
        fail_each(&mut tally, &format!("to_write: {to_write}, {range:?}"), |begin, end| {
            let (mut mapping, mut target) = (WindowKind::Write.mapping(&path), Target::new());
            let window = attach(&mut mapping, &target, range.clone(), !to_write).expect("a window");
            target.write(5, b'!');
            let own = target.read(0..range.len());
            let shared = if to_write { letters(PAGES) } else { bytes(&mapping) };
            begin();
            let outcome = set_mode(&mut mapping, &window, to_write);
            let failed = end();
            let seen = target.read(0..range.len());
            match &outcome {
                Ok(()) => {
                    changed_in_spite += usize::from(failed.is_some());
                    assert!(seen == shared[range.clone()], "it shows the mapping");
                }
                Err(error) => {
                    assert!(matches!(error, Error::OutOfMemory | Error::Io(_)), "{error}");
                    assert!(seen == own, "it is as it was");
                }
            }
            window.check().expect("nothing was lost");
            // Whether stores reach the mapping tells the mode.
            let is_writing = to_write == outcome.is_ok();
            target.write(6, b'?');
            assert_eq!(mapping.get((range.start + 6) as i64) == Ok(b'?'), is_writing);
            // And the next time, it is done. Stores in a window for reading are gone, those of one for writing remain.
            set_mode(&mut mapping, &window, to_write).expect("the next time");
            set_mode(&mut mapping, &window, !to_write).expect("and back");
            set_mode(&mut mapping, &window, to_write).expect("and again");
            assert!(target.read(0..range.len()) == bytes(&mapping)[range.clone()]);
            assert_eq!(mapping.close(), Err(Error::Busy));
            detach(&mut mapping, &window).expect("it detaches");
            assert!(target.read(0..range.len()).iter().all(|&byte| byte == 0));
            assert!(target.read(range.len()..PAGES * page()).iter().all(|&byte| byte == 7), "it is another's");
            assert_eq!(set_mode(&mut mapping, &window, to_write), Err(Error::Closed));
            mapping.close().expect("it is not busy");
        });
    }
    tally.print();
    let calls = [Call::MapFile, Call::Move].map(|call| format!("{call:?}"));
    assert!(calls.iter().all(|call| tally.0.keys().any(|key| key.contains(call))), "every call was failed");
    assert!(changed_in_spite > 0, "a gap was filled with what was asked for");
}

#[test]
fn a_mode_is_not_changed_on_a_broken_file_system() {
    let _alone = alone();
    let scratch = tempfile::tempdir().expect("a directory");
    let mounted = match Mounted::new(scratch.path()) {
        Ok(mounted) => mounted,
        Err(why) => return println!("skipped: no file system can be mounted: {why}"),
    };
    let mut mapping = WindowKind::Write.mapping(&mounted.0.join("file"));
    let [mut reading, writing] = [Target::new(), Target::new()];
    let range = 0..PAGES * page();
    let windows = [(&reading, false), (&writing, true)]
        .map(|(target, to_write)| attach(&mut mapping, target, range.clone(), to_write).expect("a window"));
    // The pages of this file system can be read as long as they are in memory.
    assert_eq!([&reading, &writing].map(|target| target.read(range.clone()) == letters(PAGES)), [true; 2]);
    reading.write(5, b'!');
    mounted.shut_down();
    for _ in 0..2 {
        for (window, to_write) in windows.iter().zip([true, false]) {
            let error = set_mode(&mut mapping, window, to_write).expect_err("the file system is broken");
            assert!(matches!(error, Error::Io(_)), "{error}");
        }
        assert!(reading.read(range.clone()) == with_byte(&range, b'!'), "it is as it was");
        assert!(writing.read(range.clone()) == letters(PAGES), "it is as it was");
    }
    for window in &windows {
        detach(&mut mapping, window).expect("it detaches");
    }
}

/// The kernel reads a window for another thread all the time: it would say `EFAULT` if a page were missing, and copy
/// zeros that take the place of the file for a moment.
#[test]
fn nobody_meets_a_hole_while_the_mode_changes() {
    let scratch = tempfile::tempdir().expect("a directory");
    let path = scratch.path().join("file");
    let (mut mapping, target) = (WindowKind::Write.mapping(&path), Target::new());
    let window = attach(&mut mapping, &target, 0..PAGES * page(), false).expect("a window");
    let (is_done, looks) = (AtomicBool::new(false), AtomicU64::new(0));
    let (start, copy) = (target.address(), tempfile::tempfile().expect("a file"));
    let expected = letters(PAGES);
    let rounds = if is_long() { 300_000 } else { 30_000 };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut seen = vec![0; PAGES * page()];
            let (length, source) = (PAGES * page(), std::ptr::without_provenance(start));
            while !is_done.load(Relaxed) {
                // SAFETY: the kernel reads the memory if it can be read, and fails if not.
                let count = unsafe { libc::pwrite(copy.as_raw_fd(), source, length, 0) };
                if usize::try_from(count) != Ok(length) {
                    eprintln!("a hole after {count} bytes: {}", std::io::Error::last_os_error());
                    std::process::exit(1);
                }
                copy.read_exact_at(&mut seen, 0).expect("it was written");
                if seen != expected {
                    eprintln!("other bytes than the mapping's");
                    std::process::exit(1);
                }
                looks.fetch_add(1, Relaxed);
            }
        });
        for round in 0..rounds {
            set_mode(&mut mapping, &window, round % 2 == 0).expect("its mode is set");
        }
        while looks.load(Relaxed) < 100 {
            std::thread::yield_now();
        }
        is_done.store(true, Relaxed);
    });
    println!("{} looks in {rounds} rounds", looks.into_inner());
    detach(&mut mapping, &window).expect("it detaches");
}

/// The areas of memory of this process that map a file, and its descriptors for it.
fn resources(path: &Path) -> [usize; 2] {
    let name = path.display().to_string();
    let areas = fs::read_to_string("/proc/self/maps").expect("Linux").matches(&name).count();
    let links = fs::read_dir("/proc/self/fd").expect("Linux");
    let links = links.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    [areas, links.filter(|link| link.as_os_str() == path.as_os_str()).count()]
}

#[test]
fn a_thousand_changes_leave_nothing() {
    let scratch = tempfile::tempdir().expect("a directory");
    let path = scratch.path().join("file");
    for kind in [WindowKind::Write, WindowKind::Copy, WindowKind::Anonymous] {
        let (mut mapping, target) = (kind.mapping(&path), Target::new());
        let window = attach(&mut mapping, &target, page()..3 * page(), false).expect("a window");
        let before = resources(&path);
        for round in 0..1000 {
            set_mode(&mut mapping, &window, round % 2 == 0).expect("its mode is set");
        }
        assert_eq!(resources(&path), before, "{kind:?}");
        detach(&mut mapping, &window).expect("it detaches");
    }
}

/// What was forbidden after the mapping was made: the window stays what it is.
#[test]
fn a_seal_refuses_the_mode_and_nothing_else() {
    // SAFETY: the name ends with a zero.
    let descriptor = unsafe { libc::memfd_create(c"test".as_ptr(), libc::MFD_ALLOW_SEALING) };
    assert!(descriptor >= 0);
    // SAFETY: it was just made, and nobody else has it.
    let file: File = unsafe { std::os::fd::FromRawFd::from_raw_fd(descriptor) };
    file.write_all_at(&letters(PAGES), 0).expect("it writes");
    let mut mapping = Mapping::options().access(Access::Write).map(&file).expect("a mapping");
    let mut target = Target::new();
    let range = 0..PAGES * page();
    let window = attach(&mut mapping, &target, range.clone(), false).expect("a window");
    // SAFETY: the call touches no memory of ours.
    assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, libc::F_SEAL_FUTURE_WRITE) }, 0);
    target.write(5, b'!');
    let refused = set_mode(&mut mapping, &window, true);
    assert!(matches!(refused, Err(Error::NotPermitted(_))), "{refused:?}");
    assert!(target.read(range.clone()) == with_byte(&range, b'!'));
    assert_eq!(mapping.get(5), Ok(b'a'));
    detach(&mut mapping, &window).expect("it detaches");
}

/// The system's list of areas contains the names of all mapped files, which need not be UTF-8.
#[test]
fn a_name_that_is_not_utf_8_hides_no_theft() {
    let scratch = tempfile::tempdir().expect("a directory");
    let path = scratch.path().join("file");
    let output = child::command("mode-and-name", &[path.to_str().expect("UTF-8")]).output().expect("a process");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{}: {message}", output.status);
    assert!(message.contains("wasi-mmap: memory was taken away, and cannot be put back"), "{message}");
}

#[test]
fn a_mode_is_refused_where_the_list_of_areas_cannot_be_opened() {
    let scratch = tempfile::tempdir().expect("a directory");
    let path = scratch.path().join("file");
    let output = child::command("mode-and-descriptors", &[path.to_str().expect("UTF-8")]).output().expect("a process");
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
}

/// The two tests above, each in a process of its own.
pub fn meet(part: &str, path: &Path) {
    let (mut mapping, mut target) = (WindowKind::Write.mapping(path), Target::new());
    let range = 0..PAGES * page();
    let window = attach(&mut mapping, &target, range.clone(), false).expect("a window");
    match part {
        "mode-and-name" => {
            let strange = path.with_file_name(std::ffi::OsStr::from_bytes(b"caf\xe9"));
            let _strange = WindowKind::Read.mapping(&strange);
            failures::order_calls(&[Kind::Made, Kind::Stolen]);
            let outcome = set_mode(&mut mapping, &window, true);
            panic!("{outcome:?}");
        }
        "mode-and-descriptors" => {
            target.write(5, b'!');
            // SAFETY: the limit is a value.
            let mut limit: libc::rlimit = unsafe { std::mem::zeroed() };
            // SAFETY: the call writes to the limit.
            assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }, 0);
            let most = std::mem::replace(&mut limit.rlim_cur, 0);
            // SAFETY: the call reads the limit.
            assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
            failures::order_calls(&[Kind::Made, Kind::Before]);
            let refused = set_mode(&mut mapping, &window, true);
            assert_eq!(failures::end(), None, "nothing was replaced");
            assert!(matches!(refused, Err(Error::Io(_))), "{refused:?}");
            assert!(target.read(range.clone()) == with_byte(&range, b'!'), "it is as it was");
            limit.rlim_cur = most;
            // SAFETY: as above.
            assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
            set_mode(&mut mapping, &window, true).expect("the next time");
            detach(&mut mapping, &window).expect("it detaches");
        }
        other => panic!("no such part: {other}"),
    }
}
