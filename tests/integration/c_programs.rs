//! Programs in C over `libwasi-mmap`, on the host's pages and on copies. `cargo xtask databases` builds them, and runs
//! these tests.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::thread;
use std::time::Duration;

use wasi_mmap::lock::{FileLock, LockKind};
use wasi_mmap_host::{Limit, MmapCtx, MmapCtxBuilder, WindowPolicy, fallback};
use wasmtime::component::Component;

use super::full_disk::Disk;
use super::support::{Run, builder, engine};

/// What mappings are, and what makes them so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The files' own pages.
    Windows,
    /// Copies: the embedder allows no windows.
    Never,
    /// Copies: the store has no window left.
    NoneLeft,
    /// Copies: the fallback is composed into the plugin.
    Composed,
}

impl Way {
    const ALL: [Self; 4] = [Self::Windows, Self::Never, Self::NoneLeft, Self::Composed];

    fn context(self) -> MmapCtxBuilder {
        match self {
            Self::Never => MmapCtx::builder().windows(WindowPolicy::Never),
            Self::NoneLeft => builder().limit(Limit::Windows, 0),
            Self::Windows | Self::Composed => builder(),
        }
    }

    /// Returns what the program is told that mappings are.
    fn word(self) -> &'static str {
        if self == Self::Windows { "pages" } else { "copies" }
    }
}

/// Compiles a program for a way.
fn compile(name: &str, way: Way) -> Component {
    let folder = std::env::var_os("WASI_MMAP_C").expect("`cargo xtask databases` runs these tests");
    let path = Path::new(&folder).join("programs").join(name).with_extension("wasm");
    let mut program = fs::read(path).expect("the program");
    if way == Way::Composed {
        program = fallback::compose(&program).expect("a composition");
    }
    Component::from_binary(engine(), &program).expect("a component")
}

/// Runs a program, all of whose checks must hold, and returns the store.
fn run(name: &str, way: Way, word: &str, directory: &Path, at_least: u32) -> Run {
    let shared = scratch();
    let further = [(shared.path(), "/dev/shm")];
    let arguments = [name, "/scratch", word];
    let context = way.context().build();
    let mut run = Run::with_directories(context, directory, &further, &arguments).expect("a store");
    let (printed, outcome) = run.call_compiled(&compile(name, way), way != Way::Composed).expect("no trap");
    let checks = printed.lines().last().and_then(|line| line.strip_suffix(" checks, 0 failures"));
    let checks = checks.and_then(|checks| checks.parse::<u32>().ok());
    assert!(checks.is_some_and(|checks| checks >= at_least), "{way:?}: {printed}");
    assert_eq!(outcome, Ok(()), "{way:?}: {printed}");
    run
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

#[test]
#[ignore = "`cargo xtask databases` builds the program"]
fn functions_of_mman() {
    for way in Way::ALL {
        let scratch = scratch();
        let run = run("map", way, way.word(), scratch.path(), 340);
        // One mapping was left to the end of the program. The store has no more than that.
        let left = fs::read(scratch.path().join("left")).expect("the file");
        assert!(left.starts_with(b"Ll") && left.len() == 4096, "{way:?}");
        let usage = run.store.data().mmap.usage();
        assert_eq!(usage.get(Limit::Windows), u64::from(way == Way::Windows), "{way:?}");
        assert_eq!(usage.get(Limit::Mappings), u64::from(way == Way::Windows), "{way:?}");
    }
}

#[test]
#[ignore = "`cargo xtask databases` builds the program"]
fn bad_input() {
    for way in Way::ALL {
        run("bad", way, way.word(), scratch().path(), 4600);
    }
}

#[test]
#[ignore = "`cargo xtask databases` builds the program"]
fn reads_and_writes() {
    for way in Way::ALL {
        run("io", way, way.word(), scratch().path(), 46);
    }
}

#[test]
#[ignore = "`cargo xtask databases` builds the program"]
fn a_full_disk() {
    for way in Way::ALL {
        let Some(disk) = Disk::new() else { return };
        run("full", way, way.word(), disk.path(), if way == Way::Windows { 8 } else { 11 });
    }
}

#[test]
#[ignore = "`cargo xtask databases` builds the program"]
fn locks() {
    run("locks", Way::Windows, "pages", scratch().path(), 110);
    // Without windows there are locks all the same.
    run("locks", Way::Never, "pages", scratch().path(), 110);
    run("locks", Way::Never, "locks-or-copies", scratch().path(), 10);
    run("locks", Way::NoneLeft, "locks-or-limited-copies", scratch().path(), 10);
    // Only programs that were compiled for it are told that they have locks where there are none.
    run("locks", Way::Composed, "copies", scratch().path(), 15);
    run("locks-pretended", Way::Composed, "copies", scratch().path(), 15);
    // Where there are locks, these programs have them, too.
    run("locks-pretended", Way::Windows, "pages", scratch().path(), 110);
}

/// The example of the README.
#[test]
#[ignore = "`cargo xtask databases` builds the program"]
fn the_example() {
    for way in Way::ALL {
        let scratch = scratch();
        let path = scratch.path().join("essay.txt");
        fs::write(&path, "my favourite colour\n").expect("a file");
        let context = way.context().build();
        let mut run = Run::new(context, scratch.path(), &["upper", "/scratch/essay.txt"]).expect("a store");
        let outcome = run.call_compiled(&compile("upper", way), way != Way::Composed).expect("no trap");
        assert_eq!(outcome, (String::new(), Ok(())), "{way:?}");
        assert_eq!(fs::read_to_string(&path).expect("the file"), "MY FAVOURITE COLOUR\n", "{way:?}");
    }
}

/// The program `beside`, while it runs.
struct Beside<'a> {
    directory: &'a Path,
    number: u32,
}

impl Beside<'_> {
    /// Gives a command.
    fn begin(&mut self, command: &str) {
        self.number += 1;
        let unfinished = self.directory.join("writing");
        fs::write(&unfinished, command).expect("a file");
        fs::rename(unfinished, self.directory.join(format!("command-{}", self.number))).expect("a command");
    }

    /// Returns the result of the last command, if it is there.
    fn result(&self) -> Option<i32> {
        let result = fs::read_to_string(self.directory.join(format!("result-{}", self.number))).ok()?;
        Some(result.parse().expect("a number"))
    }

    /// Returns the result of the last command as soon as it is there.
    fn end(&self) -> i32 {
        loop {
            match self.result() {
                Some(result) => return result,
                None => thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    fn call(&mut self, command: &str) -> i32 {
        self.begin(command);
        self.end()
    }
}

/// Runs `beside` in a thread of its own while `use_file` uses its file, which has `len` bytes.
fn beside(way: Way, len: u64, use_file: impl FnOnce(&mut Beside, &File)) {
    let scratch = scratch();
    let path = scratch.path().join("beside");
    File::create(&path).expect("a file").set_len(len).expect("a length");
    let file = OpenOptions::new().read(true).write(true).open(&path).expect("the file");
    thread::scope(|scope| {
        scope.spawn(|| run("beside", way, way.word(), scratch.path(), 4));
        let mut program = Beside { directory: scratch.path(), number: 0 };
        // The program ends even if an assertion fails.
        let outcome = catch_unwind(AssertUnwindSafe(|| use_file(&mut program, &file)));
        program.begin("end");
        outcome.unwrap_or_else(|panic| resume_unwind(panic));
    });
}

const PAGE: u64 = 4096;

#[test]
#[ignore = "`cargo xtask databases` builds the program"]
fn another_process_reads_and_writes_the_file() {
    beside(Way::Windows, PAGE, |program, file| {
        file.write_all_at(b"A", 10).expect("a write");
        assert_eq!(program.call("load 10"), i32::from(b'A'));
        program.call("store 11 66");
        let mut byte = [0];
        file.read_exact_at(&mut byte, 11).expect("a read");
        assert_eq!(byte, [66]);
        // It grows under the map, and becomes shorter.
        let far = format!("load {}", 20 * PAGE);
        assert_eq!(program.call(&far), 0);
        file.write_all_at(b"C", 20 * PAGE).expect("a write");
        assert_eq!(program.call("unlock 0 0"), 0);
        assert_eq!(program.call(&far), i32::from(b'C'));
        file.set_len(PAGE).expect("a length");
        assert_eq!(program.call(&far), 0);
        assert_eq!(program.call("load 10"), i32::from(b'A'));
    });
    beside(Way::Composed, 21 * PAGE, |program, file| {
        program.call("store 11 66");
        file.write_all_at(b"next", 12).expect("a write");
        assert_eq!(program.call("sync"), 0);
        let mut bytes = [0; 6];
        file.read_exact_at(&mut bytes, 11).expect("a read");
        assert_eq!(&bytes, b"Bnext\0");
        // It does not make the file longer again.
        file.set_len(12).expect("a length");
        program.call(&format!("store {} 67", 20 * PAGE));
        assert_eq!(program.call("sync"), 0);
        assert_eq!(file.metadata().expect("the metadata").len(), 12);
    });
}

#[test]
#[ignore = "`cargo xtask databases` builds the program"]
fn another_process_locks_the_file() {
    const EAGAIN: i32 = 6;
    const EXCLUSIVE: i32 = 1;
    const FREE: i32 = 2;
    beside(Way::Windows, 100, |program, file| {
        let other = FileLock::new(file).expect("an owner");
        assert_eq!(program.call("try 10 10"), 0);
        assert!(!other.try_lock(15..30, LockKind::Shared).expect("a try"));
        assert!(other.try_lock(20..30, LockKind::Exclusive).expect("a try"));
        assert_eq!(program.call("try 15 10"), EAGAIN);
        assert_eq!(program.call("test 25 1"), EXCLUSIVE);
        assert_eq!(program.call("test 30 1"), FREE);
        program.begin("wait 15 10");
        thread::sleep(Duration::from_millis(50));
        assert_eq!(program.result(), None);
        other.unlock(20..30).expect("an unlock");
        assert_eq!(program.end(), 0);
        assert!(!other.try_lock(24..25, LockKind::Shared).expect("a try"));
        assert_eq!(program.call("unlock 0 0"), 0);
        assert!(other.try_lock(.., LockKind::Exclusive).expect("a try"));
        // LOCK_EX | LOCK_NB, and LOCK_UN.
        assert_eq!(program.call("flock 6"), 0);
        assert!(!other.try_lock_file(LockKind::Shared).expect("a try"));
        assert_eq!(program.call("flock 8"), 0);
        assert!(other.try_lock_file(LockKind::Exclusive).expect("a try"));
        assert_eq!(program.call("flock 6"), EAGAIN);
    });
}
