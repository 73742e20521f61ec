//! Memory that a fault was repaired in shows what the file holds from then on, or says that it does not.
//!
//! A fault is repaired a moment after the file became shorter. When it is whole again by then, the page can be had
//! after all; a private page must not become a copy on the way, which would never change again.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::ptr;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};

use super::support::is_long;
use wasi_mmap::Mapping;
use wasi_mmap_core::{Access, Error, MapOptions};
use wasi_mmap_native::Lend;
use wasi_mmap_native::{OsStorage, Window};

const PAGE: usize = 4096;
const PAGES: usize = 4;
const LEN: usize = PAGES * PAGE;

/// A source of bytes that can be asked afterwards if they were the file's.
trait Looking {
    /// Looks at a byte of each page.
    fn look(&self) -> [u8; PAGES];
    fn check(&self) -> Result<(), Error>;
}

/// A private mapping that nobody writes.
struct Reading(Mapping);

impl Looking for Reading {
    fn look(&self) -> [u8; PAGES] {
        std::array::from_fn(|page| self.0.get((page * PAGE) as i64).unwrap_or(0))
    }

    fn check(&self) -> Result<(), Error> {
        self.0.check(0..LEN as u64)
    }
}

/// A window to read.
struct ReadWindow {
    memory: *mut u8,
    storage: OsStorage,
    window: Window,
}

impl ReadWindow {
    /// Attaches one, or makes one of a window to write.
    fn new(path: &Path, was_writable: bool) -> Self {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
        // SAFETY: the kernel chooses where.
        let memory = unsafe { libc::mmap(ptr::null_mut(), LEN, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
        assert_ne!(memory, libc::MAP_FAILED);
        let options = MapOptions::new().access(if was_writable { Access::Write } else { Access::Read });
        let file = File::options().read(true).write(was_writable).open(path).expect("a file");
        let (mut storage, _) = OsStorage::map_file_with(file, options.rights(), &options).expect("a mapping");
        // SAFETY: the memory was just mapped, and is unmapped after the window was detached.
        let window = unsafe { storage.attach_window(0..LEN as u64, memory.expose_provenance(), was_writable) };
        let window = window.expect("a window");
        // SAFETY: there are no references into the memory.
        unsafe { storage.set_window_mode(&window, false) }.expect("it is to read");
        Self { memory: memory.cast(), storage, window }
    }
}

impl Looking for ReadWindow {
    fn look(&self) -> [u8; PAGES] {
        // SAFETY: the memory is mapped, and faults in it are repaired.
        std::array::from_fn(|page| unsafe { self.memory.wrapping_add(page * PAGE).read_volatile() })
    }

    fn check(&self) -> Result<(), Error> {
        self.window.check()
    }
}

impl Drop for ReadWindow {
    fn drop(&mut self) {
        // SAFETY: nobody reads there any more.
        unsafe { self.storage.detach_window(&self.window) }.expect("it detaches");
        // SAFETY: as above.
        unsafe { libc::munmap(self.memory.cast(), LEN) };
    }
}

/// Reads while another thread truncates and restores the file; then changes the file and reads again.
fn look_through_cuts<L: Looking>(what: &str, path: &Path, make: impl Fn() -> L) {
    fs::write(path, [1; LEN]).expect("a file");
    let file = OpenOptions::new().write(true).open(path).expect("a file");
    let rounds = if is_long() { 300_000 } else { 30_000 };
    // Both threads run all the time: a sleeping one would miss the moment.
    let (cutting, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let (mut repaired, mut lost) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Acquire) {
                if !cutting.load(Acquire) {
                    std::thread::yield_now();
                    continue;
                }
                file.set_len(0).expect("it becomes shorter");
                file.write_all_at(&[1; LEN], 0).expect("it is whole");
                cutting.store(false, Release);
            }
        });
        for round in 0..rounds {
            let memory = make();
            cutting.store(true, Release);
            while cutting.load(Acquire) {
                memory.look();
            }
            if memory.check().is_err() {
                lost += 1;
                continue;
            }
            repaired += 1;
            let byte = 2 + (round % 200) as u8;
            for page in 0..PAGES {
                file.write_all_at(&[byte], (page * PAGE) as u64).expect("it is written");
            }
            let seen = memory.look();
            if memory.check().is_ok() && seen != [byte; PAGES] {
                // The other thread waits for all rounds.
                eprintln!("{what}: round {round}: {seen:?} where the file has {byte}, and nothing was said to be lost");
                std::process::exit(1);
            }
            file.write_all_at(&[1; LEN], 0).expect("it is whole");
        }
        done.store(true, Release);
    });
    println!("{what}: {rounds} rounds, in {lost} of which something was lost, and in {repaired} nothing");
    assert!(repaired > 0 && lost > 0, "both were met");
}

fn in_a_process(part: &str) {
    let shared_memory = Path::new("/dev/shm");
    let scratch = if shared_memory.is_dir() { tempfile::tempdir_in(shared_memory) } else { tempfile::tempdir() };
    let scratch = scratch.expect("a directory");
    let file = scratch.path().join("file");
    let output = super::child::command(part, &[file.to_str().expect("UTF-8")]).output().expect("a process");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{part}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_window_to_read_is_not_stale_after_a_repair() {
    in_a_process("stale-window");
}

#[test]
fn a_window_that_was_to_write_is_not_stale_after_a_repair() {
    in_a_process("stale-changed-window");
}

#[test]
fn a_private_mapping_is_not_stale_after_a_repair() {
    in_a_process("stale-mapping");
}

/// The tests above, each alone in a process.
pub fn meet(part: &str, path: &Path) {
    match part {
        "stale-window" => look_through_cuts("a window to read", path, || ReadWindow::new(path, false)),
        "stale-changed-window" => look_through_cuts("a window that was to write", path, || ReadWindow::new(path, true)),
        "stale-mapping" => look_through_cuts("a private mapping", path, || {
            Reading(Mapping::options().access(Access::Copy).open(path).expect("a mapping"))
        }),
        other => panic!("no such part: {other}"),
    }
}
