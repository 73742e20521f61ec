//! Attacks on bytes that were promised not to change, each of which once worked.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Stdio;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use super::child::{self, Running};
use super::stable::{LEN, act_elsewhere, folders, make};
use wasi_mmap::Mapping;
use wasi_mmap_core::{Access, Error, Internals, Result};
use wasi_mmap_native::{Stability, Stable, Window, page_size};

/// Private memory that a window can be attached to.
pub struct Target {
    memory: *mut u8,
    len: usize,
}

impl Target {
    pub fn new(len: usize) -> Self {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
        // SAFETY: the kernel chooses a free place.
        let memory = unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
        assert_ne!(memory, libc::MAP_FAILED);
        Self { memory: memory.cast(), len }
    }

    /// Attaches a stable window of the first bytes of the mapping.
    pub fn attach(&self, mapping: &mut Mapping, range: Range<u64>, to_write: bool) -> Result<Window> {
        assert!(range.end - range.start <= self.len as u64);
        let storage = mapping.storage_mut()?;
        let plan = storage.plan_stable_window(to_write)?;
        // SAFETY: the memory is private, has these bytes, outlives the window, and nobody uses it meanwhile.
        unsafe { storage.attach_stable_window(plan, range, self.memory.expose_provenance()) }
    }

    /// Attaches a window for reading, and waits for the processes that other tests start, which have this one's
    /// descriptors for a moment.
    pub fn attach_soon(&self, mapping: &mut Mapping, range: Range<u64>) -> Window {
        for _ in 0..1000 {
            match self.attach(mapping, range.clone(), false) {
                Err(Error::Unsupported(reason)) if reason.contains("open for writing") => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                outcome => return outcome.expect("a window"),
            }
        }
        panic!("somebody has the file open for writing");
    }

    pub fn detach(mapping: &mut Mapping, window: &Window) {
        // SAFETY: nobody uses the memory.
        unsafe { mapping.storage_mut().expect("it is open").detach_window(window) }.expect("it detaches");
    }

    pub fn byte(&self, offset: usize) -> u8 {
        assert!(offset < self.len);
        // SAFETY: within the memory, which is mapped.
        unsafe { self.memory.wrapping_add(offset).read_volatile() }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // SAFETY: the memory was mapped by `new`, and no window is attached any more.
        unsafe { libc::munmap(self.memory.cast(), self.len) };
    }
}

/// Opens a file for reading, and cuts it to nothing by that: Linux lets everybody who may write the file.
fn truncate_by_reading(path: &Path) {
    let path = CString::new(path.to_str().expect("UTF-8")).expect("no zero");
    // SAFETY: the path ends with a zero.
    let file = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_TRUNC) };
    assert!(file >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: the descriptor was just opened, and is nobody else's.
    unsafe { libc::close(file) };
}

/// The processes of this module's tests.
pub fn meet(part: &str, path: &Path) {
    match part {
        "attack-truncate-by-reading" => truncate_by_reading(path),
        "attack-lose-slice" => {
            let slice = Mapping::open(path).expect("a mapping").stable().expect("it can be held");
            assert_eq!((slice[0], slice.stability()), (b'a', Stability::Lease));
            assert!(child::command("attack-truncate-by-reading", &[path.to_str().expect("UTF-8")]).status().is_ok());
            // The lease is still there, and the bytes are not.
            let changed = slice.iter().position(|&byte| byte != b'a');
            println!("changed: {changed:?}");
        }
        "attack-lose-window" => {
            let (target, mut mapping) = (Target::new(LEN), Mapping::open(path).expect("a mapping"));
            let _window = target.attach(&mut mapping, 0..LEN as u64, false).expect("it can be held");
            assert_eq!(target.byte(0), b'a');
            assert!(child::command("attack-truncate-by-reading", &[path.to_str().expect("UTF-8")]).status().is_ok());
            println!("changed: {:?}", (0..LEN).position(|offset| target.byte(offset) != b'a'));
        }
        "attack-lose-rights" => {
            let slice = Mapping::open(path).expect("a mapping").stable().expect("it can be held");
            // SAFETY: no precondition. Another user, who may not give up a lease on this file.
            assert_eq!(unsafe { libc::setresuid(65534, 65534, 65534) }, 0);
            println!("ready");
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).expect("a line");
            assert!(slice.iter().all(|&byte| byte == b'a'));
            println!("unchanged");
        }
        "attack-fork" => {
            let slice = Mapping::open(path).expect("a mapping").stable().expect("it can be held");
            // SAFETY: the child drops its copy of the slice, and ends without running anything else.
            let forked = unsafe { libc::fork() };
            if forked == 0 {
                drop(slice);
                // SAFETY: no precondition.
                unsafe { libc::_exit(0) };
            }
            let mut status = 0;
            // SAFETY: `status` is valid for the write.
            assert_eq!(unsafe { libc::waitpid(forked, &raw mut status, 0) }, forked);
            assert_eq!(status, 0, "the child did not end by itself");
            // Longer than the interval at which leases are checked.
            std::thread::sleep(Duration::from_millis(600));
            assert_eq!(slice.stability(), Stability::Lease);
            act_elsewhere("write", path);
            assert!(slice.iter().all(|&byte| byte == b'a'));
            println!("unchanged");
        }
        other => panic!("no such part: {other}"),
    }
}

/// Runs a part in a process of its own. Returns whether it succeeded, and its output.
fn run(part: &str, path: &Path) -> (bool, String) {
    let output = child::command(part, &[path.to_str().expect("UTF-8")]).output().expect("a process");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn a_process_ends_before_it_sees_other_bytes_than_were_promised() {
    for folder in folders() {
        for part in ["attack-lose-slice", "attack-lose-window"] {
            let path = make(folder.path(), "file");
            let (succeeded, output) = run(part, &path);
            assert!(!succeeded && output.contains("promised not to change"), "{part}: {output}");
            assert!(!output.contains("changed: "), "{part}: {output}");
        }
    }
}

#[test]
fn a_forked_child_does_not_end_its_parents_lease() {
    for folder in folders() {
        let (succeeded, output) = run("attack-fork", &make(folder.path(), "file"));
        assert!(succeeded && output.contains("unchanged"), "{output}");
    }
}

#[test]
fn a_lease_ends_after_its_holder_has_lost_the_right_to_give_it_up() {
    // SAFETY: no precondition.
    if unsafe { libc::geteuid() } != 0 {
        println!("skipped: only root can become another user");
        return;
    }
    for folder in folders() {
        let path = make(folder.path(), "file");
        let mut command = child::command("attack-lose-rights", &[path.to_str().expect("UTF-8")]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = Running(command.spawn().expect("a process"));
        let output = BufReader::new(holder.0.stdout.take().expect("it is piped"));
        let mut lines = output.lines().map(|line| line.expect("a line"));
        assert!(lines.any(|line| line == "ready"));
        // Far less than the kernel's 45 s, after which it takes the lease.
        let waited = act_elsewhere("write", &path);
        assert!(waited < 20.0, "{waited} s");
        holder.0.stdin.take().expect("it is piped").write_all(b"\n").expect("it reads");
        assert!(lines.any(|line| line == "unchanged"), "it has seen other bytes");
    }
}

/// Another process writes to the file while the window's owner stores to it: the window's bytes are copied, and no
/// store is lost.
#[test]
fn the_end_of_a_lease_undoes_no_store_to_a_window() {
    const BIG: usize = 64 << 20;
    for folder in folders() {
        let path = folder.path().join("file");
        let target = Target::new(BIG);
        for _ in 0..3 {
            fs::write(&path, vec![b'a'; BIG]).expect("a file");
            let mut mapping = Mapping::open(&path).expect("a mapping");
            let Ok(window) = target.attach(&mut mapping, 0..BIG as u64, false) else {
                // A process that another test starts has this one's descriptors for a moment.
                continue;
            };
            let done = AtomicBool::new(false);
            let memory = target.memory.expose_provenance();
            std::thread::scope(|scope| {
                let storing = scope.spawn(|| {
                    let mut undone = 0u64;
                    let pages = BIG / 4096;
                    let mut last = vec![0usize; pages];
                    for number in 1usize.. {
                        if done.load(Relaxed) {
                            break;
                        }
                        let page = number.wrapping_mul(7919) % pages;
                        let place = ptr::with_exposed_provenance_mut::<usize>(memory + page * 4096);
                        // SAFETY: within the window, which outlives this thread; nobody else stores there.
                        unsafe { place.write_volatile(number) };
                        last[page] = number;
                        let other = number.wrapping_mul(104_729) % pages;
                        let place = ptr::with_exposed_provenance_mut::<usize>(memory + other * 4096);
                        // SAFETY: as above.
                        let found = unsafe { place.read_volatile() };
                        undone += u64::from(last[other] != 0 && found != last[other]);
                    }
                    for (page, &number) in last.iter().enumerate().filter(|(_, number)| **number != 0) {
                        let place = ptr::with_exposed_provenance_mut::<usize>(memory + page * 4096);
                        // SAFETY: as above.
                        undone += u64::from(unsafe { place.read_volatile() } != number);
                    }
                    undone
                });
                act_elsewhere("write", &path);
                done.store(true, Relaxed);
                assert_eq!(storing.join().expect("a thread"), 0, "stores were undone");
            });
            assert_eq!(window.stability(), Some(Stability::Copied));
            // Bytes that nobody stored to are those from before.
            assert_eq!([8, 4096 + 8, BIG - 1].map(|offset| target.byte(offset)), [b'a'; 3]);
            Target::detach(&mut mapping, &window);
        }
    }
}

#[test]
fn a_file_in_memory_with_holes_is_refused() {
    for folder in folders() {
        let path = folder.path().join("sparse");
        let file = File::create(&path).expect("a file");
        file.set_len(LEN as u64).expect("it is longer");
        drop(file);
        let outcome = Mapping::open(&path).expect("a mapping").stable();
        if folder.path().starts_with("/dev/shm") {
            assert!(matches!(outcome, Err(Error::Unsupported(reason)) if reason.contains("holes")));
        }
    }
}

#[test]
fn windows_of_shared_memory_do_not_overlap() {
    let page = page_size();
    let len = usize::try_from(4 * page).expect("four pages");
    let mut mapping = Mapping::anonymous(4 * page).expect("memory");
    let targets = [(); 3].map(|()| Target::new(len));
    let first = targets[0].attach(&mut mapping, 0..2 * page, true).expect("a window");
    assert_eq!(targets[1].attach(&mut mapping, page..3 * page, true).map(|_| ()), Err(Error::Busy));
    assert_eq!(targets[1].attach(&mut mapping, 0..page, false).map(|_| ()), Err(Error::Busy));
    let second = targets[1].attach(&mut mapping, 2 * page..4 * page, true).expect("they do not overlap");
    Target::detach(&mut mapping, &first);
    let third = targets[2].attach(&mut mapping, 0..page, true).expect("the first is detached");
    Target::detach(&mut mapping, &second);
    Target::detach(&mut mapping, &third);
}

/// Bytes that a former writer has left after the end of the file, in its last page, are not visible: the system clears
/// them later.
#[test]
fn a_window_shows_zeros_behind_the_end_of_the_file() {
    for folder in folders() {
        let path = folder.path().join("file");
        fs::write(&path, "short").expect("a file");
        let file = File::options().read(true).write(true).open(&path).expect("it opens");
        let len = usize::try_from(page_size()).expect("a page");
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the kernel chooses a free place.
        let memory = unsafe { libc::mmap(ptr::null_mut(), len, access, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        assert_ne!(memory, libc::MAP_FAILED);
        // SAFETY: within the page, the last of the file.
        unsafe { memory.cast::<u8>().wrapping_add(100).write_bytes(b'x', 100) };
        // SAFETY: the page was mapped above, and nobody uses it any more.
        unsafe { libc::munmap(memory, len) };
        drop(file);
        let (target, mut mapping) = (Target::new(len), Mapping::open(&path).expect("a mapping"));
        let window = loop {
            match target.attach(&mut mapping, 0..5, false) {
                Ok(window) => break window,
                // A process that another test starts has this one's descriptors for a moment.
                Err(Error::Unsupported(reason)) if reason.contains("open for writing") => {}
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!([0, 4, 5, 100, len - 1].map(|offset| target.byte(offset)), [b's', b't', 0, 0, 0]);
        Target::detach(&mut mapping, &window);
        assert_eq!(mapping.access(), Access::Read);
    }
}
