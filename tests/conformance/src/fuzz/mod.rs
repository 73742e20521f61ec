//! The fuzz targets: they take bytes, and must not panic, crash, or differ from a model. A test replays the corpus.

mod windows;

use std::fs;
use std::path::PathBuf;

use wasi_mmap_native::Mapping;

use crate::model;

pub use windows::windows;

/// A directory for the files of one thread, which is removed on drop.
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
        // Leftover files do no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns a directory for the files of this thread.
pub fn scratch() -> PathBuf {
    thread_local! {
        static SCRATCH: Scratch = Scratch::new();
    }
    SCRATCH.with(|scratch| scratch.0.clone())
}

/// Compares operations with the model, natively and on the fallback. Between them, the file is truncated and restored.
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

/// Performs operations on a file whose length changes between them.
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
