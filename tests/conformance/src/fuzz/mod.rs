//! What a fuzzer runs: bytes go in, and nothing may panic, die, or differ from a model. A test replays the corpus.

mod windows;

use std::fs;
use std::path::PathBuf;

use wasi_mmap_native::Mapping;

use crate::model;

pub use windows::windows;

/// A directory for the files of one thread, which goes with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let name = format!("wasi-mmap-fuzz-{}-{:?}", std::process::id(), std::thread::current().id());
        // In memory, where there is such a place: flushing to a disk would take most of the time.
        let shared_memory = PathBuf::from("/dev/shm");
        let parent = if shared_memory.is_dir() { shared_memory } else { std::env::temp_dir() };
        let directory = parent.join(name);
        fs::create_dir_all(&directory).expect("a directory");
        Self(directory)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left would harm nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A directory for the files of this thread's inputs.
pub fn scratch() -> PathBuf {
    thread_local! {
        static SCRATCH: Scratch = Scratch::new();
    }
    SCRATCH.with(|scratch| scratch.0.clone())
}

/// Operations against the model, natively and on the fallback; the file is cut and made whole again between them.
///
/// # Panics
///
/// If they differ.
pub fn operations(bytes: &[u8]) {
    let scratch = scratch();
    model::play_bytes::<Mapping>(bytes, &scratch).unwrap_or_else(|wrong| panic!("native: {wrong}"));
    let played = model::play_bytes::<wasi_mmap::fallback::Mapping>(bytes, &scratch);
    played.unwrap_or_else(|wrong| panic!("fallback: {wrong}"));
}

/// Operations on a file that becomes shorter and longer between them, and stays so.
///
/// # Panics
///
/// If an operation fails otherwise than for its arguments or the file's length.
pub fn faults(bytes: &[u8]) {
    let scratch = scratch();
    model::play_with_faults::<Mapping>(bytes, &scratch).unwrap_or_else(|wrong| panic!("native: {wrong}"));
    let played = model::play_with_faults::<wasi_mmap::fallback::Mapping>(bytes, &scratch);
    played.unwrap_or_else(|wrong| panic!("fallback: {wrong}"));
}
