//! Windows whose bytes nobody else can change.

use std::fs;

use wasi_mmap::Access;
use wasi_mmap::bindings::wasi_mmap::mmap::mapping::Mapping;
use wasi_mmap::bindings::wasi_mmap::mmap::types::{Error, MapFlags, MapOptions, WindowMode};
use wasi_mmap::bindings::wasi_mmap::mmap::window::Window;

use crate::rules::map;
use crate::{Check, PAGE, Pages, end, make_file, peek, poke};

pub(crate) const CHECKS: &[Check] = &[
    ("stable-kinds", kinds),
    ("held-limit", held_limit),
    ("stable-strings", strings),
    ("stable-leak", leak),
    ("stable-cut", cut),
    ("stable-stores", stores),
    ("stable-overlap", overlap),
    ("stable-holes", holes),
    ("stable-trap", trap),
];

const PAGE64: u64 = PAGE as u64;

#[track_caller]
fn assert_unsupported<T>(outcome: Result<T, Error>, reason: &str) {
    match outcome {
        Err(Error::Unsupported(text)) => assert!(text.contains(reason), "{text}"),
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("it is a window"),
    }
}

fn memory(name: Option<&str>) -> Mapping {
    let options = MapOptions {
        offset: 0,
        length: Some(2 * PAGE64),
        access: wasi_mmap::bindings::wasi_mmap::mmap::types::Access::Write,
        map_flags: MapFlags::empty(),
    };
    match name {
        Some(name) => Mapping::named(name, options),
        None => Mapping::anonymous(options),
    }
    .expect("memory")
}

/// Attaches the windows that are allowed, and checks the reasons for which others are refused.
fn kinds() {
    let path = make_file("f", 2);
    let pages = Pages::<2>::new().bytes();
    let place = pages.as_ptr();
    let attach = |mapping: &Mapping, mode| {
        // SAFETY: the memory is never freed.
        let place = unsafe { std::slice::from_raw_parts(place, 2 * PAGE) };
        Window::attach(mapping, &place[..1], end(place), 0, 2 * PAGE64, mode)
    };
    let reading = map(&path, Access::Read);
    let window = attach(&reading, WindowMode::Read).expect("nobody writes");
    assert_eq!([0, PAGE].map(|at| peek(pages, at)), [b'a', b'b']);
    // Not the file's.
    poke(pages, 5, b'!');
    // While the file is open for writing, windows are refused. This program waits until its own window is copied.
    let writing = map(&path, Access::Write);
    writing.write_at(0, b"z").expect("it writes");
    assert_eq!([0, 5, PAGE].map(|at| peek(pages, at)), [b'a', b'!', b'b']);
    window.check().expect("nothing was lost");
    window.detach().expect("it detaches");
    assert_unsupported(attach(&reading, WindowMode::Read), "open for writing");
    assert_unsupported(attach(&writing, WindowMode::Read), "open for writing");
    assert_unsupported(attach(&writing, WindowMode::Write), "to write to a file");
    writing.close().expect("it closes");
    let window = attach(&reading, WindowMode::Read).expect("nobody writes any more");
    assert_eq!(peek(pages, 0), b'z');
    // Shorter, while it is attached: nothing is lost here.
    fs::write(&path, "").expect("a file");
    assert_eq!([0, PAGE].map(|at| peek(pages, at)), [b'z', b'b']);
    window.check().expect("nothing was lost");
    drop(window);
    assert_eq!(peek(pages, 0), 0);

    make_file("f", 2);
    let copy = map(&path, Access::Copy);
    let window = attach(&copy, WindowMode::Write).expect("a copy");
    poke(pages, 3, b'!');
    assert_eq!(copy.get(3).expect("it reads"), b'!');
    fs::write(&path, [b'z'; 2 * PAGE]).expect("a file");
    assert_eq!([2, 3, PAGE].map(|at| peek(pages, at)), [b'a', b'!', b'b']);
    drop(window);
    assert_eq!(copy.get(3).expect("it reads"), b'!');

    let window = attach(&memory(None), WindowMode::Write).expect("memory");
    drop(window);
    assert_unsupported(attach(&memory(Some("name")), WindowMode::Read), "with a name");
}

/// The host of this check lets 5 pages be held.
fn held_limit() {
    let mapping = map(&make_file("f", 4), Access::Read);
    let attach = |pages: usize| {
        let place = Pages::<4>::new().bytes();
        Window::attach(&mapping, &place[..1], end(place), 0, (pages * PAGE) as u64, WindowMode::Read)
    };
    let first = attach(3).expect("3 of 5");
    assert!(matches!(attach(3), Err(Error::LimitExceeded(text)) if text.contains("held-bytes")));
    let second = attach(2).expect("5 of 5");
    // Memory is not held by anything.
    let pages = Pages::<2>::new().bytes();
    let third =
        Window::attach(&memory(None), &pages[..1], end(pages), 0, 2 * PAGE64, WindowMode::Write).expect("memory");
    drop(first);
    drop(attach(3).expect("3 of 5"));
    drop((second, third));
    drop(attach(4).expect("4 of 5"));
}

/// Reads strings until the host ends it.
fn strings() {
    let mapping = map("/scratch/text", Access::Read);
    let length = mapping.length().expect("a length") as usize;
    let pages = Pages::<300>::new().bytes();
    let window =
        Window::attach(&mapping, &pages[..1], end(pages), 0, length as u64, WindowMode::Read).expect("nobody writes");
    fs::write("/scratch/ready", "").expect("a file");
    let mut rounds = 0;
    let mut is_last = false;
    loop {
        let bytes = std::hint::black_box(&pages[..length]);
        let text = std::str::from_utf8(bytes).expect("UTF-8");
        assert!(text.split_terminator(' ').all(|word| word == "ä€😀"), "other words after {rounds} rounds");
        // WASI reads a name in place.
        assert!(fs::metadata(std::hint::black_box(&text[..9])).is_err());
        rounds += 1;
        if is_last {
            break;
        }
        is_last = fs::exists("/scratch/stop").expect("it can be told");
    }
    window.check().expect("nothing was lost");
}

/// Ends with windows attached, if they are allowed.
fn leak() {
    let mapping = map("/scratch/text", Access::Read);
    for _ in 0..4 {
        let pages = Pages::<16>::new().bytes();
        let window = Window::attach(&mapping, &pages[..1], end(pages), 0, 16 * PAGE64, WindowMode::Read);
        if let Ok(window) = window {
            assert_eq!([0, 15 * PAGE].map(|at| peek(pages, at)), [b'a'; 2]);
            std::mem::forget(window);
        }
    }
    std::mem::forget(mapping);
}

/// Reads a window again and again, whose file another process cuts without telling anybody.
fn cut() {
    let mapping = map("/scratch/text", Access::Read);
    let pages = Pages::<16>::new().bytes();
    let _window =
        Window::attach(&mapping, &pages[..1], end(pages), 0, 16 * PAGE64, WindowMode::Read).expect("nobody writes");
    fs::write("/scratch/ready", "").expect("a file");
    loop {
        assert!((0..16).all(|page| peek(pages, page * PAGE) == b'a'), "a byte has changed");
    }
}

/// Stores ever greater numbers in some pages of a window until the host ends it. No store is undone.
fn stores() {
    /// The number of pages, and the distance of those that are stored to.
    const COUNT: usize = 4096;
    const STEP: usize = 64;
    let mapping = map("/scratch/text", Access::Read);
    let pages = Pages::<COUNT>::new().bytes();
    let window = Window::attach(&mapping, &pages[..1], end(pages), 0, COUNT as u64 * PAGE64, WindowMode::Read);
    let window = window.expect("nobody writes");
    (0..COUNT).step_by(STEP).for_each(|page| poke(pages, page * PAGE, 0));
    fs::write("/scratch/ready", "").expect("a file");
    let mut number = 0_u8;
    while !fs::exists("/scratch/stop").expect("it can be told") {
        for _ in 0..10_000 {
            let next = number.wrapping_add(1);
            for page in (0..COUNT).step_by(STEP) {
                assert_eq!(peek(pages, page * PAGE), number, "a store was undone");
                poke(pages, page * PAGE, next);
            }
            number = next;
        }
    }
    let mut others = (0..COUNT).filter(|page| page % STEP != 0);
    assert!(others.all(|page| peek(pages, page * PAGE) == b'a'), "a byte has changed");
    window.check().expect("nothing was lost");
}

/// Anonymous memory is not in a program's memory twice.
fn overlap() {
    let memory = memory(None);
    let attach = |page: u64, mode| {
        let pages = Pages::<2>::new().bytes();
        Window::attach(&memory, &pages[..1], end(pages), page * PAGE64, (2 - page) * PAGE64, mode)
    };
    for modes in [[WindowMode::Write, WindowMode::Write], [WindowMode::Read, WindowMode::Write]] {
        let window = attach(0, modes[0]).expect("memory");
        assert!(matches!(attach(1, modes[1]), Err(Error::Busy)));
        drop(window);
        drop(attach(1, modes[1]).expect("it is free again"));
    }
}

/// A file with holes in memory is refused, and its bytes can be copied.
fn holes() {
    let mapping = map("/scratch/sparse", Access::Read);
    let pages = Pages::<256>::new().bytes();
    assert_unsupported(
        Window::attach(&mapping, &pages[..1], end(pages), 0, 256 * PAGE64, WindowMode::Read),
        "has holes",
    );
    assert_eq!(mapping.get(5).expect("it is there"), b'a');
    assert!(peek(pages, 0) == 0 && peek(pages, 255 * PAGE) == 0);
}

/// Accesses an address outside of the memory, after windows were attached. The engine ends the program there.
fn trap() {
    kinds();
    let outside = std::hint::black_box(0xffff_0000_usize) as *const u8;
    // SAFETY: none; the engine ends the program here.
    let byte = unsafe { outside.read_volatile() };
    println!("read {byte}");
}
