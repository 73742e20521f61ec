//! Every call that replaces memory, failed one by one: before it has done anything, and after it has taken the target
//! away, as kernels do. After each, all memory is there and its owner's, what was refused has changed nothing, and the
//! next call works.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::child;
use super::neighbours::Neighbours;
use super::support::{Run, any_windows, plugin, prepare};
use wasi_mmap_core::{Access, Backend, Error, Internals, MapFlags, MapOptions};
use wasi_mmap_host::Limit;
use wasi_mmap_native::failures::{self, Call, Kind};
use wasi_mmap_native::{Mapping, OsStorage, Window, page_size};

/// Makes sure that only one test at a time injects failures.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The calls that have failed, and how often.
#[derive(Debug, Default)]
pub struct Tally(pub BTreeMap<String, usize>);

impl Tally {
    fn add(&mut self, operation: &str, kind: Kind, call: Call) {
        *self.0.entry(format!("{operation}: {call:?} {kind:?}")).or_default() += 1;
    }

    pub fn print(&self) {
        println!("{} failures of {} kinds", self.0.values().sum::<usize>(), self.0.len());
        for (what, count) in &self.0 {
            println!("  {what}: {count}");
        }
    }
}

/// Performs an operation repeatedly, with its 1st, 2nd, … call failing, until it makes no more calls.
pub fn fail_each(tally: &mut Tally, operation: &str, mut perform: impl FnMut(&dyn Fn(), &dyn Fn() -> Option<Call>)) {
    for kind in [Kind::Before, Kind::Taken] {
        for nth in 1.. {
            assert!(nth < 200, "{operation} never ends");
            let failed = std::cell::Cell::new(None);
            perform(&|| failures::fail(nth, kind), &|| {
                failed.set(failures::end());
                failed.get()
            });
            match failed.get() {
                Some(call) => tally.add(operation, kind, call),
                None => break,
            }
        }
    }
}

/// The number of pages of a mapping.
pub const PAGES: usize = 6;

pub fn page() -> usize {
    usize::try_from(page_size()).expect("a page fits into memory")
}

pub fn letters(count: usize) -> Vec<u8> {
    (b'a'..).take(count).flat_map(|letter| vec![letter; page()]).collect()
}

/// Memory that a window lies in: private pages without a file.
pub struct Target(memmap2::MmapMut);

impl Target {
    pub fn new() -> Self {
        let mut memory = memmap2::MmapMut::map_anon(PAGES * page()).expect("memory");
        memory.fill(7);
        Self(memory)
    }

    pub fn address(&self) -> usize {
        self.0.as_ptr().expose_provenance()
    }

    /// Reads every page, and writes it.
    pub fn touch(&mut self) {
        for at in (8..self.0.len()).step_by(page()) {
            let place = self.0.as_mut_ptr().wrapping_add(at);
            // SAFETY: the place is within the memory.
            let byte = unsafe { place.read_volatile() };
            // SAFETY: as above.
            unsafe { place.write_volatile(byte) };
        }
    }

    pub fn read(&self, range: Range<usize>) -> Vec<u8> {
        assert!(range.end <= self.0.len());
        // SAFETY: the place is within the memory.
        range.map(|at| unsafe { self.0.as_ptr().wrapping_add(at).read_volatile() }).collect()
    }

    pub fn write(&mut self, at: usize, byte: u8) {
        assert!(at < self.0.len());
        // SAFETY: the place is within the memory.
        unsafe { self.0.as_mut_ptr().wrapping_add(at).write_volatile(byte) };
    }
}

/// The kinds of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowKind {
    Write,
    Read,
    Copy,
    Anonymous,
}

impl WindowKind {
    const ALL: [Self; 4] = [Self::Write, Self::Read, Self::Copy, Self::Anonymous];

    pub fn mapping(self, path: &Path) -> Mapping {
        fs::write(path, letters(PAGES)).expect("a file");
        match self {
            Self::Write => Mapping::options().access(Access::Write).open(path).expect("a mapping"),
            Self::Read => Mapping::open(path).expect("a mapping"),
            Self::Copy => Mapping::options().access(Access::Copy).open(path).expect("a mapping"),
            Self::Anonymous => {
                let len = (PAGES * page()) as u64;
                let options = MapOptions::new().length(len).access(Access::Write).flags(MapFlags::PRIVATE);
                let mapping = OsStorage::map_anonymous(&options).expect("memory");
                let mut mapping = Mapping::new(mapping, Access::Write);
                mapping.write_all_at(&letters(PAGES), 0).expect("it writes");
                mapping
            }
        }
    }
}

pub fn attach(mapping: &mut Mapping, target: &Target, range: Range<usize>, write: bool) -> Result<Window, Error> {
    let range = range.start as u64..range.end as u64;
    // SAFETY: the target is private memory with these pages, it outlives the window, and nobody uses it meanwhile.
    unsafe { mapping.storage_mut()?.attach_window(range, target.address(), write) }
}

pub fn detach(mapping: &mut Mapping, window: &Window) -> Result<(), Error> {
    // SAFETY: nobody uses the memory.
    unsafe { mapping.storage_mut()?.detach_window(window) }
}

pub fn bytes(mapping: &Mapping) -> Vec<u8> {
    mapping.read_range(..mapping.len().expect("it is open")).expect("it reads")
}

#[test]
fn a_failed_attach_or_detach_leaves_all_memory_in_place() {
    let _alone = alone();
    let scratch = tempfile::tempdir().expect("a directory");
    let path = scratch.path().join("file");
    let mut tally = Tally::default();
    let neighbours = Neighbours::new();
    for kind in WindowKind::ALL {
        for (is_careful, range) in [false, true].into_iter().zip([0..PAGES * page(), page()..3 * page()]) {
            let how = if is_careful { ", carefully" } else { "" };
            fail_each(&mut tally, &format!("attach to {kind:?}{how}"), |begin, end| {
                let (mut mapping, mut target) = (kind.mapping(&path), Target::new());
                begin();
                if is_careful {
                    failures::be_careful();
                }
                let part = attach(&mut mapping, &target, range.clone(), kind == WindowKind::Write);
                end();
                target.touch();
                assert!(bytes(&mapping) == letters(PAGES));
                let part = part.or_else(|error| {
                    assert!(matches!(error, Error::OutOfMemory | Error::Unsupported(_) | Error::Io(_)), "{error}");
                    let seen = target.read(0..PAGES * page());
                    assert!(seen == [7].repeat(seen.len()) || seen[..range.len()].iter().all(|&byte| byte == 0));
                    attach(&mut mapping, &target, range.clone(), kind == WindowKind::Write)
                });
                let part = part.expect("it is attached the next time");
                assert!(target.read(0..range.len()) == letters(PAGES)[range.clone()]);
                detach(&mut mapping, &part).expect("it detaches");
                assert!(target.read(0..range.len()).iter().all(|&byte| byte == 0));
                mapping.close().expect("it is not busy");
            });
            fail_each(&mut tally, &format!("detach from {kind:?}"), |begin, end| {
                let (mut mapping, mut target) = (kind.mapping(&path), Target::new());
                let part = attach(&mut mapping, &target, range.clone(), kind == WindowKind::Write).expect("a window");
                let mut expected = letters(PAGES);
                if kind != WindowKind::Read {
                    target.write(5, b'!');
                    expected[range.start + 5] = b'!';
                }
                begin();
                let detached = detach(&mut mapping, &part);
                end();
                target.touch();
                assert!(bytes(&mapping) == expected, "{detached:?}");
                if let Err(error) = detached {
                    assert!(matches!(error, Error::OutOfMemory), "{error}");
                    assert_eq!(mapping.close(), Err(Error::Busy), "it stays attached");
                    detach(&mut mapping, &part).expect("it detaches the next time");
                    target.touch();
                }
                assert!(target.read(0..range.len()).iter().all(|&byte| byte == 0));
                assert!(bytes(&mapping) == expected);
                // What came back can be a window again, or the caller is told that it cannot.
                match attach(&mut mapping, &target, range.clone(), kind == WindowKind::Write) {
                    Ok(part) => {
                        assert!(target.read(0..range.len()) == expected[range.clone()]);
                        detach(&mut mapping, &part).expect("it detaches");
                    }
                    Err(error) => assert!(matches!(error, Error::Unsupported(_)), "{error}"),
                }
                assert!(bytes(&mapping) == expected);
                mapping.close().expect("it is not busy");
            });
        }
    }
    println!("{} pieces of memory of the neighbours", neighbours.dismiss());
    tally.print();
    assert!(tally.0.len() >= 20, "every kind of call was failed");
}

#[test]
fn a_failed_resize_changes_nothing() {
    let _alone = alone();
    let scratch = tempfile::tempdir().expect("a directory");
    let path = scratch.path().join("file");
    let mut tally = Tally::default();
    for kind in [WindowKind::Write, WindowKind::Anonymous] {
        for pages in [1, 2 * PAGES] {
            fail_each(&mut tally, &format!("resize of {kind:?} to {pages} pages"), |begin, end| {
                let mut mapping = kind.mapping(&path);
                begin();
                let resized = mapping.resize((pages * page()) as u64);
                end();
                let mut expected = letters(PAGES);
                if resized.is_err() {
                    assert!(bytes(&mapping) == expected);
                    assert_eq!(mapping.file_len(), Ok((PAGES * page()) as u64));
                }
                mapping.resize((pages * page()) as u64).expect("it is resized the next time");
                expected.resize(pages * page(), 0);
                assert!(bytes(&mapping) == expected);
            });
        }
    }
    tally.print();
    assert!(tally.0.len() >= 8, "every kind of call was failed");
}

#[test]
fn a_failed_refresh_changes_nothing() {
    let _alone = alone();
    let scratch = tempfile::tempdir().expect("a directory");
    let path = scratch.path().join("file");
    let mut tally = Tally::default();
    let kinds = [WindowKind::Write, WindowKind::Read, WindowKind::Copy];
    for (kind, is_careful) in kinds.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
        let how = if is_careful { ", carefully" } else { "" };
        fail_each(&mut tally, &format!("refresh of {kind:?}{how}"), |begin, end| {
            let mut mapping = kind.mapping(&path);
            cut(&path, 2);
            assert_eq!(mapping.get(4 * page() as i64), Err(Error::Truncated));
            fs::write(&path, letters(PAGES)).expect("a file");
            begin();
            if is_careful {
                failures::be_careful();
            }
            let refreshed = mapping.refresh();
            end();
            if refreshed.is_err() {
                assert_eq!(mapping.get(4 * page() as i64), Err(Error::Truncated), "it stays lost");
                assert_eq!(mapping.get(page() as i64), Ok(b'b'));
                mapping.refresh().expect("the next time");
            }
            assert!(bytes(&mapping) == letters(PAGES));
        });
    }
    tally.print();
    assert!(tally.0.len() >= 8, "every kind of call was failed");
}

fn cut(path: &Path, pages: usize) {
    let file = fs::OpenOptions::new().write(true).open(path).expect("a file");
    file.set_len((pages * page()) as u64).expect("it becomes shorter");
}

#[test]
fn a_failed_repair_falls_back_to_another_way() {
    let _alone = alone();
    let scratch = tempfile::tempdir().expect("a directory");
    let path = scratch.path().join("file");
    let mut tally = Tally::default();
    // The last way takes the memory away itself.
    let orders = [
        &[Kind::Before][..],
        &[Kind::Taken],
        &[Kind::Before, Kind::Before],
        &[Kind::Before, Kind::Taken],
        &[Kind::Before, Kind::Before, Kind::Taken],
    ];
    for kind in [WindowKind::Write, WindowKind::Read, WindowKind::Copy] {
        for orders in orders {
            let mut mapping = kind.mapping(&path);
            cut(&path, 4);
            failures::order_calls(orders);
            let read = mapping.read_range(..(PAGES * page()) as u64);
            tally.add(&format!("repair of {kind:?}"), orders[orders.len() - 1], failures::end().expect("a call"));
            assert_eq!(read, Err(Error::Truncated));
            fs::write(&path, letters(PAGES)).expect("a file");
            mapping.refresh().expect("it is whole");
            assert!(bytes(&mapping) == letters(PAGES));
        }
    }
    tally.print();
}

#[test]
fn a_plugin_keeps_its_memory_whatever_fails_in_the_host() {
    let _alone = alone();
    let scratch = tempfile::tempdir().expect("a directory");
    let command = prepare(&plugin("window", "wasm32-wasip2"), true).expect("it links");
    let mut tally = Tally::default();
    let neighbours = Neighbours::new();
    for window in ["write", "read", "copy", "anonymous"] {
        fail_each(&mut tally, &format!("a plugin with a window to {window}"), |begin, end| {
            let ctx = any_windows();
            let usage = Arc::clone(ctx.usage());
            let mut run = Run::new(ctx, scratch.path(), &["window", "under-failures", window]).expect("a store");
            begin();
            let ended = run.call_prepared(&command);
            let used = [Limit::Mappings, Limit::Windows, Limit::WindowBytes].map(|limit| usage.get(limit));
            drop(run);
            match (ended, end()) {
                (Ok((printed, outcome)), _) => {
                    assert_eq!(outcome, Ok(()), "{printed}");
                    assert!(printed.ends_with("under-failures: done\n"), "{printed}");
                    assert_eq!(used, [0, 0, 0], "the plugin has dropped all");
                }
                // No memory for the plugin itself, or no growth of it.
                (Err(_), Some(Call::Reserve | Call::Protect)) => {}
                (Err(error), failed) => panic!("{failed:?}: {error:?}"),
            }
            let left = Limit::ALL.map(|limit| usage.get(limit));
            assert_eq!(left, [0; Limit::ALL.len()], "everything is given back");
        });
    }
    println!("{} pieces of memory of the neighbours", neighbours.dismiss());
    tally.print();
    let calls = [Call::Reserve, Call::Protect, Call::Unmap, Call::Move, Call::MapFile, Call::MapZeros];
    for call in calls {
        let name = format!("{call:?}");
        assert!(tally.0.keys().any(|key| key.contains(&name)), "{name} was never failed");
    }
}

/// A file system of its own in a file, which is unmounted at the end.
pub struct Mounted(pub PathBuf);

impl Mounted {
    /// Makes an ext4 file system and mounts it, if this process may.
    pub fn new(scratch: &Path) -> Result<Self, String> {
        let (image, folder) = (scratch.join("image"), scratch.join("mounted"));
        fs::File::create(&image).and_then(|file| file.set_len(16 << 20)).map_err(|error| error.to_string())?;
        fs::create_dir(&folder).map_err(|error| error.to_string())?;
        run("mkfs.ext4", &["-q", "-F", "image"], scratch)?;
        run("mount", &["-o", "loop", "image", "mounted"], scratch)?;
        Ok(Self(folder))
    }

    /// Shuts the file system down: `EXT4_IOC_SHUTDOWN`, and not to write the journal first.
    pub fn shut_down(&self) {
        const SHUTDOWN: libc::Ioctl = 0x8004_587d_u32 as libc::Ioctl;
        let folder = fs::File::open(&self.0).expect("a folder");
        // SAFETY: the call reads a number, and changes no memory of this process.
        let status = unsafe { libc::ioctl(folder.as_raw_fd(), SHUTDOWN, &2_u32) };
        assert_eq!(status, 0, "{}", std::io::Error::last_os_error());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = run("umount", &["--lazy", "mounted"], self.0.parent().expect("a folder"));
    }
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> Result<(), String> {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    let message = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{program}: {message}")) }
}

/// A file system that fails refuses to map its files, after the kernel has taken the target away.
#[test]
fn a_window_on_a_broken_file_system_leaves_the_memory_in_place() {
    let _alone = alone();
    failures::order_calls(&[]);
    failures::end();
    let scratch = tempfile::tempdir().expect("a directory");
    let mounted = match Mounted::new(scratch.path()) {
        Ok(mounted) => mounted,
        Err(why) => return println!("skipped: no file system can be mounted: {why}"),
    };
    let mut mapping = WindowKind::Write.mapping(&mounted.0.join("file"));
    let mut target = Target::new();
    mounted.shut_down();
    for to_write in [true, false] {
        // The first one finds out, and may leave zeros; later ones do not touch the memory.
        let error = attach(&mut mapping, &target, 0..PAGES * page(), to_write).expect_err("the file system is broken");
        assert!(matches!(error, Error::Io(_)), "{error}");
        target.touch();
        let left = if to_write { 0 } else { 7 };
        assert!(target.read(0..PAGES * page()).iter().all(|&byte| byte == left), "it is there");
        target.0.fill(7);
    }
    assert_eq!(mapping.get(0), Ok(b'a'), "what is mapped already is there");
}

#[test]
fn pages_in_several_areas_are_not_moved() {
    let scratch = tempfile::tempdir().expect("a directory");
    let neighbours = Neighbours::new();
    let mut run = Run::new(any_windows(), scratch.path(), &["window", "several-areas"]).expect("a store");
    let (printed, outcome) = run.call(&plugin("window", "wasm32-wasip2"), true).expect("it runs");
    assert_eq!((printed.as_str(), outcome), ("several-areas: done\n", Ok(())));
    drop(run);
    println!("{} pieces of memory of the neighbours", neighbours.dismiss());
}

/// A process in which another thread is given the place of memory that a failed call has taken away: it ends at once.
#[test]
fn a_process_that_loses_memory_to_another_thread_aborts() {
    let scratch = tempfile::tempdir().expect("a directory");
    let path = scratch.path().join("file");
    let parts = ["a-window", "a-careful-window", "a-move", "a-return", "a-repair", "a-mode"];
    for part in parts.map(|part| format!("stolen-by-{part}")) {
        let path = path.to_str().expect("UTF-8");
        let output = child::command(&part, &[path]).stderr(Stdio::piped()).output().expect("a process");
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{part}: {}: {message}", output.status);
        assert!(message.contains("wasi-mmap: memory was taken away, and cannot be put back"), "{part}: {message}");
    }
}

/// Loses memory to another thread.
pub fn lose_memory(part: &str, path: &Path) {
    let mut target = Target::new();
    let whole = 0..PAGES * page();
    match part {
        "stolen-by-a-window" => {
            let mut mapping = WindowKind::Write.mapping(path);
            failures::order_calls(&[Kind::Stolen]);
            let outcome = attach(&mut mapping, &target, whole, true);
            panic!("{outcome:?}");
        }
        "stolen-by-a-careful-window" => {
            let mut mapping = WindowKind::Write.mapping(path);
            failures::order_calls(&[Kind::Made, Kind::Stolen]);
            failures::be_careful();
            let outcome = attach(&mut mapping, &target, whole, true);
            panic!("{outcome:?}");
        }
        "stolen-by-a-move" => {
            let mut mapping = WindowKind::Copy.mapping(path);
            failures::order_calls(&[Kind::Stolen]);
            let outcome = attach(&mut mapping, &target, whole, true);
            panic!("{outcome:?}");
        }
        "stolen-by-a-return" => {
            let mut mapping = WindowKind::Copy.mapping(path);
            let part = attach(&mut mapping, &target, whole, true).expect("a window");
            target.write(0, 1);
            failures::order_calls(&[Kind::Made, Kind::Stolen]);
            let outcome = detach(&mut mapping, &part);
            panic!("{outcome:?}");
        }
        "stolen-by-a-mode" => {
            let mut mapping = WindowKind::Write.mapping(path);
            let part = attach(&mut mapping, &target, whole, true).expect("a window");
            failures::order_calls(&[Kind::Made, Kind::Stolen]);
            let outcome = super::window_modes::set_mode(&mut mapping, &part, false);
            panic!("{outcome:?}");
        }
        "stolen-by-a-repair" => {
            let mapping = WindowKind::Write.mapping(path);
            cut(path, 4);
            failures::order_calls(&[Kind::Before, Kind::Before, Kind::Stolen]);
            let outcome = mapping.get(5 * page() as i64);
            panic!("{outcome:?}");
        }
        other => panic!("no such part: {other}"),
    }
}
