//! A disk that becomes full under a mapping.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use super::child;
use super::support::{Run, any_windows, plugin};
use wasi_mmap_conformance::full_disk::{Through, fill_the_disk, keep_what_cannot_be_written};
use wasi_mmap_core::{Access, Error};
use wasi_mmap_native::OsStorage;

/// A disk of 1 MiB in memory, until it is dropped.
pub struct Disk(tempfile::TempDir);

impl Disk {
    /// Mounts one. Returns `None` if this user may not.
    pub fn new() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "wasi-mmap-test"]).arg(directory.path());
        match mount.output() {
            Ok(output) if output.status.success() => Some(Self(directory)),
            refused => {
                println!("skipped: a small disk cannot be mounted here: {refused:?}");
                None
            }
        }
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "the disk stays mounted");
    }
}

#[test]
fn native() {
    let Some(disk) = Disk::new() else { return };
    for through in Through::ALL {
        let pages = fill_the_disk::<OsStorage>(disk.path(), through);
        println!("native, {through:?}: {pages} pages until the disk was full");
    }
}

fn in_plugin(component: &[u8], with_host: bool) {
    let Some(disk) = Disk::new() else { return };
    for through in Through::ALL {
        let name = serde_json::to_string(&through).expect("a name");
        let arguments = ["faults", "full-disk", "/scratch", name.trim_matches('"')];
        let mut run = Run::new(any_windows(), disk.path(), &arguments).expect("a store");
        let (printed, outcome) = run.call(component, with_host).expect("the plugin runs to its end");
        println!("host {with_host}, {through:?}: {} pages until the disk was full", printed.trim());
        assert_eq!(outcome, Ok(()));
    }
}

#[test]
fn host() {
    in_plugin(&plugin("faults", "wasm32-wasip2"), true);
}

#[test]
fn fallback() {
    let composed = wasi_mmap_host::fallback::compose(&plugin("faults", "wasm32-wasip2")).expect("a composition");
    in_plugin(&composed, false);
    let Some(disk) = Disk::new() else { return };
    let mut run = Run::new(any_windows(), disk.path(), &["faults", "keep", "/scratch"]).expect("a store");
    assert_eq!(run.call(&composed, false).expect("the plugin runs to its end").1, Ok(()));
}

#[test]
fn fallback_library() {
    let Some(disk) = Disk::new() else { return };
    keep_what_cannot_be_written::<wasi_mmap::fallback::CachedStorage<wasi_mmap::fallback::StdFile>>(disk.path());
}

/// A plugin with a thousand mappings meets a full disk repeatedly in each of them. It may take a few thousand memory
/// areas of this process, but not all 65,530.
#[test]
fn pages_without_space_do_not_exhaust_the_hosts_memory_areas() {
    let output = child::command("lose-pages", &[]).output().expect("a process");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
}

/// The test above, alone in a process.
pub fn lose_pages() {
    let Some(disk) = Disk::new() else { return };
    File::create(disk.path().join("sparse")).expect("a file").set_len(1 << 20).expect("a sparse file takes no room");
    let mut filler = File::create(disk.path().join("filler")).expect("a file");
    while filler.write(&[b'x'; 4096]).is_ok_and(|count| count > 0) {}
    let areas = || fs::read_to_string("/proc/self/maps").expect("Linux").lines().count();
    let before = areas();
    let arguments = ["hostile", "lose-every-second-page"];
    let mut run = Run::new(any_windows(), disk.path(), &arguments).expect("a store");
    let ended = run.call(&plugin("hostile", "wasm32-wasip2"), true);
    let alive = areas() - before;
    drop(run);
    let after = areas() - before;
    let (printed, outcome) = ended.expect("the plugin runs to its end");
    println!("{} calls were told that there is no space; it took {alive} areas, and left {after}", printed.trim());
    assert!(printed.trim().parse::<u32>().is_ok_and(|refused| refused >= 1000), "{printed}");
    assert_eq!(outcome, Ok(()));
    assert!(alive < 5000, "{alive} areas");
    assert!(after < 50, "{after} areas stay");
    // What was given back can be taken again.
    let mut mapping =
        wasi_mmap::Mapping::options().access(Access::Write).open(disk.path().join("sparse")).expect("a mapping");
    assert_eq!(mapping.write_all_at(b"x", 4096), Err(Error::NoSpace));
    assert_eq!(mapping.write_all_at(b"x", 4 * 4096), Err(Error::NoSpace));
    drop(filler);
    fs::remove_file(disk.path().join("filler")).expect("it goes");
    assert_eq!(wasi_mmap_native::Lend::check(&mapping, 0..4096), Ok(()), "the page before is not lost");
    assert_eq!(wasi_mmap_native::Lend::check(&mapping, 5 * 4096..1 << 20), Ok(()), "what follows is not lost");
    mapping.refresh().expect("the file is as long as it was");
    mapping.write_all_at(b"x", 4096).expect("there is room");
}
