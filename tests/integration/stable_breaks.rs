//! The end of leases at the limits of the system: without memory, descriptors, rights, or the time for it.

use std::fs::{self, File};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use super::child::{self, Running};
use super::stable::{LEN, Mount, act_elsewhere, all_are, folders, make, reason, soon, try_soon};
use super::stable_attacks::Target;
use wasi_mmap::Mapping;
use wasi_mmap_core::{Access, Error};
use wasi_mmap_native::failures::{self, Kind};
use wasi_mmap_native::{Stability, Stable, page_size};

/// The parts that run in processes of their own.
pub fn meet(part: &str, path: &Path) {
    match part {
        "break-no-memory" => no_memory(path),
        "break-no-time" => no_time(path),
        "break-remount" => remounted(path),
        "break-holes" => sparse(path),
        "break-no-descriptors" => no_descriptors(path),
        "break-stolen" => stolen(path),
        other => panic!("no such part: {other}"),
    }
}

/// Tells the other process that this one has come so far.
fn tell(path: &Path, what: &str) {
    fs::write(path.with_extension(what), "").expect("a file");
}

/// Waits for the other process.
fn await_told(path: &Path, what: &str) {
    let started = Instant::now();
    while !path.with_extension(what).exists() {
        assert!(started.elapsed() < Duration::from_secs(100), "{what} never comes");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Runs a part in a process of its own, and does something here when it is ready.
fn with_part(part: &str, path: &Path, meanwhile: impl FnOnce()) -> Output {
    for what in ["ready", "go"] {
        let _ = fs::remove_file(path.with_extension(what));
    }
    let mut command = child::command(part, &[path.to_str().expect("UTF-8")]);
    let mut child = Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a process"));
    let started = Instant::now();
    let mut has_ended = || {
        assert!(started.elapsed() < Duration::from_secs(200), "{part} hangs");
        std::thread::sleep(Duration::from_millis(1));
        child.0.try_wait().expect("a process").is_some()
    };
    while !path.with_extension("ready").exists() && !has_ended() {}
    if path.with_extension("ready").exists() {
        meanwhile();
        tell(path, "go");
    }
    while !has_ended() {}
    let status = child.0.wait().expect("a process");
    let read = |pipe: &mut dyn std::io::Read| {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("it reads");
        bytes
    };
    let stdout = read(&mut child.0.stdout.take().expect("a pipe"));
    Output { status, stdout, stderr: read(&mut child.0.stderr.take().expect("a pipe")) }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[track_caller]
fn assert_done(output: &Output, part: &str) {
    assert!(output.status.success(), "{part}: {}\n{}", output.status, text(output));
    if let Some(skipped) = text(output).lines().find(|line| line.contains("skipped")) {
        println!("{skipped}");
    }
}

#[track_caller]
fn assert_aborted(output: &Output, part: &str, message: &str) {
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{part}: {}\n{}", output.status, text(output));
    assert!(text(output).contains("wasi-mmap: ") && text(output).contains(message), "{part}: {}", text(output));
}

fn is_root() -> bool {
    // SAFETY: no precondition.
    let is_root = unsafe { libc::geteuid() } == 0;
    if !is_root {
        println!("skipped: only root can do this");
    }
    is_root
}

/// Becomes a user who does not own the files of this one.
fn become_nobody() {
    // SAFETY: the call touches no memory of ours. The C library changes the user of every thread.
    assert_eq!(unsafe { libc::setresuid(65534, 65534, 65534) }, 0);
}

/// Returns the number of the thread that breaks leases.
fn breaking_thread() -> i32 {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux").map(|task| task.expect("a thread").path());
    let is_ours =
        |task: &PathBuf| fs::read_to_string(task.join("comm")).is_ok_and(|name| name.starts_with("wasi-mmap-lease"));
    let task = tasks.into_iter().find(is_ours).expect("it runs");
    task.file_name().and_then(|name| name.to_str()?.parse().ok()).expect("a number")
}

#[test]
fn a_window_is_detached_while_there_is_no_memory_for_copies() {
    for folder in folders() {
        let path = make(folder.path(), "break-no-memory");
        assert_done(&with_part("break-no-memory", &path, || {}), "break-no-memory");
    }
}

fn no_memory(path: &Path) {
    tell(path, "ready");
    await_told(path, "go");
    let (page, len) = (page_size(), LEN as u64);
    let mut mapping = Mapping::open(path).expect("a mapping");
    let (target, other) = (Target::new(LEN), Target::new(4096));
    let window = target.attach_soon(&mut mapping, 0..len);
    let beside = other.attach_soon(&mut mapping, 0..page);
    // So many attempts fail, some seconds long.
    failures::order_calls_of(breaking_thread(), &[Kind::Before; 256]);
    let write = |flags| File::options().write(true).custom_flags(flags).open(path);
    // It does not wait, and the lease is to end from here on.
    assert!(write(libc::O_NONBLOCK).is_err());
    std::thread::sleep(Duration::from_millis(300));
    Target::detach(&mut mapping, &beside);
    // While it is still tried: detaching did not wait until all was copied.
    assert_eq!(window.stability(), Some(Stability::Lease));
    drop(write(0).expect("it goes on when there is memory"));
    assert_eq!(window.stability(), Some(Stability::Copied));
    assert_eq!([target.byte(5), target.byte(LEN - 1), other.byte(5)], [b'a', b'a', 0]);
    window.check().expect("nothing was lost");
    assert_eq!(failures::end(), Some(failures::Call::Move));
}

#[test]
fn nothing_is_held_where_the_time_for_a_break_is_unknown() {
    if !is_root() {
        return;
    }
    for folder in folders() {
        let path = make(folder.path(), "break-no-time");
        assert_done(&with_part("break-no-time", &path, || {}), "break-no-time");
    }
}

fn no_time(path: &Path) {
    tell(path, "ready");
    await_told(path, "go");
    // This thread alone gets a namespace for mounts.
    // SAFETY: the call touches no memory of ours.
    if unsafe { libc::unshare(libc::CLONE_NEWNS | libc::CLONE_FS) } != 0 {
        return println!("skipped: no namespace for mounts");
    }
    let mount = |source: &std::ffi::CStr, target: &std::ffi::CStr, kind: &std::ffi::CStr, flags: libc::c_ulong| {
        // SAFETY: the names end with a zero, and there is no data.
        unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, std::ptr::null()) }
    };
    if mount(c"none", c"/", c"none", libc::MS_REC | libc::MS_PRIVATE) != 0
        || mount(c"none", c"/proc/sys/fs", c"tmpfs", 0) != 0
    {
        return println!("skipped: /proc/sys/fs cannot be hidden");
    }
    assert!(reason(soon(path)).contains("lease-break-time"));
    // SAFETY: the name ends with a zero.
    assert_eq!(unsafe { libc::umount2(c"/proc/sys/fs".as_ptr(), libc::MNT_DETACH) }, 0);
    assert_eq!(soon(path).expect("it can be held").stability(), Stability::Lease);
}

/// A disk in memory that is mounted read-only, with a file and a link to it from elsewhere, where parts can write.
struct ReadOnlyDisk {
    disk: Mount,
    _scratch: tempfile::TempDir,
    link: PathBuf,
}

impl ReadOnlyDisk {
    fn new(name: &str, make: impl FnOnce(&Path) -> PathBuf) -> Option<Self> {
        if !is_root() {
            return None;
        }
        let Some(disk) = Mount::new(&["-t", "tmpfs", "-o", "mode=777", "none"]) else {
            println!("skipped: this user may not mount");
            return None;
        };
        let path = make(disk.path());
        assert!(disk.remount("remount,ro"), "nobody writes");
        let scratch = tempfile::tempdir().expect("a directory");
        fs::set_permissions(scratch.path(), PermissionsExt::from_mode(0o777)).expect("it is ours");
        let link = scratch.path().join(name);
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        Some(Self { disk, _scratch: scratch, link })
    }
}

#[test]
fn a_mount_is_looked_at_for_every_window() {
    let Some(read_only) = ReadOnlyDisk::new("break-remount", |disk| make(disk, "file")) else { return };
    let output =
        with_part("break-remount", &read_only.link, || assert!(read_only.disk.remount("remount,rw"), "it is ours"));
    assert_done(&output, "break-remount");
}

fn remounted(path: &Path) {
    // Without a lease, which only the owner of the file can take.
    become_nobody();
    let page = page_size();
    let mut mapping = Mapping::open(path).expect("a mapping");
    let mut copy = Mapping::options().access(Access::Copy).open(path).expect("a mapping");
    let target = Target::new(4096);
    let window = target.attach(&mut mapping, 0..page, false).expect("it is on a read-only file system");
    assert_eq!(window.stability(), Some(Stability::ReadOnly));
    Target::detach(&mut mapping, &window);
    let window = target.attach(&mut copy, 0..page, true).expect("a copy");
    Target::detach(&mut copy, &window);
    tell(path, "ready");
    await_told(path, "go");
    assert!(reason(target.attach(&mut mapping, 0..page, false)).contains("owner"));
    let window = target.attach(&mut copy, 0..page, true).expect("a copy");
    assert_eq!(target.byte(3), b'a');
    Target::detach(&mut copy, &window);
}

/// A read-only file system in memory has space for no holes, either, if it is full.
#[test]
fn a_file_with_holes_on_a_read_only_file_system_in_memory_is_refused() {
    let make_sparse = |disk: &Path| {
        let path = disk.join("file");
        File::create(&path).and_then(|file| file.set_len(LEN as u64)).expect("a file");
        fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("it is ours");
        path
    };
    let Some(read_only) = ReadOnlyDisk::new("break-holes", make_sparse) else { return };
    let output = with_part("break-holes", &read_only.link, || {});
    assert!(text(&output).contains("has holes"), "{}", text(&output));
}

/// Takes a slice as a user who can take no lease, and prints the outcome.
fn sparse(path: &Path) {
    become_nobody();
    let mapping = Mapping::open(path).expect("a mapping");
    println!("{:?}", mapping.stable().map(|slice| slice.stability()));
}

#[test]
fn a_file_is_stable_as_soon_as_there_are_descriptors_again() {
    for folder in folders() {
        let path = make(folder.path(), "break-no-descriptors");
        assert_done(&with_part("break-no-descriptors", &path, || {}), "break-no-descriptors");
    }
}

fn no_descriptors(path: &Path) {
    tell(path, "ready");
    await_told(path, "go");
    let mapping = Mapping::open(path).expect("a mapping");
    let mut full = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        full.push(file);
    }
    assert!(matches!(mapping.stable(), Err(Error::Unsupported(_))), "there is no descriptor for it");
    drop(full);
    assert_eq!(try_soon(|| mapping.stable()).expect("it can be held").stability(), Stability::Lease);
}

#[test]
fn a_place_that_another_thread_was_given_is_not_taken_for_the_old_memory() {
    for folder in folders() {
        let path = make(folder.path(), "break-stolen");
        let output = with_part("break-stolen", &path, || {
            // Waits until the process has ended, or has given the lease up.
            act_elsewhere("write", &path);
        });
        assert_aborted(&output, "break-stolen", "taken away");
    }
}

fn stolen(path: &Path) {
    let slice = soon(path).expect("it can be held");
    failures::order_calls_of(breaking_thread(), &[Kind::Stolen]);
    tell(path, "ready");
    await_told(path, "go");
    // The memory of another thread, in place of the slice's.
    assert!(all_are(&slice, b'a'), "a byte has changed");
    failures::end();
    panic!("the call did not fail");
}
