//! Slices whose bytes nobody can change, while other processes write to the file.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::FromRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::child::{self, Running};
use super::support::is_long;
use wasi_mmap::Mapping;
use wasi_mmap_core::{Access, Error, MapFlags, Result};
use wasi_mmap_native::{Stability, Stable, StableSlice};

pub const LEN: usize = 1 << 20;

/// Folders on file systems of this machine: in memory, and on the disk where the system has a plain one.
pub fn folders() -> Vec<tempfile::TempDir> {
    let places = [Path::new("/dev/shm").to_owned(), std::env::temp_dir()];
    let folders = places.iter().filter_map(|place| tempfile::tempdir_in(place).ok());
    let folders: Vec<_> = folders.filter(|folder| can_be_held(folder.path())).collect();
    if folders.is_empty() {
        println!("skipped: no file system here gives leases");
    }
    folders
}

fn can_be_held(folder: &Path) -> bool {
    match soon(&make(folder, "try")) {
        Ok(_) => true,
        // Of the file system, or of this user: whatever else is refused here is a fault of ours.
        Err(error) => {
            println!("{}: {error}", folder.display());
            let reason = error.to_string();
            assert!(
                ["it is on ", "its file system", "gives no leases"].iter().any(|one| reason.contains(one)),
                "{reason}"
            );
            false
        }
    }
}

/// Takes a slice of a file that nobody writes to. Tests beside this one start processes, which have this one's
/// descriptors for a moment.
pub fn soon(path: &Path) -> Result<StableSlice> {
    try_soon(|| slice(path))
}

/// Takes a slice, and waits for those descriptors.
pub fn try_soon(take: impl Fn() -> Result<StableSlice>) -> Result<StableSlice> {
    for _ in 0..1000 {
        match take() {
            Err(Error::Unsupported(reason)) if reason.contains("open for writing") => {
                std::thread::sleep(Duration::from_millis(1));
            }
            outcome => return outcome,
        }
    }
    take()
}

pub fn make(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, vec![b'a'; LEN]).expect("a file");
    path
}

fn slice(path: &Path) -> Result<StableSlice> {
    Mapping::open(path)?.stable()
}

pub fn reason<T>(outcome: Result<T>) -> String {
    match outcome.err().expect("it is refused") {
        Error::Unsupported(reason) => reason.into_owned(),
        other => panic!("{other:?}"),
    }
}

pub fn all_are(bytes: &[u8], byte: u8) -> bool {
    bytes.iter().all(|&one| one == byte)
}

/// Acts on a file in a process of its own, and returns the time in seconds that it waited.
pub fn act_elsewhere(action: &str, path: &Path) -> f64 {
    let output = child::command("stable", &[action, path.to_str().expect("UTF-8")]).output().expect("a process");
    assert!(output.status.success(), "{action}: {output:?}");
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    printed.lines().find_map(|line| line.strip_prefix("waited ")?.parse().ok()).expect("a number")
}

/// The part of the other process.
pub fn act(action: &str, path: &Path) {
    let started = Instant::now();
    let done = |started: Instant| println!("\nwaited {}", started.elapsed().as_secs_f64());
    let open = |truncate: bool| OpenOptions::new().write(true).truncate(truncate).open(path).expect("it opens");
    match action {
        "write" => {
            let mut file = open(false);
            done(started);
            file.write_all(&vec![b'b'; LEN]).expect("it writes");
        }
        "write-anew" => {
            let mut file = open(true);
            done(started);
            file.write_all(&vec![b'b'; LEN / 2]).expect("it writes");
        }
        "truncate" => {
            let name = std::ffi::CString::new(path.to_str().expect("UTF-8")).expect("no zero");
            // SAFETY: the name ends with a zero.
            assert_eq!(unsafe { libc::truncate(name.as_ptr(), 4096) }, 0);
            done(started);
        }
        "rename" => {
            let other = path.with_extension("other");
            fs::write(&other, vec![b'b'; LEN]).expect("a file");
            let started = Instant::now();
            fs::rename(&other, path).expect("it is renamed");
            done(started);
        }
        "unlink" => {
            fs::remove_file(path).expect("it is removed");
            done(started);
        }
        "no-wait" => {
            let no_wait = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path);
            assert_eq!(no_wait.err().and_then(|error| error.raw_os_error()), Some(libc::EWOULDBLOCK));
            done(started);
        }
        "open-writer" | "map-writer" => {
            let file = OpenOptions::new().read(true).write(true).open(path).expect("it opens");
            // The mapping keeps the right to write when the descriptor is closed.
            let mapping = (action == "map-writer")
                .then(|| Mapping::options().access(Access::Write).open(path).expect("a mapping"));
            let file = mapping.is_none().then_some(file);
            fs::write(path.with_extension("ready"), "").expect("a file");
            std::thread::sleep(Duration::from_secs(60));
            drop((file, mapping));
        }
        // As a user who does not own the file.
        "take" => match slice(path) {
            Ok(slice) => println!("\ntook {}", slice.stability()),
            Err(error) => println!("\ntook nothing: {error}"),
        },
        "storm" => storm(path),
        other => panic!("no such action: {other}"),
    }
}

/// Rewrites all of a file repeatedly.
fn storm(path: &Path) {
    let stop = path.with_extension("stop");
    let mut waited = Vec::new();
    for round in (0..26u8).cycle() {
        if stop.exists() {
            break;
        }
        let started = Instant::now();
        let file = OpenOptions::new().write(true).truncate(round % 2 == 1).open(path);
        waited.push(started.elapsed());
        file.and_then(|mut file| file.write_all(&vec![b'a' + round; LEN])).expect("it writes");
        std::thread::sleep(Duration::from_millis(1));
    }
    waited.sort_unstable();
    let (median, most) = (waited[waited.len() / 2], waited[waited.len() - 1]);
    println!("\n{} opens for writing: median {median:?}, most {most:?}", waited.len());
}

#[test]
fn a_slice_stays_the_same_whatever_another_process_does() {
    for folder in folders() {
        for (action, is_copied, len, first) in [
            ("write", true, LEN, b'b'),
            ("write-anew", true, LEN / 2, b'b'),
            ("truncate", true, 4096, b'a'),
            ("no-wait", true, LEN, b'a'),
            ("rename", false, LEN, b'b'),
            ("unlink", false, 0, b'a'),
        ] {
            let path = make(folder.path(), "file");
            let slice = soon(&path).expect("it can be held");
            // A part, not from the start of a page on, and one that is never read before.
            let mapping = Mapping::open(&path).expect("a mapping");
            let part = try_soon(|| mapping.stable_range(5000..LEN as u64 - 1)).expect("it can be held");
            assert_eq!((slice.stability(), slice.len(), part.len()), (Stability::Lease, LEN, LEN - 5001));
            assert!(all_are(&slice, b'a'));
            let waited = act_elsewhere(action, &path);
            println!("{}: {action} waited {:.1} ms", folder.path().display(), waited * 1e3);
            assert!(all_are(&slice, b'a') && all_are(&part, b'a'), "{action}");
            let expected = if is_copied { Stability::Copied } else { Stability::Lease };
            // Processes that do not wait for the end of the lease have ended before it.
            let is_over = || action != "no-wait" || [slice.stability(), part.stability()] == [expected; 2];
            (0..10_000).take_while(|_| !is_over()).for_each(|_| std::thread::sleep(Duration::from_millis(1)));
            assert_eq!([slice.stability(), part.stability()], [expected; 2], "{action}");
            slice.check().and(part.check()).expect("nothing was lost");
            if len > 0 {
                let file = fs::read(&path).expect("a file");
                assert_eq!((file.len(), file[0]), (len, first), "{action}");
            }
            // And again, with the file as it is now.
            drop((slice, part));
            if len > 0 {
                let again = soon(&path).expect("nobody has it open");
                assert_eq!((again.len(), again[0], again.stability()), (len, first, Stability::Lease));
            }
        }
    }
}

#[test]
fn a_slice_outlives_its_mapping() {
    for folder in folders() {
        let path = make(folder.path(), "file");
        drop(soon(&path));
        let mut mapping = Mapping::open(&path).expect("a mapping");
        let slice = mapping.stable().expect("it can be held");
        assert!(mapping.stable_range(7..7).expect("of nothing").is_empty());
        assert_eq!(mapping.stable_range(0..LEN as u64 + 1).expect_err("past the end").name(), "out-of-range");
        mapping.close().expect("it is not busy");
        assert!(matches!(mapping.stable(), Err(Error::Closed)));
        let other = std::thread::spawn({
            let slice = slice.clone();
            move || all_are(slice.as_ref(), b'a')
        });
        assert!(other.join().expect("a thread"));
        // This process itself waits for its own lease, which another thread gives up.
        let mut writing = Mapping::options().access(Access::Write).open(&path).expect("it opens");
        writing.write_all_at(b"b", 0).expect("it writes");
        assert!(all_are(&slice, b'a'));
        assert_eq!(slice.stability(), Stability::Copied);
        // What is open for writing cannot be held, and says so.
        assert!(reason(writing.stable()).contains("open for writing"));
        assert!(reason(self::slice(&path)).contains("open for writing"));
        writing.close().expect("it closes");
        assert_eq!(soon(&path).expect("nobody writes")[0], b'b');
    }
}

#[test]
fn files_that_others_can_write_are_refused_with_the_reason() {
    for folder in folders() {
        for action in ["open-writer", "map-writer"] {
            let path = make(folder.path(), action);
            let writer = Running::start("stable", &[action, path.to_str().expect("UTF-8")], Stdio::null());
            while !path.with_extension("ready").exists() {
                std::thread::sleep(Duration::from_millis(1));
            }
            assert!(reason(slice(&path)).contains("open for writing"), "{action}");
            drop(writer);
            soon(&path).expect("the writer is gone");
        }
        let path = make(folder.path(), "copy");
        assert!(
            reason(Mapping::options().access(Access::Copy).open(&path).expect("a mapping").stable()).contains("a copy")
        );
        // Longer than the file by now.
        let mapping = Mapping::open(&path).expect("a mapping");
        File::options().write(true).open(&path).and_then(|file| file.set_len(LEN as u64 / 2)).expect("shorter");
        assert_eq!(mapping.stable().expect_err("it is shorter"), Error::Truncated);
        assert!(all_are(&mapping.stable_range(0..LEN as u64 / 2).expect("that is there"), b'a'));
    }

    assert!(reason(Mapping::anonymous(4096).expect("memory").stable()).contains("no file"));
    // No lease there, or not one that tells of all who write.
    let outcome = slice(Path::new("/proc/self/status"));
    println!("/proc: {outcome:?}");
    assert!(outcome.is_err());
}

fn memfd(flags: libc::c_uint) -> File {
    // SAFETY: the name ends with a zero.
    let descriptor = unsafe { libc::memfd_create(c"test".as_ptr(), flags) };
    assert!(descriptor >= 0);
    // SAFETY: it was just made, and nobody else has it.
    let mut file = unsafe { File::from_raw_fd(descriptor) };
    file.write_all(&[b'a'; 8192]).expect("it writes");
    file
}

#[test]
fn memory_is_stable_only_through_seals() {
    use std::os::fd::AsRawFd;
    let map = |file: &File| Mapping::options().map(file);
    let file = memfd(libc::MFD_ALLOW_SEALING);
    // The kernel would give a lease, though it is open for writing.
    assert!(reason(map(&file).expect("a mapping").stable()).contains("not sealed"));
    assert!(reason(map(&memfd(0)).expect("a mapping").stable()).contains("not sealed"));
    let seal = |seals: libc::c_int| {
        // SAFETY: the call touches no memory of ours.
        assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) }, 0);
    };
    seal(libc::F_SEAL_SHRINK | libc::F_SEAL_FUTURE_WRITE);
    assert!(reason(map(&file).expect("a mapping").stable()).contains("not sealed"), "who had it mapped still writes");
    seal(libc::F_SEAL_WRITE);
    // Its descriptor is open for writing, and the seal is what forbids it.
    let widest = Mapping::options().flags(MapFlags::WIDEST_ACCESS).map(&file).expect("it is mapped for reading");
    assert_eq!((widest.access(), widest.get(0)), (Access::Read, Ok(b'a')));
    let slice = map(&file).expect("a mapping").stable().expect("it is sealed");
    assert_eq!((slice.stability(), slice.len(), all_are(&slice, b'a')), (Stability::Sealed, 8192, true));
}

/// Runs a program, and returns whether it succeeded.
fn does(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A mount, until it is dropped.
pub struct Mount(tempfile::TempDir);

impl Mount {
    pub fn new(arguments: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().to_str().expect("UTF-8").to_owned();
        does("mount", &[arguments, &[&path]].concat()).then(|| Self(folder))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn remount(&self, options: &str) -> bool {
        does("mount", &["-o", options, self.0.path().to_str().expect("UTF-8")])
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        does("umount", &["-l", self.0.path().to_str().expect("UTF-8")]);
    }
}

/// Returns the outcome for a user who does not own the file.
fn taken_by_another_user(path: &Path) -> String {
    let mut command = child::command("stable", &["take", path.to_str().expect("UTF-8")]);
    let output = command.uid(65534).gid(65534).output().expect("a process");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn only_a_file_system_that_is_read_everywhere_is_read_only() {
    let Some(disk) = Mount::new(&["-t", "tmpfs", "-o", "mode=755", "none"]) else {
        println!("skipped: this user may not mount");
        return;
    };
    fs::set_permissions(disk.0.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("it is ours");
    let path = make(disk.0.path(), "file");
    let source = disk.0.path().to_str().expect("UTF-8");
    // A user who can take no lease, and so needs the file system to be read only.
    let bound = Mount::new(&["--bind", source]).expect("a bind mount");
    assert!(bound.remount("remount,bind,ro"));
    assert!(File::options().write(true).open(bound.0.path().join("file")).is_err(), "it is to be read there");
    fs::set_permissions(bound.0.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap_or(());
    let printed = taken_by_another_user(&bound.0.path().join("file"));
    assert!(printed.contains("for the file's owner"), "{printed}");
    assert!(disk.remount("remount,ro"), "nobody writes");
    for path in [path, bound.0.path().join("file")] {
        let printed = taken_by_another_user(&path);
        assert!(printed.contains("took read-only"), "{printed}");
        // The owner has the stronger promise.
        assert_eq!(slice(&path).expect("it can be held").stability(), Stability::Lease);
    }
}

#[test]
fn no_byte_changes_under_many_breaks() {
    let breaks = if is_long() { 1000 } else { 50 };
    for folder in folders() {
        let path = make(folder.path(), "file");
        let mut child = Running::start("stable", &["storm", path.to_str().expect("UTF-8")], Stdio::piped());
        let (broken, taken, refused) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let whole = AtomicUsize::new(0);
        let took = std::sync::Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while broken.load(Relaxed) < breaks {
                        // Empty at times, while it is rewritten.
                        let Ok(mapping) = Mapping::open(&path) else { continue };
                        let started = Instant::now();
                        let Ok(slice) = mapping.stable() else {
                            refused.fetch_add(1, Relaxed);
                            std::thread::yield_now();
                            continue;
                        };
                        took.lock().expect("a lock").push(started.elapsed());
                        taken.fetch_add(1, Relaxed);
                        // While there is a lease nobody is writing, so that the file is whole. The mapping may have
                        // been made before.
                        let len = fs::metadata(&path).expect("a file").len();
                        if slice.stability() == Stability::Lease {
                            assert_eq!(len, LEN as u64, "somebody writes under a lease");
                            whole.fetch_add(1, Relaxed);
                        }
                        let first = slice[0];
                        // Nobody had it open for writing, so that it is whole; and it stays so.
                        let mut rest = 3;
                        while rest > 0 {
                            assert!(all_are(&slice, first), "a byte has changed");
                            rest -= usize::from(slice.stability() == Stability::Copied);
                        }
                        assert_eq!(slice.len() as u64, mapping.len().expect("it is open"));
                        slice.check().expect("nothing was lost");
                        broken.fetch_add(1, Relaxed);
                    }
                });
            }
        });
        fs::write(path.with_extension("stop"), "").expect("a file");
        let output = std::io::read_to_string(child.0.stdout.take().expect("a pipe")).expect("it reads");
        let writers = output.lines().find(|line| line.contains("opens for writing")).expect("what it measured");
        let mut took = took.into_inner().expect("a lock");
        took.sort_unstable();
        let (taken, refused) = (taken.into_inner(), refused.into_inner());
        println!(
            "{}: {} breaks of {taken} slices of 1 MiB, {} of them seen to be whole, {refused} refused; taking one: median {:?}; {writers}",
            folder.path().display(),
            broken.into_inner(),
            whole.into_inner(),
            took[took.len() / 2],
        );
    }
}
