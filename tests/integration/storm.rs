//! Another process truncates and extends a file, while threads and plugins operate on it.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::child::Running;
use super::neighbours::Neighbours;
use super::support::{Run, any_windows, engine, is_long, plugin};
use wasi_mmap::Mapping;
use wasi_mmap_conformance::storm::{self, Random, Tally};
use wasi_mmap_core::{Access, Error};
use wasi_mmap_native::OsStorage;
use wasmtime::component::Component;

/// Uses one mapping in several threads, so that two fault on one page, and one reads what the other's fault has left.
fn share(mapping: &RwLock<Mapping>, seed: u64, done: &AtomicBool) -> Result<Tally, String> {
    let (mut random, mut tally) = (Random(seed), Tally::default());
    while !done.load(Relaxed) || tally.right == 0 {
        let outcome = storm::look(&*mapping.read().expect("a lock"), &mut random);
        if !storm::count(outcome, &mut tally)? {
            storm::refresh(&mut *mapping.write().expect("a lock"), &mut tally)?;
        }
    }
    Ok(tally)
}

/// A plugin operates, with real mappings and windows or with the fallback.
fn in_plugin(component: &Component, with_host: bool, access: &str, scratch: &Path) -> Result<Tally, String> {
    let arguments = ["faults", "storm", "/scratch/file", access, "5", "/scratch/stop"];
    let mut run = Run::new(any_windows(), scratch, &arguments).expect("a store");
    let (printed, outcome) = run.call_compiled(component, with_host).map_err(|error| format!("{error:?}"))?;
    outcome.map_err(|()| printed.clone())?;
    serde_json::from_str(&printed).map_err(|_| printed)
}

/// Returns the number of descriptors that this process has of a file.
fn descriptors(file: &Path) -> usize {
    let links =
        fs::read_dir("/proc/self/fd").expect("Linux").filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links.filter(|link| link == file).count()
}

#[test]
fn a_file_that_shrinks_and_grows_crashes_nobody() {
    // In memory, where there is such a place: disk file systems keep pages in larger pieces, and clear the rest of a
    // piece while they cut it, which whoever reads at that moment may see.
    let shared_memory = Path::new("/dev/shm");
    let scratch = if shared_memory.is_dir() { tempfile::tempdir_in(shared_memory) } else { tempfile::tempdir() };
    let scratch = scratch.expect("a directory");
    let directory = scratch.path().canonicalize().expect("a directory");
    let (file, stop) = (directory.join("file"), directory.join("stop"));
    fs::write(&file, storm::content()).expect("a file");
    let count = if is_long() { 10_000 } else { 500 };

    let faults = plugin("faults", "wasm32-wasip2");
    let composed = wasi_mmap_host::fallback::compose(&faults).expect("a composition");
    let [plain, composed] = [faults, composed].map(|one| Component::from_binary(engine(), &one).expect("a component"));
    let shared = Mapping::options().open(&file).expect("a mapping");
    let (shared, done) = (RwLock::new(shared), AtomicBool::new(false));
    let (done, file, directory, shared) = (&done, &file, &directory, &shared);
    let (plain, composed) = (&plain, &composed);

    let neighbours = Neighbours::new();
    let tallies = std::thread::scope(|scope| {
        let native = |access, seed| move || storm::storm::<OsStorage>(file, access, seed, || done.load(Relaxed));
        let threads = [
            ("native, to read", scope.spawn(native(Access::Read, 1))),
            ("native, to write", scope.spawn(native(Access::Write, 2))),
            ("native, a copy", scope.spawn(native(Access::Copy, 3))),
            ("one mapping, first thread", scope.spawn(move || share(shared, 4, done))),
            ("one mapping, second thread", scope.spawn(move || share(shared, 5, done))),
            ("plugin, to read", scope.spawn(move || in_plugin(plain, true, "read", directory))),
            ("plugin, to write", scope.spawn(move || in_plugin(plain, true, "write", directory))),
            ("plugin, a copy", scope.spawn(move || in_plugin(plain, true, "copy", directory))),
            ("plugin with the fallback", scope.spawn(move || in_plugin(composed, false, "read", directory))),
        ];
        // The file does not change before all have begun, or some have failed.
        while descriptors(file) < threads.len() - 1 && !threads.iter().any(|(_, thread)| thread.is_finished()) {
            std::thread::yield_now();
        }
        let arguments = [file.to_str().expect("UTF-8"), &count.to_string(), "11"];
        let mut child = Running::start("shrink", &arguments, Stdio::null());
        let status = child.0.wait().expect("a process");
        done.store(true, Relaxed);
        fs::write(&stop, "").expect("a file");
        let tallies = threads.map(|(name, thread)| (name, thread.join().expect("a thread")));
        assert!(status.success(), "the process that changes the file: {status}");
        tallies
    });
    println!("{} pieces of memory of the neighbours", neighbours.dismiss());
    let mut total = Tally::default();
    for (name, tally) in tallies {
        let tally = tally.unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
        println!("{name}: {tally:?}");
        assert!(tally.right > 0, "{name} has done nothing");
        total += tally;
    }
    println!("{count} times shorter and longer: {total:?}");
    assert!(total.truncated > 0, "no operation met the truncation");
    assert!(total.refreshed > 0, "no mapping was refreshed");
    assert!(fs::read(file).expect("a file") == storm::content(), "the file is whole in the end");
    let mut shared = shared.write().expect("a lock");
    shared.refresh().expect("the file is whole");
    assert!(shared.read_range(..storm::LEN as u64).expect("it is") == storm::content());
}

/// The engine copies the result of a host function after it has returned. The file is truncated at that moment: the
/// plugin's memory grows for the bytes, and a limiter that is told of it truncates the file.
#[test]
fn bytes_lost_during_the_engines_copy_are_an_error() {
    const LEN: usize = 64 << 20;
    let scratch = tempfile::tempdir().expect("a directory");
    let file = scratch.path().join("file");
    let probe = Component::from_binary(engine(), &plugin("probe", "wasm32-wasip2")).expect("a component");
    for cut in [None, Some(0), Some(LEN / 2), Some(LEN - 4096)] {
        fs::write(&file, vec![1; LEN]).expect("a file");
        let arguments = ["probe", "read", &LEN.to_string(), "/scratch/file"];
        let mut run = Run::new(any_windows(), scratch.path(), &arguments).expect("a store");
        let path = file.clone();
        let mut cuts = 0;
        run.store.data_mut().before_growth = Some(Box::new(move |bytes| {
            if bytes >= LEN / 2 && cuts == 0 {
                cuts += 1;
                if let Some(len) = cut {
                    let file = fs::OpenOptions::new().write(true).open(&path).expect("a file");
                    file.set_len(len as u64).expect("it becomes shorter");
                }
            }
        }));
        let (printed, outcome) = run.call_compiled(&probe, true).expect("the host survives");
        match cut {
            None => assert_eq!((printed, outcome), (format!("{LEN} bytes, {LEN} of them not 0\n"), Ok(()))),
            Some(_) => assert_eq!((printed.split(':').next(), outcome), (Some("truncated"), Err(()))),
        }
    }
}

/// A refused resize changes nothing, even if pages were lost before.
#[test]
fn a_resize_of_lost_pages_leaves_the_file_as_it_is() {
    let scratch = tempfile::tempdir().expect("a directory");
    let path = scratch.path().join("file");
    fs::write(&path, vec![1; 8 * 4096]).expect("a file");
    let mut mapping = Mapping::options().access(Access::Write).open(&path).expect("a mapping");
    let file = fs::OpenOptions::new().write(true).open(&path).expect("a file");
    file.set_len(4 * 4096).expect("it becomes shorter");
    assert_eq!(mapping.get(5 * 4096), Err(Error::Truncated));
    for len in [4096, 2 * 4096, 16 * 4096] {
        assert_eq!(mapping.resize(len), Err(Error::Truncated));
        assert_eq!(file.metadata().expect("a file").len(), 4 * 4096);
    }
    file.set_len(8 * 4096).expect("it becomes longer");
    mapping.refresh().expect("it is whole");
    mapping.resize(4096).expect("nothing is lost");
    assert_eq!(mapping.get(0), Ok(1));
}
