//! Windows past the end of a file that grows.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use wasi_mmap::bindings::wasi_mmap::mmap::mapping::Mapping;
use wasi_mmap::bindings::wasi_mmap::mmap::types::{Error, FlushFlags, WindowMode};
use wasi_mmap::bindings::wasi_mmap::mmap::window::Window;
use wasi_mmap::lock::{FileLock, LockKind};
use wasi_mmap::{Access, MapFlags, Mapping as Object, PluginStorage, Views};
use wasi_mmap_core::{Backend, MapOptions};

use crate::{Check, PAGE, Pages, end, make_file, peek, poke};

pub(crate) const CHECKS: &[Check] = &[
    ("growth", growth),
    ("growth-after-calls", growth_after_calls),
    ("growth-unasked", growth_unasked),
    ("growth-stores", growth_stores),
    ("growth-shrinks", growth_shrinks),
    ("growth-modes", growth_modes),
    ("growth-of-copies", growth_of_copies),
    ("growth-of-views", growth_of_views),
    ("growth-again-and-again", growth_again_and_again),
    ("growth-of-a-log", growth_of_a_log),
    ("growth-not-stable", growth_not_stable),
];

const PAGE64: u64 = PAGE as u64;

/// Maps `pages` pages of a file, which may end before them.
fn map(path: &str, access: Access, pages: u64) -> Mapping {
    let options = MapOptions::new().access(access).length(pages * PAGE64).flags(MapFlags::BEYOND_END);
    let file = <PluginStorage as Backend>::open(Path::new(path), options.rights()).expect("the file opens");
    Mapping::from_borrowed(file.descriptor(), options.into()).expect("the file is mapped")
}

fn attach(mapping: &Mapping, pages: &[u8], mode: WindowMode) -> Window {
    Window::attach(mapping, &pages[..1], end(pages), 0, pages.len() as u64, mode).expect("it reaches past the end")
}

fn open(path: &str) -> File {
    OpenOptions::new().read(true).write(true).open(path).expect("a file")
}

/// Appends a page of one byte.
fn append(path: &str, byte: u8) {
    OpenOptions::new().append(true).open(path).expect("a file").write_all(&[byte; PAGE]).expect("it grows");
}

fn growth() {
    let path = make_file("f", 1);
    let mapping = map(&path, Access::Read, 4);
    let pages = Pages::<5>::new().bytes();
    pages.fill(9);
    let window = attach(&mapping, &pages[..4 * PAGE], WindowMode::Read);
    assert_eq!([0, PAGE, 4 * PAGE - 1, 4 * PAGE].map(|at| peek(pages, at)), [b'a', 0, 0, 9]);
    window.check().expect("nothing was lost");
    append(&path, b'b');
    window.check().expect("nothing was lost");
    assert_eq!([0, PAGE, 2 * PAGE - 1, 2 * PAGE].map(|at| peek(pages, at)), [b'a', b'b', b'b', 0]);
    // In the middle of a page, and longer than the window.
    open(&path).set_len(2 * PAGE64 + 5).expect("it grows");
    window.check().expect("nothing was lost");
    assert_eq!([PAGE, 2 * PAGE, 3 * PAGE].map(|at| peek(pages, at)), [b'b', 0, 0]);
    open(&path).set_len(3 * PAGE64).expect("it grows");
    append(&path, b'd');
    append(&path, b'e');
    window.check().expect("nothing was lost");
    assert_eq!([PAGE, 2 * PAGE, 3 * PAGE, 4 * PAGE].map(|at| peek(pages, at)), [b'b', 0, b'd', 9]);
    assert!(matches!(mapping.resize(PAGE64), Err(Error::ReadOnly | Error::Busy)));
    window.detach().expect("it detaches");
    assert_eq!([0, 3 * PAGE, 4 * PAGE].map(|at| peek(pages, at)), [0, 0, 9]);
    mapping.close().expect("it is not busy");
}

/// Every call that has a handle shows the growth, that of another file as well.
fn growth_after_calls() {
    let (path, other) = (make_file("f", 1), make_file("other", 1));
    let (mapping, other) = (map(&path, Access::Read, 1000), map(&other, Access::Read, 2));
    let owner = FileLock::new(&open(&path)).expect("an owner");
    let memory = Pages::<1000>::new().bytes();
    let window = attach(&mapping, memory, WindowMode::Read);
    let pages = Pages::<2>::new().bytes();
    let second = attach(&other, pages, WindowMode::Read);
    let calls: &[&dyn Fn()] = &[
        &|| drop(mapping.size()),
        &|| drop(mapping.length()),
        &|| drop(other.length()),
        &|| drop(mapping.tell()),
        &|| drop(mapping.read_at(0, 1)),
        &|| drop(mapping.find(b"x", Some(0), Some(10))),
        &|| drop(mapping.flush(0, None, FlushFlags::SYNCHRONOUS)),
        &|| window.check().expect("nothing was lost"),
        &|| second.check().expect("nothing was lost"),
        &|| owner.lock(5..6, LockKind::Exclusive).expect("a lock"),
        &|| assert!(owner.try_lock(.., LockKind::Shared).expect("a lock")),
        &|| owner.unlock(..).expect("no lock"),
        &|| assert_eq!(owner.test(.., LockKind::Shared).expect("no lock"), None),
        &|| owner.lock_file(LockKind::Shared).expect("a lock"),
        &|| owner.unlock_file().expect("no lock"),
    ];
    for (index, call) in calls.iter().enumerate() {
        let page = index + 1;
        assert_eq!(peek(memory, page * PAGE), 0, "before call {index}");
        append(&path, b'A' + index as u8);
        call();
        assert_eq!(peek(memory, page * PAGE), b'A' + index as u8, "after call {index}");
    }
}

fn growth_unasked() {
    let path = make_file("f", 1);
    let mapping = map(&path, Access::Read, 3);
    let pages = Pages::<3>::new().bytes();
    let _window = attach(&mapping, pages, WindowMode::Read);
    for page in 1..3 {
        assert_eq!(peek(pages, page * PAGE), 0);
        append(&path, b'n');
        let started = Instant::now();
        while peek(pages, page * PAGE) == 0 {
            assert!(started.elapsed() < Duration::from_secs(60), "page {page} is stale");
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(peek(pages, page * PAGE), b'n');
    }
}

fn growth_stores() {
    let path = make_file("f", 1);
    let mapping = map(&path, Access::Write, 3);
    let pages = Pages::<3>::new().bytes();
    let window = attach(&mapping, pages, WindowMode::Write);
    poke(pages, 1, b'x');
    poke(pages, PAGE, b'!');
    window.flush(0, None).expect("it flushes");
    assert_eq!(fs::metadata(&path).expect("a file").len(), PAGE64, "a store made the file longer");
    append(&path, b'b');
    window.check().expect("nothing was lost");
    assert_eq!(peek(pages, PAGE), b'b', "the store had no effect");
    poke(pages, PAGE + 1, b'y');
    window.flush(0, None).expect("it flushes");
    let bytes = fs::read(&path).expect("a file");
    assert_eq!((bytes.len(), bytes[1], bytes[PAGE], bytes[PAGE + 1]), (2 * PAGE, b'x', b'b', b'y'));
    // The page that was zeros is the file's from the first store after the file has grown.
    assert_eq!(peek(pages, 2 * PAGE), 0);
    open(&path).set_len(3 * PAGE64).expect("it grows");
    window.check().expect("nothing was lost");
    poke(pages, 2 * PAGE, b'z');
    window.check().expect("nothing was lost");
    assert_eq!((peek(pages, 2 * PAGE), fs::read(&path).expect("a file")[2 * PAGE]), (b'z', b'z'));
}

fn growth_shrinks() {
    let path = make_file("f", 3);
    let mapping = map(&path, Access::Write, 6);
    let pages = Pages::<6>::new().bytes();
    let window = attach(&mapping, pages, WindowMode::Write);
    // What came later and went is no loss.
    append(&path, b'd');
    window.check().expect("nothing was lost");
    assert_eq!([2 * PAGE, 3 * PAGE].map(|at| peek(pages, at)), [b'c', b'd']);
    open(&path).set_len(3 * PAGE64).expect("it shrinks");
    assert_eq!([2 * PAGE, 3 * PAGE, 5 * PAGE].map(|at| peek(pages, at)), [b'c', 0, 0]);
    window.check().expect("nothing was lost");
    // What was there from the start is.
    open(&path).set_len(PAGE64).expect("it shrinks");
    assert_eq!([0, 2 * PAGE, 3 * PAGE].map(|at| peek(pages, at)), [b'a', 0, 0]);
    assert!(matches!(window.check(), Err(Error::Truncated)));
    // The bytes are shown again, and the loss remains.
    open(&path).set_len(2 * PAGE64).expect("it grows");
    append(&path, b'C');
    assert!(matches!(window.check(), Err(Error::Truncated)));
    assert_eq!([0, PAGE, 2 * PAGE, 3 * PAGE].map(|at| peek(pages, at)), [b'a', 0, b'C', 0]);
    window.detach().expect("it detaches");
    mapping.refresh().expect("the present end is the end");
    let window = attach(&mapping, pages, WindowMode::Write);
    assert_eq!([2 * PAGE, 3 * PAGE].map(|at| peek(pages, at)), [b'C', 0]);
    window.check().expect("nothing was lost");
}

fn growth_modes() {
    let path = make_file("f", 1);
    let mapping = map(&path, Access::Write, 3);
    let pages = Pages::<3>::new().bytes();
    let window = attach(&mapping, pages, WindowMode::Read);
    poke(pages, 0, b'?');
    assert_eq!(peek(pages, PAGE), 0);
    window.set_mode(WindowMode::Write).expect("its mode is set");
    assert_eq!([0, PAGE].map(|at| peek(pages, at)), [b'a', 0]);
    append(&path, b'b');
    window.set_mode(WindowMode::Read).expect("its mode is set");
    assert_eq!([PAGE, 2 * PAGE].map(|at| peek(pages, at)), [b'b', 0]);
    poke(pages, PAGE, b'?');
    append(&path, b'c');
    window.check().expect("nothing was lost");
    // A store of the window for reading stays, where the file was.
    assert_eq!([PAGE, 2 * PAGE].map(|at| peek(pages, at)), [b'?', b'c']);
    window.set_mode(WindowMode::Write).expect("its mode is set");
    poke(pages, 2 * PAGE, b'!');
    assert_eq!([PAGE, 2 * PAGE].map(|at| fs::read(&path).expect("a file")[at]), [b'b', b'!']);
}

fn growth_of_copies() {
    let path = make_file("f", 2);
    let mapping = map(&path, Access::Copy, 4);
    let pages = Pages::<4>::new().bytes();
    for (offset, length) in [(0, 3), (2, 1), (1, 3)] {
        let window =
            Window::attach(&mapping, &pages[..1], end(pages), offset * PAGE64, length * PAGE64, WindowMode::Write);
        assert!(matches!(window, Err(Error::Unsupported(_))), "pages {offset} to {}", offset + length);
    }
    let window =
        Window::attach(&mapping, &pages[..1], end(pages), 0, 2 * PAGE64, WindowMode::Write).expect("within the file");
    poke(pages, PAGE, b'B');
    append(&path, b'c');
    assert_eq!(mapping.read_at(PAGE64, PAGE64 + 1).expect("it reads")[..1], [b'B']);
    assert_eq!(mapping.read_at(2 * PAGE64, 1).expect("it reads"), [b'c']);
    window.detach().expect("it detaches");
    assert_eq!(mapping.read_at(PAGE64, PAGE64 + 1).expect("it reads")[..1], [b'B']);
    assert_eq!(fs::read(&path).expect("a file")[PAGE], b'b');
    let window =
        Window::attach(&mapping, &pages[..1], end(pages), 0, 3 * PAGE64, WindowMode::Write).expect("it has grown");
    assert_eq!([PAGE, 2 * PAGE].map(|at| peek(pages, at)), [b'B', b'c']);
    drop(window);
}

fn growth_of_views() {
    let path = make_file("f", 1);
    let mapping = Object::options().length(3 * PAGE64).beyond_end(true).open(&path).expect("a mapping");
    // SAFETY: this program alone uses the file.
    let view = unsafe { mapping.view(..) }.expect("a view");
    assert!(view.is_zero_copy());
    assert_eq!([0, PAGE].map(|at| peek(&view, at)), [b'a', 0]);
    append(&path, b'b');
    view.check().expect("nothing was lost");
    assert_eq!([0, PAGE, 2 * PAGE].map(|at| peek(&view, at)), [b'a', b'b', 0]);
    drop(view);
    append(&path, b'c');
    // SAFETY: as above.
    let view = unsafe { mapping.view(PAGE64..) }.expect("a view");
    assert_eq!([0, PAGE].map(|at| peek(&view, at)), [b'b', b'c']);
}

/// Zeros are put past the end and taken away again, which must use nothing up.
fn growth_again_and_again() {
    let path = make_file("f", 1);
    for mode in [WindowMode::Read, WindowMode::Write] {
        let mapping = map(&path, Access::Write, 64);
        let pages = Pages::<64>::new().bytes();
        let file = open(&path);
        let window = attach(&mapping, pages, mode);
        for round in 0..20_000u64 {
            file.set_len((1 + round % 63) * PAGE64).expect("a length");
            mapping.size().expect("a length");
            assert_eq!([0, 63 * PAGE].map(|at| peek(pages, at)), [b'a', 0], "round {round}");
        }
        // The test looks at the process with the windows in it.
        std::mem::forget((window, mapping));
    }
}

/// Reads what another process appends, and touches pages past the end all the time.
fn growth_of_a_log() {
    const PAGES: usize = 1024;
    let total: u64 = fs::read_to_string("/scratch/total").expect("a number").trim().parse().expect("a number");
    let mapping = map("/scratch/log", Access::Read, PAGES as u64);
    let pages = Pages::<PAGES>::new().bytes();
    let window = attach(&mapping, pages, WindowMode::Read);
    let (mut seen, mut steps) = (0, 0u64);
    while seen < total {
        let len = mapping.size().expect("a length");
        for at in seen..len {
            assert_eq!(peek(pages, at as usize), (at % 251) as u8 + 1, "byte {at} of {len}");
        }
        for ahead in [0, 1, 5, 100] {
            let at = len as usize + ahead * PAGE;
            let byte = if at < PAGES * PAGE { peek(pages, at) } else { 0 };
            assert!(byte == 0 || byte == (at as u64 % 251) as u8 + 1, "byte {at} is {byte}");
        }
        steps += u64::from(len > seen);
        seen = len;
    }
    window.check().expect("nothing was lost");
    println!("{steps} steps");
}

/// A window past the end is never one whose bytes stay.
fn growth_not_stable() {
    let path = make_file("f", 2);
    let mapping = map(&path, Access::Read, 4);
    let pages = Pages::<4>::new().bytes();
    let attach = |length| Window::attach(&mapping, &pages[..1], end(pages), 0, length * PAGE64, WindowMode::Read);
    assert!(matches!(attach(3), Err(Error::Unsupported(_))));
    assert!(matches!(attach(4), Err(Error::Unsupported(_))));
    drop(attach(2).expect("within the file"));
    let object = Object::options().length(4 * PAGE64).beyond_end(true).open(&path).expect("a mapping");
    // SAFETY: this program alone uses the file.
    let view = unsafe { object.view(..) }.expect("a copy");
    assert!(!view.is_zero_copy());
    assert_eq!([PAGE, 2 * PAGE].map(|at| peek(&view, at)), [b'b', 0]);
}
