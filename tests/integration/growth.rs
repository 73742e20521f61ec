//! Mappings and windows past the end of files that grow and shrink.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Stdio;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::child::Running;
use super::failures::{self, Tally, Target, fail_each};
use super::support::{Run, any_windows, is_long, plugin};
use wasi_mmap::{Access, Error, MapFlags, Mapping, Views};
use wasi_mmap_core::{MapOptions, Rights, Storage};
use wasi_mmap_host::MmapCtx;
use wasi_mmap_native::{OsStorage, Window};

const PAGE: usize = 4096;

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

fn check_with(ctx: MmapCtx, scratch: &Path, check: &str) -> String {
    let mut run = Run::new(ctx, scratch, &["window", check]).expect("a store");
    let (printed, outcome) = run.call(&plugin("window", "wasm32-wasip2"), true).expect("it runs to its end");
    assert!(printed.ends_with(&format!("{check}: done\n")), "{check}: {printed}");
    assert_eq!(outcome, Ok(()), "{check}: {printed}");
    printed
}

macro_rules! rules {
    ($($test:ident: $check:literal,)*) => {
        $(
            #[test]
            fn $test() {
                check_with(any_windows(), scratch().path(), $check);
            }
        )*
    };
}

rules! {
    a_window_shows_zeros_past_the_end_and_the_file_when_it_has_grown: "growth",
    every_call_shows_what_the_file_has_grown_by: "growth-after-calls",
    growth_is_shown_without_a_call: "growth-unasked",
    stores_past_the_end_have_no_effect: "growth-stores",
    a_window_that_lost_bytes_shows_them_again_and_says_so: "growth-shrinks",
    a_window_past_the_end_changes_its_mode: "growth-modes",
    a_copy_has_windows_only_within_the_file: "growth-of-copies",
    views_show_growth_when_they_are_checked: "growth-of-views",
}

#[test]
fn no_stable_window_reaches_past_the_end() {
    check_with(MmapCtx::default(), scratch().path(), "growth-not-stable");
}

/// Returns the number of areas of memory of this process that map a file.
fn areas(path: &Path) -> usize {
    let maps = fs::read_to_string("/proc/self/maps").expect("a list");
    maps.lines().filter(|line| line.ends_with(path.to_str().expect("UTF-8"))).count()
}

#[test]
fn growing_again_and_again_uses_nothing_up() {
    let scratch = scratch();
    let before = fs::read_to_string("/proc/self/maps").expect("a list").lines().count();
    let mut run = Run::new(any_windows(), scratch.path(), &["window", "growth-again-and-again"]).expect("a store");
    run.call(&plugin("window", "wasm32-wasip2"), true).expect("it runs to its end").1.expect("it succeeds");
    let file = scratch.path().join("f");
    println!("{} areas of the file, {before} of the process before", areas(&file));
    assert!(areas(&file) < 100, "the windows of two mappings are {} areas", areas(&file));
}

/// The bytes of the file that [`append`] makes.
fn byte_at(at: u64) -> u8 {
    (at % 251) as u8 + 1
}

const CHUNK: u64 = 700;

/// Appends to a file, in a process of its own.
pub fn append(path: &Path, times: u64) {
    let mut file = OpenOptions::new().append(true).open(path).expect("a file");
    for chunk in 0..times {
        let bytes: Vec<u8> = (chunk * CHUNK..(chunk + 1) * CHUNK).map(byte_at).collect();
        if chunk % 3 == 0 {
            // First longer, then filled, as databases do: not for a reader that relies on the length.
            file.write_all(&bytes[..1]).expect("it grows");
            file.write_all(&bytes[1..]).expect("it grows");
        } else {
            file.write_all(&bytes).expect("it grows");
        }
        if chunk % 64 == 0 {
            std::thread::yield_now();
        }
    }
}

/// The file that [`append`] makes, from the start.
fn log(scratch: &Path, times: u64) -> Running {
    let path = scratch.join("log");
    fs::write(&path, "").expect("a file");
    fs::write(scratch.join("total"), (times * CHUNK).to_string()).expect("a file");
    Running::start("append", &[path.to_str().expect("UTF-8"), &times.to_string()], Stdio::null())
}

#[test]
fn a_plugin_reads_what_another_process_appends() {
    let scratch = scratch();
    let _writer = log(scratch.path(), 5000);
    println!("{}", check_with(any_windows(), scratch.path(), "growth-of-a-log"));
}

/// Memory with a window.
struct Placed {
    memory: *mut u8,
    len: usize,
    storage: OsStorage,
    window: Window,
}

impl Placed {
    fn new(path: &Path, access: Access, len: usize) -> Self {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
        // SAFETY: the kernel chooses where.
        let memory = unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
        assert_ne!(memory, libc::MAP_FAILED);
        let options = MapOptions::new().access(access).length(len as u64).flags(MapFlags::BEYOND_END);
        let file = File::options().read(true).write(access == Access::Write).open(path).expect("a file");
        let (mut storage, _) = OsStorage::map_file_with(file, Rights::all(), &options).expect("a mapping");
        let to_write = access == Access::Write;
        // SAFETY: the memory was just mapped, and is unmapped after the window was detached.
        let window = unsafe { storage.attach_window(0..len as u64, memory.expose_provenance(), to_write) };
        Self { memory: memory.cast(), len, storage, window: window.expect("a window") }
    }

    fn peek(&self, at: usize) -> u8 {
        assert!(at < self.len);
        // SAFETY: the memory is mapped, and faults in it are repaired.
        unsafe { self.memory.wrapping_add(at).read_volatile() }
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        // SAFETY: nobody reads there any more.
        unsafe { self.storage.detach_window(&self.window) }.expect("it detaches");
        // SAFETY: as above.
        unsafe { libc::munmap(self.memory.cast(), self.len) };
    }
}

#[test]
fn every_byte_of_a_growing_file_is_seen_natively() {
    let scratch = scratch();
    let path = scratch.path().join("log");
    let times = if is_long() { 200_000 } else { 5000 };
    let _writer = log(scratch.path(), times);
    let total = times * CHUNK;
    let index = |at: u64| usize::try_from(at).expect("it fits into memory");
    let len = index(total).next_multiple_of(PAGE) + 300 * PAGE;
    let placed = Placed::new(&path, Access::Read, len);
    let object = Mapping::options().length(len as u64).beyond_end(true).open(&path).expect("a mapping");
    let file = File::open(&path).expect("a file");
    let mut seen = 0;
    while seen < total {
        let end = file.metadata().expect("a length").len();
        placed.window.check().expect("nothing was lost");
        for at in seen..end {
            assert_eq!(placed.peek(index(at)), byte_at(at), "byte {at} of {end} in the window");
        }
        let bytes = object.read_range(seen..end + 10).expect("it reads");
        for (at, byte) in (seen..).zip(bytes) {
            assert!(byte == byte_at(at) || (at >= end && byte == 0), "byte {at} of {end} is {byte}");
        }
        // SAFETY: the file only grows, and volatile reads take any byte for a value.
        let view = unsafe { object.view(seen..end + 2 * PAGE as u64) }.expect("a view");
        for at in seen..end {
            assert_eq!(view[index(at - seen)], byte_at(at), "byte {at} of {end} in the view");
        }
        for ahead in [0, 1, 5, 100] {
            placed.peek(index(end) + ahead * PAGE);
            // SAFETY: as above.
            let byte = unsafe { ptr::from_ref(&view[view.len() - 1]).read_volatile() };
            assert!(byte == 0 || byte == byte_at(end + 2 * PAGE as u64 - 1));
        }
        seen = end;
    }
    println!("{} areas", areas(&path));
    assert!(areas(&path) < 20, "a window and a mapping are {} areas", areas(&path));
}

/// A file that grows and shrinks all the time: each byte is the file's, or zero, and what is seen after a call is not
/// older than the call.
#[test]
fn a_file_that_grows_and_shrinks_harms_nobody() {
    const PAGES: usize = 64;
    let scratch = scratch();
    let path = scratch.path().join("f");
    let bytes: Vec<u8> = (0..PAGES * PAGE).map(|at| byte_at(at as u64)).collect();
    for access in [Access::Read, Access::Write] {
        fs::write(&path, &bytes[..PAGE]).expect("a file");
        let placed = Placed::new(&path, access, PAGES * PAGE);
        let mut object = Mapping::options()
            .access(access)
            .length((PAGES * PAGE) as u64)
            .beyond_end(true)
            .open(&path)
            .expect("it maps");
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let file = OpenOptions::new().write(true).open(&path).expect("a file");
                let mut seed = 1u64;
                while !done.load(Relaxed) {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let pages = 1 + (seed >> 33) as usize % PAGES;
                    file.set_len(PAGE as u64).expect("it shrinks");
                    file.write_all_at(&bytes[PAGE..pages * PAGE], PAGE as u64).expect("it grows");
                }
            });
            let rounds = if is_long() { 200_000 } else { 20_000 };
            let (mut zeros, mut others) = (0, 0);
            for round in 0..rounds {
                let at = PAGE + (round * 7919) % ((PAGES - 1) * PAGE);
                for byte in [placed.peek(at), object.get(at as i64).expect("it is zero or the file's")] {
                    assert!(byte == 0 || byte == bytes[at], "byte {at} is {byte}");
                    *(if byte == 0 { &mut zeros } else { &mut others }) += 1;
                }
                if access == Access::Write {
                    match object.write_all_at(&bytes[at..=at], at as u64) {
                        Ok(()) | Err(Error::BeyondEndOfFile(_) | Error::Truncated) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                placed.window.show_growth().expect("it is shown");
            }
            done.store(true, Relaxed);
            println!("{access:?}: {zeros} zeros, {others} others");
            assert!(zeros > 0 && others > 0);
        });
        fs::write(&path, &bytes).expect("a file");
        placed.window.check().expect("nothing of the first page was lost");
        assert!((0..PAGES * PAGE).all(|at| placed.peek(at) == bytes[at]), "the window is stale");
        assert_eq!(object.read_range(..).expect("it reads"), bytes);
    }
}

/// Lengths that no memory has are refused, and the file stays as it is.
#[test]
fn hostile_lengths_are_refused() {
    let scratch = scratch();
    let path = scratch.path().join("f");
    fs::write(&path, "abc").expect("a file");
    let map = |offset: u64, length: u64| {
        let file = File::options().read(true).write(true).open(&path).expect("a file");
        let options = MapOptions::new().offset(offset).length(length).flags(MapFlags::BEYOND_END);
        OsStorage::map_file_with(file, Rights::all(), &options).map(|(storage, _)| storage.len())
    };
    let last = i64::MAX as u64;
    let page = PAGE as u64;
    assert_eq!(map(0, last).expect_err("too long"), Error::OutOfMemory);
    assert_eq!(map(0, 1 << 62).expect_err("too long"), Error::OutOfMemory);
    // The last page of all files: file systems have less.
    assert!(matches!(map(last + 1 - page, page - 1), Ok(_) | Err(Error::Io(_))));
    for (offset, length) in [(last + 1 - page, page), (page, last), (u64::MAX - page + 1, 1), (0, u64::MAX)] {
        assert_eq!(map(offset, length).expect_err("past all files").name(), "beyond-end-of-file", "{offset} {length}");
    }
    assert_eq!(fs::read(&path).expect("a file"), b"abc");
}

/// Each call that shows growth is failed. The memory is there all the same, and what could not be shown counts as lost.
#[test]
fn growth_that_cannot_be_shown_counts_as_lost() {
    let _alone = failures::alone();
    let (scratch, mut tally) = (scratch(), Tally::default());
    let path = scratch.path().join("f");
    let (pages, bytes) = (failures::PAGES, failures::letters(failures::PAGES));
    for access in [Access::Read, Access::Write] {
        let mut refusals = 0;
        fail_each(&mut tally, &format!("growth {access:?}"), |begin, end| {
            fs::write(&path, &bytes[..PAGE]).expect("a file");
            let len = (pages * PAGE) as u64;
            let file = File::options().read(true).write(true).open(&path).expect("a file");
            let options = MapOptions::new().access(access).length(len).flags(MapFlags::BEYOND_END);
            let (mut storage, _) = OsStorage::map_file_with(file, Rights::all(), &options).expect("a mapping");
            let mut target = Target::new();
            // SAFETY: the memory is the test's, and lives longer than the window, which is detached below.
            let window = unsafe { storage.attach_window(0..len, target.address(), access == Access::Write) };
            let window = window.expect("a window");
            assert_eq!(target.read(PAGE..PAGE + 1), [0]);
            OpenOptions::new().append(true).open(&path).expect("a file").write_all(&bytes[PAGE..]).expect("it grows");
            begin();
            let shown = window.show_growth();
            let failed = end();
            target.touch();
            if shown.is_err() {
                refusals += 1;
                assert!(failed.is_some(), "{shown:?}");
                let seen = target.read(PAGE..PAGE + 1);
                // The thread that shows growth may have been faster.
                assert!(seen == [0] || seen == bytes[PAGE..=PAGE], "{seen:?}");
                window.show_growth().expect("nothing fails any more");
                assert_eq!(window.check(), Err(Error::Truncated));
            }
            assert_eq!(target.read(0..pages * PAGE), bytes, "{failed:?}");
            // SAFETY: nobody reads there meanwhile.
            unsafe { storage.detach_window(&window) }.expect("it detaches");
            assert_eq!(target.read(PAGE..PAGE + 1), [0]);
        });
        assert!(refusals > 0, "no failure was met");
    }
    tally.print();
}
