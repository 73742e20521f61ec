//! This package and the one of the registry return the same results and the same errors, natively.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "each step of a case may be unsafe")]

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io;

/// What a call returned: the value, or the kind, the number and the text of the error.
fn outcome<T>(result: io::Result<T>, value: impl FnOnce(T) -> String) -> String {
    match result {
        Ok(found) => value(found),
        Err(error) => format!("{:?} {:?} {error}", error.kind(), error.raw_os_error()),
    }
}

fn bytes(mapping: impl AsRef<[u8]>) -> String {
    let bytes = mapping.as_ref();
    format!("{} bytes: {:?}", bytes.len(), &bytes[..bytes.len().min(8)])
}

fn debug(value: impl Debug) -> String {
    format!("{value:?}")
}

/// Compares what both packages returned, case by case.
fn check_same(ours: &[String], published: &[String]) {
    assert_eq!(ours.len(), published.len());
    for (case, (ours, published)) in ours.iter().zip(published).enumerate() {
        assert_eq!(ours, published, "case {case}");
    }
}

/// The files of a case: 10,000 bytes, opened in three ways; an empty one.
struct Files {
    _folder: tempfile::TempDir,
    #[cfg(unix)]
    directory: File,
    both: File,
    reader: File,
    writer: File,
    empty: File,
}

fn files() -> Files {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    fs::write(&path, (0..10_000_u32).map(|at| at.to_le_bytes()[0]).collect::<Vec<_>>()).expect("a file");
    let both = OpenOptions::new().read(true).write(true).open(&path).expect("the file");
    let reader = File::open(&path).expect("the file");
    let writer = OpenOptions::new().write(true).open(&path).expect("the file");
    let empty = folder.path().join("empty");
    let empty = OpenOptions::new().read(true).write(true).create_new(true).open(empty).expect("a file");
    #[cfg(unix)]
    let directory = File::open(folder.path()).expect("the folder");
    Files {
        #[cfg(unix)]
        directory,
        _folder: folder,
        both,
        reader,
        writer,
        empty,
    }
}

/// Runs the cases that every system has, and returns what each returned.
macro_rules! portable_outcomes {
    ($package:ident) => {{
        use $package::{Mmap, MmapMut, MmapOptions, MmapRaw};
        let files = files();
        let options = || MmapOptions::new();
        let mut found: Vec<String> = Vec::new();
        // SAFETY: the files are this function's own, and it uses one mapping at a time.
        unsafe {
            for file in [&files.both, &files.reader, &files.writer, &files.empty] {
                found.push(outcome(Mmap::map(file), bytes));
                found.push(outcome(MmapMut::map_mut(file), bytes));
                found.push(outcome(options().map_copy(file), bytes));
                found.push(outcome(options().map_copy_read_only(file), bytes));
                found.push(outcome(options().no_probe_handle().map(file), bytes));
                found.push(outcome(options().map_raw(file), |raw| raw.len().to_string()));
                found.push(outcome(options().map_raw_read_only(file), |raw| raw.len().to_string()));
                found.push(outcome(Mmap::map(file).and_then(Mmap::make_mut), bytes));
                found.push(outcome(options().map_copy_read_only(file).and_then(Mmap::make_mut), bytes));
            }
            for offset in [0, 1, 4095, 4096, 9999, 10_000, 10_001, u64::MAX - 1, u64::MAX] {
                found.push(outcome(options().offset(offset).map(&files.both), bytes));
                found.push(outcome(options().offset(offset).map_mut(&files.both), bytes));
                found.push(outcome(options().offset(offset).map_copy(&files.reader), bytes));
            }
            for len in [isize::MAX as usize + 1, usize::MAX] {
                found.push(outcome(options().len(len).map(&files.both), bytes));
                found.push(outcome(options().len(len).map_anon(), bytes));
            }
            for (offset, len) in [
                (0, 10_000),
                (0, 10_001),
                (5000, 100),
                (10_000, 0),
                (10_001, 0),
                (9999, 2),
                (usize::MAX, 1),
                (usize::MAX, 2),
                (1, usize::MAX),
            ] {
                let file = MmapMut::map_mut(&files.both).expect("a mapping");
                found.push(outcome(file.flush_range(offset, len), debug));
                found.push(outcome(file.flush_async_range(offset, len), debug));
                let copy = options().map_copy(&files.reader).expect("a mapping");
                found.push(outcome(copy.flush_range(offset, len), debug));
                let anonymous = MmapMut::map_anon(10_000).expect("a mapping");
                found.push(outcome(anonymous.flush_range(offset, len), debug));
            }
            // What was written reaches the file, and nothing else does.
            let mut mapping = options().offset(5).len(3).map_mut(&files.both).expect("a mapping");
            mapping.copy_from_slice(b"new");
            mapping.flush().expect("a flush");
            let mut copy = options().len(5).map_copy(&files.both).expect("a mapping");
            copy.copy_from_slice(b"never");
            found.push(bytes(&copy));
            let copy = copy.make_read_only().and_then(Mmap::make_mut).expect("protections");
            found.push(bytes(&copy));
            found.push(outcome(Mmap::map(&files.reader), bytes));
            let mapping = mapping.make_read_only().and_then(Mmap::make_mut).expect("protections");
            found.push(outcome(MmapRaw::from(mapping).flush(), debug));
            found.push(outcome(MmapRaw::from(Mmap::map(&files.reader).expect("a mapping")).flush(), debug));
        }
        found.push(debug(MmapOptions::new().offset(1).len(2).huge(None).stack().populate().no_reserve_swap()));
        found.push(outcome(MmapMut::map_anon(0), bytes));
        found.push(outcome(MmapMut::map_anon(3), bytes));
        found.push(outcome(MmapMut::map_anon(3).and_then(MmapMut::make_read_only), bytes));
        found.push(outcome(MmapMut::map_anon(3).and_then(MmapMut::make_exec), bytes));
        found
    }};
}

#[test]
fn every_system() {
    check_same(&portable_outcomes!(memmap2), &portable_outcomes!(published));
}

#[cfg(unix)]
macro_rules! unix_outcomes {
    ($package:ident) => {{
        use $package::{Advice, Mmap, MmapMut, MmapOptions, UncheckedAdvice};
        let files = files();
        let (pipe, _end) = io::pipe().expect("a pipe");
        let options = || MmapOptions::new();
        let mut found: Vec<String> = Vec::new();
        // SAFETY: as above.
        unsafe {
            for file in [&files.writer, &files.reader, &files.directory] {
                found.push(outcome(options().len(0).map_mut(file), bytes));
                found.push(outcome(options().len(0).map(file), bytes));
            }
            found.push(outcome(Mmap::map(&files.directory), bytes));
            found.push(outcome(Mmap::map(&pipe), bytes));
            found.push(outcome(options().len(1).map(&pipe), bytes));
            found.push(outcome(Mmap::map(999_999), bytes));
            found.push(outcome(options().len(1).map(999_999), bytes));
            found.push(outcome(options().len(1).map(-1), bytes));
            for offset in [u64::MAX, 1 << 63, (1 << 63) - 4096] {
                found.push(outcome(options().offset(offset).len(4097).map(&files.both), bytes));
            }
            found.push(outcome(options().map_exec(&files.reader), bytes));
            let mut file = MmapMut::map_mut(&files.both).expect("a mapping");
            for (offset, len) in
                [(0, 10_000), (0, 10_001), (9999, 2), (10_000, 0), (10_001, 0), (usize::MAX, 2), (1, usize::MAX)]
            {
                found.push(outcome(file.advise_range(Advice::WillNeed, offset, len), debug));
            }
            file[0] = b'!';
            found.push(outcome(file.unchecked_advise(UncheckedAdvice::DontNeed), debug));
            found.push(bytes(&file));
            let mut copy = options().map_copy(&files.reader).expect("a mapping");
            copy[0] = b'?';
            copy[4096] = b'?';
            found.push(outcome(copy.unchecked_advise_range(UncheckedAdvice::DontNeed, 4096, 1), debug));
            found.push(bytes(&copy));
            found.push(bytes(&copy[4096..]));
            for advice in [Advice::Normal, Advice::Random, Advice::Sequential, Advice::WillNeed] {
                found.push(format!("{advice:?} {}", advice as i32));
                found.push(outcome(copy.advise(advice), debug));
            }
        }
        for len in [0, 10] {
            let memory = MmapMut::map_anon(len).expect("memory");
            found.push(outcome(memory.lock(), debug));
            found.push(outcome(memory.unlock(), debug));
            found.push(outcome(memory.advise(Advice::Normal), debug));
        }
        for result in [
            Mmap::map_if_safe(&files.reader),
            Mmap::map_if_safe(&files.directory),
            Mmap::map_if_safe(999_999),
            options().len(1).map_if_safe(999_999),
            options().len(usize::MAX).map_if_safe(&files.reader),
            options().len(usize::MAX / 2).offset(u64::MAX).map_if_safe(&files.reader),
            options().offset(10_001).map_if_safe(&files.reader),
        ] {
            let error = result.expect_err("no such file is safe");
            found.push(format!(
                "{error} {error:?} {} {} {}",
                error.not_supported(),
                error.not_safe(),
                error.map_failed()
            ));
            found.push(debug(io::Error::from(error)));
        }
        found
    }};
}

#[cfg(unix)]
#[test]
fn unix() {
    check_same(&unix_outcomes!(memmap2), &unix_outcomes!(published));
}

/// Returns the rights and the offset of the area of memory at an address.
#[cfg(target_os = "linux")]
fn area(pointer: *const u8) -> String {
    let maps = fs::read_to_string("/proc/self/maps").expect("the areas of this process");
    let area = maps.lines().find_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let range = usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?;
        range.contains(&pointer.addr()).then(|| rest[..13].to_owned())
    });
    area.expect("the address is mapped")
}

#[cfg(target_os = "linux")]
macro_rules! linux_outcomes {
    ($package:ident) => {{
        use std::io::Write;
        use std::os::fd::{AsRawFd, FromRawFd};
        use $package::{Advice, Mmap, MmapMut, MmapOptions, RemapOptions, UncheckedAdvice};
        let files = files();
        let options = || MmapOptions::new();
        let mut found: Vec<String> = Vec::new();
        // SAFETY: as above.
        unsafe {
            let both = &files.both;
            found.push(outcome(Mmap::map(both), |mapping| area(mapping.as_ptr())));
            found.push(outcome(options().offset(5000).map(both), |mapping| area(mapping.as_ptr())));
            found.push(outcome(MmapMut::map_mut(both), |mapping| area(mapping.as_ptr())));
            found.push(outcome(options().map_copy(both), |mapping| area(mapping.as_ptr())));
            found.push(outcome(options().map_copy_read_only(both), |mapping| area(mapping.as_ptr())));
            found.push(outcome(options().map_exec(both), |mapping| area(mapping.as_ptr())));
            found.push(outcome(MmapMut::map_anon(5), |mapping| area(mapping.as_ptr())));
            found.push(outcome(MmapMut::map_anon(0), |mapping| area(mapping.as_ptr())));
            found.push(outcome(MmapMut::map_anon(5).and_then(MmapMut::make_exec), |mapping| area(mapping.as_ptr())));
            found.push(outcome(MmapMut::map_anon(5).and_then(MmapMut::make_read_only), |mapping| {
                area(mapping.as_ptr())
            }));
            for bits in [None, Some(99), Some(255)] {
                found.push(outcome(options().len(4096).huge(bits).map_anon(), bytes));
            }
            let mut mapping = options().offset(5).len(100).map_mut(both).expect("a mapping");
            for (len, may_move) in [(9000, true), (0, true), (200, false), (isize::MAX as usize, true), (50, false)] {
                found.push(outcome(mapping.remap(len, RemapOptions::new().may_move(may_move)), debug));
                found.push(bytes(&mapping));
            }
            found.push(debug(RemapOptions::new().may_move(true)));
        }
        // SAFETY: the name is a string of C, and nobody else has the descriptor.
        let mut memory = unsafe {
            File::from_raw_fd(libc::memfd_create(c"memory".as_ptr(), libc::MFD_ALLOW_SEALING | libc::MFD_CLOEXEC))
        };
        memory.write_all(b"sealed").expect("room");
        let mut seal = |seals: libc::c_int| {
            // SAFETY: the arguments are numbers.
            unsafe { libc::fcntl(memory.as_raw_fd(), libc::F_ADD_SEALS, seals) };
            for (offset, len) in [(0, 6), (0, 7), (6, 0), (7, 0), (u64::MAX, 1)] {
                let mapped = options().offset(offset).len(len).map_if_safe(&memory);
                found.push(mapped.map_or_else(|error| format!("{error:?}"), bytes));
            }
        };
        for seals in [0, libc::F_SEAL_SHRINK, libc::F_SEAL_WRITE] {
            seal(seals);
        }
        found.push(outcome(Mmap::map_if_safe(&memory).expect("a sealed file").make_mut(), bytes));
        let advice = [
            Advice::Normal,
            Advice::Random,
            Advice::Sequential,
            Advice::WillNeed,
            Advice::DontFork,
            Advice::DoFork,
            Advice::Mergeable,
            Advice::Unmergeable,
            Advice::HugePage,
            Advice::NoHugePage,
            Advice::DontDump,
            Advice::DoDump,
            Advice::HwPoison,
            Advice::PopulateRead,
            Advice::PopulateWrite,
        ];
        found.extend(advice.map(|advice| format!("{advice:?} {} {}", advice as i32, advice.is_supported())));
        let unchecked = [UncheckedAdvice::DontNeed, UncheckedAdvice::Free, UncheckedAdvice::Remove];
        found.extend(unchecked.map(|advice| format!("{advice:?} {} {}", advice as i32, advice.is_supported())));
        found
    }};
}

#[cfg(target_os = "linux")]
#[test]
fn linux() {
    check_same(&linux_outcomes!(memmap2), &linux_outcomes!(published));
}

/// The registry's package panics here.
#[cfg(target_os = "linux")]
#[test]
fn a_length_that_overflows_is_an_error() {
    let files = files();
    // SAFETY: the file is this function's own.
    let mut mapping = unsafe { memmap2::MmapOptions::new().offset(5).map(&files.both).expect("a mapping") };
    // SAFETY: nobody uses a reference or the address.
    let remapped = unsafe { mapping.remap(usize::MAX, memmap2::RemapOptions::new().may_move(true)) };
    assert_eq!(remapped.expect_err("too long").to_string(), "memory map length overflows isize");
    assert_eq!(mapping.len(), 9995);
    // SAFETY: as above.
    let mapped = unsafe { memmap2::Mmap::map(-1) };
    assert_eq!(mapped.expect_err("no file").raw_os_error(), Some(libc::EBADF));
}

/// A mapping can be sent to other threads and used by them, also after a panic, as the registry's can.
#[test]
fn auto_traits() {
    fn check<T: Send + Sync + Unpin + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    check::<memmap2::Mmap>();
    check::<memmap2::MmapMut>();
    check::<memmap2::MmapRaw>();
    check::<memmap2::MmapOptions>();
}

/// With the feature, a mapping can lie in the types that need a stable address.
#[cfg(feature = "stable_deref_trait")]
#[test]
fn stable_addresses() {
    fn check<T: stable_deref_trait::StableDeref>() {}
    check::<memmap2::Mmap>();
    check::<memmap2::MmapMut>();
}
