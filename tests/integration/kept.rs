//! Windows that cannot be taken out of a plugin's memory when the plugin drops their handles.

use std::path::Path;
use std::sync::Arc;

use super::failures::{Tally, alone, fail_each};
use super::support::{Run, any_windows, plugin, prepare};
use wasi_mmap_host::Limit;

/// Returns the number of descriptors of this process for a file.
fn descriptors(file: &Path) -> usize {
    let links = std::fs::read_dir("/proc/self/fd").expect("Linux");
    links.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok()).filter(|link| link == file).count()
}

#[test]
fn a_window_that_stays_counts_and_keeps_its_file_open() {
    let _alone = alone();
    let scratch = tempfile::tempdir().expect("a directory");
    let file = scratch.path().canonicalize().expect("a directory").join("f");
    let command = prepare(&plugin("window", "wasm32-wasip2"), true).expect("it links");
    let (mut tally, mut kept) = (Tally::default(), 0);
    fail_each(&mut tally, "a plugin that drops a window", |begin, end| {
        let ctx = any_windows();
        let usage = Arc::clone(ctx.usage());
        let mut run = Run::new(ctx, scratch.path(), &["window", "drop-under-failures"]).expect("a store");
        begin();
        let ended = run.call_prepared(&command);
        end();
        let used = [Limit::Windows, Limit::WindowBytes, Limit::Mappings].map(|limit| usage.get(limit));
        if let Ok((printed, outcome)) = ended {
            assert_eq!(outcome, Ok(()), "{printed}");
            let is_kept = printed.contains("kept");
            kept += usize::from(is_kept);
            assert_eq!(used, if is_kept { [1, 4 * 4096, 1] } else { [0; 3] }, "{printed}");
            assert_eq!(descriptors(&file), usize::from(is_kept), "{printed}");
        }
        drop(run);
        let left = Limit::ALL.map(|limit| usage.get(limit));
        assert_eq!((left, descriptors(&file)), ([0; Limit::ALL.len()], 0), "everything is given back");
    });
    tally.print();
    assert!(kept > 0, "a window stayed");
}
