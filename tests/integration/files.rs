//! Files that are large, and files that another process writes.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::support::{Run, any_windows, plugin, run_component};
use wasi_mmap::{Access, Mapping};
use wasi_mmap_conformance::large;
use wasi_mmap_host::fallback::compose;

fn component(is_composed: bool) -> Vec<u8> {
    let files = plugin("files", "wasm32-wasip2");
    if is_composed { compose(&files).expect("a composition") } else { files }
}

/// Makes a sparse file of 6 GiB, calls `work` on it, and checks it with ordinary reads.
fn check_large(work: impl FnOnce(&Path)) {
    let scratch = tempfile::tempdir().expect("a directory");
    let path = scratch.path().join("large");
    File::create(&path).and_then(|file| file.set_len(large::LEN)).expect("a sparse file");
    work(&path);
    let file = File::open(&path).expect("the file");
    assert_eq!(file.metadata().expect("its length").len(), large::LEN_AFTER);
    let mut mark = vec![0; large::MARK.len()];
    file.read_exact_at(&mut mark, large::LINES[0] - 4).expect("a read");
    assert_eq!(mark, large::MARK);
    // The second one was cut off with the file.
    file.read_exact_at(&mut mark[..7], large::LINES[1] - 4).expect("a read");
    assert_eq!(mark[..7], large::MARK[..7]);
}

#[test]
fn six_gibibytes_natively() {
    check_large(|path| large::check::<wasi_mmap_native::OsStorage>(path).expect("it can be done"));
}

#[test]
fn six_gibibytes_on_the_host() {
    check_large(|path| {
        let folder = path.parent().expect("a folder");
        run_component(&component(false), true, folder, &["files", "large", "/scratch/large"]).expect("it runs");
    });
}

#[test]
fn six_gibibytes_on_the_fallback() {
    check_large(|path| {
        let folder = path.parent().expect("a folder");
        run_component(&component(true), false, folder, &["files", "large", "/scratch/large"]).expect("it runs");
    });
}

/// Runs `files borrowed` on a file of 10 bytes, and returns what it printed and whether it succeeded.
fn borrowed(is_composed: bool) -> (String, bool) {
    let scratch = tempfile::tempdir().expect("a directory");
    std::fs::write(scratch.path().join("file"), "0123456789").expect("a file");
    let mut run = Run::new(any_windows(), scratch.path(), &["files", "borrowed"]).expect("a store");
    let (printed, outcome) = run.call(&component(is_composed), !is_composed).expect("a run");
    (printed, outcome.is_ok())
}

#[test]
fn a_borrowed_descriptor_is_mapped_and_remains_the_plugins() {
    assert_eq!(borrowed(false), (String::new(), true));
}

#[test]
fn the_fallback_keeps_no_borrowed_descriptor() {
    let refused = "unsupported: not supported: a borrowed descriptor, which the fallback cannot keep\n";
    assert_eq!(borrowed(true), (refused.to_owned(), false));
}

/// Runs a check of the program `files` on the host, and on the fallback.
fn check_on_both(check: &str) {
    for is_composed in [false, true] {
        let scratch = tempfile::tempdir().expect("a directory");
        let mut run = Run::new(any_windows(), scratch.path(), &["files", check]).expect("a store");
        let (printed, outcome) = run.call(&component(is_composed), !is_composed).expect("a run");
        assert_eq!((printed.as_str(), outcome), ("", Ok(())), "composed: {is_composed}");
    }
}

#[test]
fn files_of_the_c_library_are_mapped() {
    check_on_both("held");
}

/// Other C libraries may call WASI by other symbols. Then no open file is mapped, rather than another one.
#[test]
fn files_of_an_unknown_c_library_are_refused() {
    let closes = plugin("strange_close", "wasm32-wasip2");
    let stats = plugin("strange_stat", "wasm32-wasip2");
    let reasons = [
        (closes, "this C library closes files by other symbols than those known to wasi-mmap-sys\n"),
        (stats, "no file of wasi:filesystem is behind this descriptor\n"),
    ];
    for (plain, reason) in reasons {
        let composed = compose(&plain).expect("a composition");
        for (component, with_host) in [(plain, true), (composed, false)] {
            let scratch = tempfile::tempdir().expect("a directory");
            assert_eq!(run_component(&component, with_host, scratch.path(), &["strange"]).expect("a run"), reason);
        }
    }
}

#[test]
fn a_plugins_own_reads_and_writes_agree_with_its_mappings() {
    check_on_both("coherent");
}

/// Writes the first byte of a file from another process.
fn write_elsewhere(path: &Path, byte: &str) {
    let mut dd = Command::new("dd");
    dd.args(["bs=1", "count=1", "conv=notrunc", "status=none"]).arg(format!("of={}", path.display()));
    dd.stdin(std::process::Stdio::piped());
    let mut child = dd.spawn().expect("dd is everywhere");
    std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), byte.as_bytes()).expect("it reads");
    assert!(child.wait().expect("it ends").success());
}

/// Returns the values that a plugin reads of a byte: before another process writes it, afterwards, and after a refresh.
fn watch(is_composed: bool) -> String {
    let scratch = tempfile::tempdir().expect("a directory");
    let (path, done) = (scratch.path().join("file"), scratch.path().join("done"));
    std::fs::write(&path, "a").expect("a file");
    let mut run = Run::new(any_windows(), scratch.path(), &["files", "watch", "/scratch/file", "/scratch/done"])
        .expect("a store");
    let (printed, outcome) = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.with_extension("seen").exists() {
                std::thread::sleep(Duration::from_millis(2));
            }
            write_elsewhere(&path, "b");
            std::fs::write(&done, []).expect("a file");
        });
        run.call(&component(is_composed), !is_composed).expect("it runs")
    });
    assert_eq!(outcome, Ok(()), "{printed}");
    printed.trim().to_owned()
}

#[test]
fn writes_of_another_process_are_seen_at_once_natively() {
    let scratch = tempfile::tempdir().expect("a directory");
    let path = scratch.path().join("file");
    std::fs::write(&path, "a").expect("a file");
    let mapping = Mapping::open(&path).expect("a mapping");
    assert_eq!(mapping.get(0), Ok(b'a'));
    write_elsewhere(&path, "b");
    assert_eq!(mapping.get(0), Ok(b'b'));
    // A private copy sees it as well, until its page is written.
    let mut copy = Mapping::options().access(Access::Copy).open(&path).expect("a mapping");
    assert_eq!(copy.get(0), Ok(b'b'));
    write_elsewhere(&path, "c");
    assert_eq!(copy.get(0), Ok(b'c'));
    copy.set(0, b'!').expect("a private write");
    write_elsewhere(&path, "d");
    assert_eq!((copy.get(0), mapping.get(0)), (Ok(b'!'), Ok(b'd')));
}

#[test]
fn writes_of_another_process_are_seen_at_once_on_the_host() {
    assert_eq!(watch(false), "abb");
}

/// The difference that `docs/differences.md` names.
#[test]
fn writes_of_another_process_are_seen_after_a_refresh_on_the_fallback() {
    assert_eq!(watch(true), "aab");
}
