//! The rules of locks, as a plugin sees them: `lock CHECK` runs one, in `/scratch`, and panics where the rule does not
//! hold.

mod tricks;

use std::fs::{self, File, OpenOptions};
use std::time::{Duration, Instant};

use wasi_mmap::bindings::wasi_mmap::mmap::lock::FileLock as Handle;
use wasi_mmap::bindings::wasi_mmap::mmap::types::{Error as WitError, LockKind as WitKind};
use wasi_mmap::lock::{FileLock, LockKind};
use wasi_mmap::{Error, PluginStorage, Rights};
use wasi_mmap_core::Backend;

use LockKind::{Exclusive, Shared};

/// A check and its name.
type Check = (&'static str, fn());

const CHECKS: &[Check] = &[
    ("conflicts", conflicts),
    ("parts", parts),
    ("kinds", kinds),
    ("ranges", ranges),
    ("tests", tests),
    ("files", files),
    ("rights", rights),
    ("read-only", read_only),
    ("handles", handles),
    ("mapping", mapping),
    ("unsupported", unsupported),
    ("limits", limits),
    ("hold", hold),
    ("take", take),
    ("wait", wait),
    ("wait-file", wait_file),
    ("count", count),
    ("leak", leak),
];

fn main() {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let mut checks = CHECKS.iter().chain(tricks::CHECKS);
    let (_, check) = checks.find(|(name, _)| *name == wanted).expect("a check");
    check();
    println!("{wanted}: done");
}

fn open(read: bool, write: bool) -> File {
    OpenOptions::new().read(read).write(write).open("/scratch/f").expect("a file")
}

/// An owner of locks of its own.
fn owner() -> FileLock {
    FileLock::new(&open(true, true)).expect("an owner")
}

/// Returns whether a lock of another owner would be granted, and gives it back.
fn is_free(other: &FileLock, range: std::ops::Range<u64>, kind: LockKind) -> bool {
    let is_free = other.try_lock(range.clone(), kind).expect("an answer");
    assert_eq!(other.test(range.clone(), kind).expect("an answer").is_none(), is_free, "{range:?}");
    if is_free {
        other.unlock(range).expect("it is unlocked");
    }
    is_free
}

fn conflicts() {
    let (one, other) = (owner(), owner());
    one.lock(10..20, Exclusive).expect("a lock");
    for range in [10..20, 0..11, 19..30, 0..100, 15..16] {
        assert!(!is_free(&other, range.clone(), Exclusive), "{range:?}");
        assert!(!is_free(&other, range, Shared));
    }
    for range in [0..10, 20..30, 1 << 40..1 << 41] {
        assert!(is_free(&other, range, Exclusive));
    }
    // An owner does not conflict with itself.
    assert!(one.try_lock(.., Exclusive).expect("an answer"));
    assert!(!other.try_lock(1 << 60.., Shared).expect("an answer"));
    drop(one);
    assert!(other.try_lock(.., Exclusive).expect("an answer"));
}

fn parts() {
    let (one, other) = (owner(), owner());
    one.lock(0..100, Exclusive).expect("a lock");
    one.unlock(40..60).expect("it is unlocked");
    one.unlock(40..60).expect("once more is no error");
    one.unlock(200..300).expect("what was never locked is no error");
    assert!(is_free(&other, 40..60, Exclusive));
    for range in [39..40, 60..61, 0..1, 99..100] {
        assert!(!is_free(&other, range, Shared));
    }
    one.lock(30..70, Shared).expect("it covers all");
    assert!(is_free(&other, 30..70, Shared));
    assert!(!is_free(&other, 30..70, Exclusive));
    assert!(!is_free(&other, 29..31, Shared));
    one.unlock(..).expect("it is unlocked");
    assert!(is_free(&other, 0..100, Exclusive));
}

fn kinds() {
    let (one, other) = (owner(), owner());
    one.lock(0..10, Shared).expect("a lock");
    other.lock(0..10, Shared).expect("shared locks do not conflict");
    assert!(!one.try_lock(0..10, Exclusive).expect("an answer"));
    // The refused upgrade has changed nothing.
    assert!(!other.try_lock(5..6, Exclusive).expect("an answer"));
    other.unlock(..).expect("it is unlocked");
    assert!(one.try_lock(0..10, Exclusive).expect("an answer"));
    assert!(!other.try_lock(0..10, Shared).expect("an answer"));
    one.lock(0..5, Shared).expect("a downgrade");
    assert!(other.try_lock(0..5, Shared).expect("an answer"));
    assert!(!other.try_lock(5..10, Shared).expect("an answer"));
}

/// The last byte that can be locked.
const LAST: u64 = i64::MAX as u64;

fn ranges() {
    let handle = handle();
    let other = owner();
    // A length of 0 reaches to the end, which the file does not have yet.
    handle.lock(100, 0, WitKind::Exclusive).expect("a lock");
    assert!(!is_free(&other, LAST..LAST + 1, Shared));
    assert!(is_free(&other, 0..100, Exclusive));
    handle.unlock(0, 1 << 63).expect("all of it is unlocked");
    assert!(is_free(&other, LAST..LAST + 1, Exclusive));
    for (offset, length) in [(LAST, 1), (LAST, 0), (0, LAST), (1, LAST), (0, 1 << 63)] {
        handle.lock(offset, length, WitKind::Shared).expect("it is within all files");
        handle.unlock(offset, length).expect("it is unlocked");
    }
    let refused = |outcome: Result<(), WitError>| {
        let Err(WitError::OutOfRange(argument)) = outcome else { panic!("{outcome:?}") };
        argument.name
    };
    for (offset, length, name) in [
        (LAST + 1, 0, "offset"),
        (LAST + 1, 1, "offset"),
        (u64::MAX, u64::MAX, "offset"),
        (LAST, 2, "length"),
        (1, u64::MAX, "length"),
        (0, (1 << 63) + 1, "length"),
    ] {
        assert_eq!(refused(handle.lock(offset, length, WitKind::Shared)), name, "{offset} {length}");
        assert_eq!(refused(handle.try_lock(offset, length, WitKind::Shared).map(drop)), name);
        assert_eq!(refused(handle.unlock(offset, length)), name);
        assert_eq!(refused(handle.test(offset, length, WitKind::Shared).map(drop)), name);
    }
    assert!(is_free(&other, 0..1, Exclusive), "a refused call has locked nothing");
    assert!(matches!(other.lock(5..5, Shared), Err(Error::Invalid(_))));
    assert_eq!(fs::metadata("/scratch/f").expect("a file").len(), 0, "no lock makes a file longer");
}

fn tests() {
    let (one, two, other) = (owner(), owner(), owner());
    assert_eq!(other.test(.., Exclusive), Ok(None));
    one.lock(10..20, Exclusive).expect("a lock");
    two.lock(1000.., Shared).expect("a lock");
    let held = other.test(0..100, Shared).expect("an answer").expect("a conflict");
    assert_eq!((held.kind, held.range.offset(), held.range.length(), held.process), (Exclusive, 10, 10, None));
    assert_eq!(other.test(1000..1001, Shared), Ok(None));
    let held = other.test(5000..5001, Exclusive).expect("an answer").expect("a conflict");
    assert_eq!((held.kind, held.range.offset(), held.range.length()), (Shared, 1000, 0));
    assert_eq!(one.test(10..20, Exclusive), Ok(None), "its own lock is no conflict");
    assert!(other.try_lock(20..30, Exclusive).expect("an answer"), "a test locks nothing");
}

/// Locks on the whole file, which know nothing of those on ranges.
fn files() {
    let (one, other) = (owner(), owner());
    one.lock(.., Exclusive).expect("a lock");
    other.lock_file(Exclusive).expect("another kind of lock");
    assert!(!one.try_lock_file(Shared).expect("an answer"));
    other.lock_file(Shared).expect("a downgrade");
    assert!(one.try_lock_file(Shared).expect("an answer"));
    // A refused upgrade releases the lock.
    assert!(!other.try_lock_file(Exclusive).expect("an answer"));
    assert!(one.try_lock_file(Exclusive).expect("an answer"));
    one.unlock_file().expect("it is unlocked");
    one.unlock_file().expect("once more is no error");
    assert!(other.try_lock_file(Exclusive).expect("an answer"));
    drop(other);
    assert!(one.try_lock_file(Exclusive).expect("an answer"));
    assert!(!is_free(&owner(), 0..1, Shared), "the range is still locked");
}

fn rights() {
    let (reading, writing) = (open(true, false), open(false, true));
    let (reading, writing) = (FileLock::new(&reading).expect("an owner"), FileLock::new(&writing).expect("an owner"));
    assert!(matches!(reading.lock(.., Exclusive), Err(Error::NotPermitted(_))));
    assert!(matches!(reading.try_lock(.., Exclusive), Err(Error::NotPermitted(_))));
    assert!(matches!(reading.lock_file(Exclusive), Err(Error::NotPermitted(_))));
    assert!(matches!(reading.try_lock_file(Exclusive), Err(Error::NotPermitted(_))));
    assert!(matches!(writing.lock(.., Shared), Err(Error::NotPermitted(_))));
    assert!(matches!(writing.lock_file(Shared), Err(Error::NotPermitted(_))));
    writing.lock(0..10, Exclusive).expect("a lock");
    reading.lock(10..20, Shared).expect("a lock");
    assert!(reading.test(0..10, Exclusive).expect("an answer").is_some(), "a test needs no right");
    reading.unlock(..).expect("nor does unlocking");
    writing.unlock(..).expect("nor does unlocking");
}

/// In a directory that the plugin may only read.
fn read_only() {
    assert!(OpenOptions::new().read(true).write(true).open("/scratch/f").is_err());
    let reading = FileLock::new(&open(true, false)).expect("an owner");
    assert!(matches!(reading.try_lock(.., Exclusive), Err(Error::NotPermitted(_))));
    assert!(matches!(reading.try_lock_file(Exclusive), Err(Error::NotPermitted(_))));
    assert!(reading.try_lock(.., Shared).expect("an answer"));
}

fn descriptor() -> wasi_mmap::bindings::wasi::filesystem::types::Descriptor {
    let file = <PluginStorage as Backend>::open("/scratch/f".as_ref(), Rights::all()).expect("it opens");
    file.into_descriptor().expect("it is the plugin's")
}

fn handle() -> Handle {
    // The descriptor is dropped at once: the owner has its own.
    Handle::from_borrowed(&descriptor()).expect("an owner")
}

fn handles() {
    let (one, other) = (handle(), owner());
    one.lock(0, 0, WitKind::Exclusive).expect("a lock");
    // Opening and closing the file, with which a process loses the locks of POSIX, has no effect on these.
    drop(open(true, true));
    drop(descriptor());
    drop(owner());
    assert!(!is_free(&other, 0..1, Shared));
    fs::rename("/scratch/f", "/scratch/g").expect("another name");
    assert!(!is_free(&other, 0..1, Shared));
    fs::remove_file("/scratch/g").expect("no name");
    assert!(!is_free(&other, 0..1, Shared));
    fs::write("/scratch/f", "").expect("another file of this name");
    assert!(owner().try_lock(.., Exclusive).expect("an answer"));
    let directory = File::open("/scratch").expect("a directory");
    assert!(matches!(FileLock::new(&directory), Err(Error::Unsupported(_))));
}

/// Locks and mappings of one file do not know each other.
fn mapping() {
    let owner = owner();
    fs::write("/scratch/f", "text").expect("a file");
    let mut mapping =
        wasi_mmap::Mapping::options().access(wasi_mmap::Access::Write).open("/scratch/f").expect("it maps");
    owner.lock(.., Exclusive).expect("a lock");
    mapping.write(b"T").expect("locks are advisory");
    mapping.resize(10).expect("locks are advisory");
    owner.unlock(..).expect("it is unlocked");
    mapping.close().expect("it closes");
    assert_eq!(fs::read("/scratch/f").expect("a file"), b"Text\0\0\0\0\0\0");
}

fn unsupported() {
    assert!(matches!(FileLock::new(&open(true, true)), Err(Error::Unsupported(_))));
    assert!(matches!(Handle::from_borrowed(&descriptor()), Err(WitError::Unsupported(_))));
}

/// With limits of 4 owners and 10 ranges.
fn limits() {
    let mut owners: Vec<_> = (0..4).map(|_| owner()).collect();
    let refusal = |error: Error| error.to_string();
    let fifth = FileLock::new(&open(true, true)).expect_err("a fifth owner");
    assert_eq!(refusal(fifth), "limit exceeded: lock-owners is 4, and 5 would be needed");
    owners.pop();
    owners.push(owner());
    for range in 0..10 {
        owners[range % 4].lock(range as u64 * 10..range as u64 * 10 + 5, Exclusive).expect("a lock");
    }
    let eleventh = |owner: &FileLock| owner.lock(1000..1001, Exclusive).expect_err("an eleventh range");
    assert_eq!(refusal(eleventh(&owners[3])), "limit exceeded: locks is 10, and 11 would be needed");
    assert!(owners[3].try_lock(1000..1001, Exclusive).is_err());
    let split = owners[0].unlock(1..2).expect_err("two ranges from one");
    assert_eq!(refusal(split), "limit exceeded: locks is 10, and 11 would be needed");
    assert!(owners[1].test(1..2, Shared).expect("an answer").is_some(), "nothing was unlocked");
    owners[0].unlock(0..1).expect("as many as before");
    owners[0].lock(1..3, Exclusive).expect("as many as before");
    owners[0].lock(1..3, Shared).expect_err("one more than before");
    owners[0].unlock(..).expect("fewer");
    assert!(!owners[0].try_lock(.., Shared).expect("the limit allows it"), "others hold parts of it");
}

/// Waits until a file exists.
fn wait_for(name: &str) {
    let started = Instant::now();
    while !fs::exists(format!("/scratch/{name}")).expect("an answer") {
        assert!(started.elapsed() < Duration::from_secs(60), "nobody has made {name}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Holds locks until a file is made.
fn hold() {
    let owner = owner();
    owner.lock(100..200, Exclusive).expect("a lock");
    owner.lock(300.., Shared).expect("a lock");
    owner.lock_file(Exclusive).expect("a lock");
    fs::write("/scratch/held", "").expect("a file");
    wait_for("release");
}

/// Tries what others hold, and prints the outcome.
fn take() {
    let owner = owner();
    let held = owner.test(.., Exclusive).expect("an answer");
    let held = held.map(|held| (held.kind, held.range.offset(), held.range.length(), held.process));
    let ranges = [0..100, 100..200, 200..300].map(|range| owner.try_lock(range, Exclusive).expect("an answer"));
    let shared = owner.try_lock(100..200, Shared).expect("an answer");
    println!("{held:?} {ranges:?} {shared} {}", owner.try_lock_file(Exclusive).expect("an answer"));
}

/// Waits for a lock that somebody holds.
fn wait() {
    let owner = owner();
    fs::write("/scratch/waiting", "").expect("a file");
    owner.lock(100..200, Exclusive).expect("it is granted at last");
}

fn wait_file() {
    let owner = owner();
    fs::write("/scratch/waiting", "").expect("a file");
    owner.lock_file(Exclusive).expect("it is granted at last");
}

/// Adds 1 to a number in the file 500 times, under a lock.
fn count() {
    let (owner, path) = (owner(), "/scratch/f");
    for _ in 0..500 {
        owner.lock(.., Exclusive).expect("it is granted");
        let number: u64 = fs::read_to_string(path).expect("a number").parse().expect("a number");
        fs::write(path, (number + 1).to_string()).expect("it writes");
        owner.unlock(..).expect("it is unlocked");
    }
}

/// Locks, and ends with the locks.
fn leak() {
    let owners = [owner(), owner()];
    owners[0].lock(.., Exclusive).expect("a lock");
    owners[1].lock_file(Exclusive).expect("a lock");
    std::mem::forget(owners);
}
