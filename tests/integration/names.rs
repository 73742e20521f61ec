//! Named memory that another user has made.

use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use super::child;
use rustix::fs::{FlockOperation, flock};
use wasi_mmap::Mapping;
use wasi_mmap_core::Error;

/// Returns the path of the memory of a name.
fn object(name: &str) -> String {
    let hex: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("/dev/shm/wasi-mmap-{}-{hex}", rustix::process::geteuid().as_raw())
}

fn name(of: &str) -> String {
    format!("test {} {of}", std::process::id())
}

/// The path of an object that is removed on drop, whoever made it.
struct Object(String);

impl Drop for Object {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = fs::remove_file(&self.0);
    }
}

/// Maps the memory of a name in a thread of its own. Returns `None` if this does not end.
fn map(name: &str) -> Option<Result<(), Error>> {
    let (sender, receiver) = mpsc::channel();
    let name = name.to_owned();
    std::thread::spawn(move || {
        let options = Mapping::options().length(4096);
        // Nobody listens any more after a while.
        let _ = sender.send(options.named(&name).map(|_| ()));
    });
    receiver.recv_timeout(Duration::from_secs(20)).ok()
}

#[track_caller]
fn is_refused(name: &str, object: &str) {
    let error = map(name).expect("it does not wait").expect_err("the object is not ours alone");
    assert_eq!(error.name(), "not-permitted", "{error}");
    let text = error.to_string();
    assert!(text.contains(object) && text.contains("remove"), "{text}");
}

/// Another user makes the object first, writes to it, and holds its lock, or does not.
#[test]
fn named_memory_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can become another user");
        return;
    }
    for lock in ["none", "shared", "exclusive"] {
        let name = name(lock);
        let object = Object(object(&name));
        let mut other = child::command("squat", &[&object.0, lock]);
        let mut other =
            other.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map(child::Running).expect("a process");
        let mut said = String::new();
        let stdout = other.0.stdout.as_mut().expect("it was piped");
        while !said.contains("ready") {
            let mut byte = [0];
            assert_eq!(stdout.read(&mut byte).expect("it reads"), 1, "the other process has ended: {said}");
            said.push(char::from(byte[0]));
        }
        assert_ne!(fs::metadata(&object.0).expect("it is there").uid(), 0);
        is_refused(&name, &object.0);
        assert_eq!(fs::read(&object.0).expect("it is there"), b"of another user", "it was not touched");
        drop(other);
        drop(object);
        map(&name).expect("it does not wait").expect("nobody has the name");
    }
}

/// The other user, in a process.
pub fn squat(object: &str, lock: &str) {
    // SAFETY: no precondition; this process does nothing else.
    assert_eq!(unsafe { libc::setuid(65534) }, 0);
    // SAFETY: as above.
    unsafe { libc::umask(0) };
    let mut file = File::create_new(object).expect("nobody was first");
    file.set_permissions(Permissions::from_mode(0o666)).expect("it is ours");
    file.write_all(b"of another user").expect("it is written");
    match lock {
        "shared" => flock(&file, FlockOperation::LockShared).expect("nobody has it"),
        "exclusive" => flock(&file, FlockOperation::LockExclusive).expect("nobody has it"),
        _ => {}
    }
    println!("ready");
    // Until the test lets go, or kills this process.
    let _ = std::io::stdin().read(&mut [0]);
}

#[test]
fn named_memory_that_others_can_access_is_refused() {
    for mode in [0o666, 0o640, 0o602] {
        let name = name(&format!("mode {mode:o}"));
        let object = Object(object(&name));
        fs::write(&object.0, b"left").expect("a file");
        fs::set_permissions(&object.0, Permissions::from_mode(mode)).expect("it is ours");
        is_refused(&name, &object.0);
        assert_eq!(fs::read(&object.0).expect("it is there"), b"left", "it was not touched");
        fs::set_permissions(&object.0, Permissions::from_mode(0o600)).expect("it is ours");
        map(&name).expect("it does not wait").expect("what a crash has left is ours");
    }
}

#[test]
fn objects_that_are_not_memory_are_refused() {
    let name = name("a pipe");
    let object = Object(object(&name));
    let path = std::ffi::CString::new(object.0.as_str()).expect("a path");
    // SAFETY: the path ends with a zero.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
    is_refused(&name, &object.0);
}
