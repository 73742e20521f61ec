//! A disk that becomes full under a mapping.

use std::path::Path;
use std::process::Command;

use super::support::{Run, any_windows, plugin};
use wasi_mmap_native::Native;
use wasi_mmap_tests::full_disk::{Through, fill_the_disk, keep_what_cannot_be_written};

/// A disk of 1 MiB in memory, until it is dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    /// `None` where this user may not mount one.
    fn new() -> Option<Self> {
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

    fn path(&self) -> &Path {
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
        let pages = fill_the_disk::<Native>(disk.path(), through);
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
    keep_what_cannot_be_written::<wasi_mmap::fallback::Cached<wasi_mmap::fallback::StdFile>>(disk.path());
}
