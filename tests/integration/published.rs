//! A program and libraries of the registry that map files with memmap2: as plugins, they do what they do natively.
//! `cargo xtask published` builds them, and runs these tests one at a time.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use wasi_mmap_conformance::measured::Random;
use wasi_mmap_core::Access;
use wasi_mmap_host::{Limit, MapSource, fallback};
use wasmtime::component::Component;
use wasmtime_wasi::I32Exit;

use super::support::{Run, builder, engine};

/// The length of the large file.
const LARGE: usize = 64 << 20;

/// What a plugin's mappings are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The files' own pages.
    Windows,
    /// Copies, from a host that has no window left.
    Copies,
    /// Copies, from the fallback, which is composed into the plugin.
    Composed,
}

use Way::{Composed, Copies, Windows};

/// A program, natively and as a plugin.
struct Program {
    native: PathBuf,
    plain: Component,
    composed: Component,
}

/// What came of a run.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    printed: String,
    status: i32,
}

/// What the host saw of a run.
struct Seen {
    /// The access and the length of each mapping of a file.
    mappings: Vec<(Access, u64)>,
    /// How much more private memory this process has while the plugin's memory is still there, in bytes.
    private: u64,
}

impl Program {
    fn new(name: &str) -> Self {
        let folder = std::env::var_os("WASI_MMAP_PUBLISHED").expect("`cargo xtask published` runs these tests");
        let folder = Path::new(&folder);
        let plugin = fs::read(folder.join(format!("wasm32-wasip2/release/{name}.wasm"))).expect("the plugin");
        let composed = fallback::compose(&plugin).expect("a composed plugin");
        let compile = |plugin: &[u8]| Component::from_binary(engine(), plugin).expect("a component");
        Self { native: folder.join("release").join(name), plain: compile(&plugin), composed: compile(&composed) }
    }

    /// Runs the program natively, with a folder that it sees as `scratch`.
    fn run_native(&self, folder: &Path, arguments: &[&str]) -> Outcome {
        let current = tempfile::tempdir().expect("a folder");
        symlink(folder, current.path().join("scratch")).expect("a link");
        let output = Command::new(&self.native).args(arguments).current_dir(&current).output().expect("it runs");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        Outcome { printed, status: output.status.code().expect("a status") }
    }

    /// Does the same as a plugin.
    fn run(&self, way: Way, folder: &Path, arguments: &[&str]) -> (Outcome, Seen) {
        let mappings = Arc::new(Mutex::new(Vec::new()));
        let seen = mappings.clone();
        let mmap = if way == Windows { builder() } else { builder().limit(Limit::Windows, 0) };
        let mmap = mmap.audit(move |event| {
            if let (MapSource::File, Ok(len)) = (event.source, event.outcome) {
                seen.lock().expect("no panic").push((event.options.access, len));
            }
        });
        let before = private_memory();
        let mut run = Run::new(mmap.build(), folder, &[&["program"], arguments].concat()).expect("a store");
        let component = if way == Composed { &self.composed } else { &self.plain };
        let status = match run.call_compiled(component, way != Composed) {
            Ok((_, outcome)) => i32::from(outcome.is_err()),
            Err(error) => error.downcast_ref::<I32Exit>().unwrap_or_else(|| panic!("{way:?}: {error:?}")).0,
        };
        let private = private_memory().saturating_sub(before);
        let mappings = std::mem::take(&mut *mappings.lock().expect("no panic"));
        (Outcome { printed: run.printed(), status }, Seen { mappings, private })
    }
}

/// Returns the private memory of this process in bytes. Linux `proc_pid_status(5)`.
fn private_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("the status");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a line");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().expect("a number") * 1024
}

/// Searches of a folder, without what lies outside of it.
const SEARCHES: &[&[&str]] = &[
    &["Mapping::options"],
    &["--count", "--word-regexp", "unsafe"],
    &["--ignore-case", "--only-matching", "--byte-offset", r"\bsig(bus|segv)\b"],
    &["--multiline", "--type", "rust", r"\bloop \{\n\s+let \w+"],
    &["--files-with-matches", "--glob", "*.md", "fallback"],
    &["--context", "2", "--no-line-number", "posix_fadvise"],
    &["--invert-match", "--max-count", "3", "--type", "toml", "="],
];
const WITHIN: [&str; 7] = [
    "-j1",
    "--sort=path",
    "--no-config",
    "--no-require-git",
    "--no-ignore-parent",
    "--no-ignore-global",
    "--no-ignore-exclude",
];

#[test]
#[ignore = "`cargo xtask published` builds the program"]
fn ripgrep_searches_this_repository() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the repository");
    let program = Program::new("rg");
    for search in SEARCHES {
        for mmap in ["--mmap", "--no-mmap"] {
            let arguments = [&WITHIN[..], &[mmap], *search, &["scratch"]].concat();
            let native = program.run_native(repository, &arguments);
            assert_eq!(native.status, 0, "{arguments:?}: {}", native.printed);
            for way in [Windows, Composed] {
                let (outcome, seen) = program.run(way, repository, &arguments);
                assert_eq!(outcome, native, "{way:?} {arguments:?}");
                let has_mapped = !seen.mappings.is_empty();
                assert_eq!(has_mapped, mmap == "--mmap" && way == Windows, "{way:?} {arguments:?}");
            }
        }
    }
}

/// Lines of words of four letters.
fn text() -> String {
    let (mut random, mut text) = (Random::new(7), String::new());
    while text.len() < LARGE {
        for _ in 0..=random.below(15) {
            let letters = random.below(26 * 26 * 26 * 26);
            for power in [1, 26, 26 * 26, 26 * 26 * 26] {
                text.push(char::from(b'a' + u8::try_from(letters / power % 26).expect("a letter")));
            }
            text.push(' ');
        }
        text.push('\n');
    }
    text.truncate(LARGE);
    text
}

#[test]
#[ignore = "`cargo xtask published` builds the program"]
fn ripgrep_searches_a_large_file() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("large"), text()).expect("a file");
    let program = Program::new("rg");
    let searches: &[(i32, &[&str])] = &[
        (0, &["--line-number", "abcd"]),
        (0, &["--count", r"\b[a-f]{4} [u-z]{4}\b"]),
        (0, &["--only-matching", "--byte-offset", r"zz\w\w zz\w\w"]),
        (0, &["--count", "--invert-match", "e"]),
        (0, &["--count-matches", "--ignore-case", "Q[UV]"]),
        (1, &["no such words"]),
    ];
    for (status, search) in searches {
        for mmap in ["--mmap", "--no-mmap"] {
            let arguments = [&["-j1", "--no-config", mmap][..], *search, &["scratch/large"]].concat();
            let native = program.run_native(folder.path(), &arguments);
            assert_eq!(native.status, *status, "{arguments:?}");
            for way in [Windows, Copies, Composed] {
                let (outcome, seen) = program.run(way, folder.path(), &arguments);
                assert!(outcome == native, "{way:?} {arguments:?} prints something else");
                let has_mapped = seen.mappings.contains(&(Access::Read, LARGE as u64));
                assert_eq!(has_mapped, mmap == "--mmap" && way != Composed, "{way:?} {arguments:?}");
                assert!(way == Copies || seen.mappings.len() <= 1, "{way:?} {arguments:?}: {:?}", seen.mappings);
                // Copies stay in the plugin's memory, and pages of a file are nobody's.
                let has_copied = seen.private >= LARGE as u64;
                assert_eq!(has_copied, mmap == "--mmap" && way != Windows, "{way:?} {arguments:?}: {}", seen.private);
            }
        }
    }
}

/// Returns the contents of the files in a folder.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry"));
    entries.map(|entry| (entry.file_name().into(), fs::read(entry.path()).expect("a file"))).collect()
}

#[test]
#[ignore = "`cargo xtask published` builds the program"]
fn libraries_write_the_same_files() {
    let program = Program::new("published");
    for library in ["memvec", "mmap-sync"] {
        let arguments = [library, "scratch"];
        let expected = tempfile::tempdir().expect("a folder");
        let native = program.run_native(expected.path(), &arguments);
        assert_eq!(native.status, 0, "{library}: {}", native.printed);
        for way in [Windows, Copies, Composed] {
            let folder = tempfile::tempdir().expect("a folder");
            let (outcome, seen) = program.run(way, folder.path(), &arguments);
            assert_eq!(outcome, native, "{library} {way:?}");
            assert!(contents(folder.path()) == contents(expected.path()), "{library} {way:?} writes other files");
            let writes = seen.mappings.iter().any(|(access, _)| *access == Access::Write);
            assert_eq!(writes, way != Composed, "{library} {way:?}: {:?}", seen.mappings);
        }
    }
}
