//! The bytes that are seen in the window, through the mapping and in the file, and the harm that a careless plugin does
//! to itself.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};

use wasi_mmap::Access;
use wasi_mmap::bindings::wasi_mmap::mmap::mapping::Mapping;
use wasi_mmap::bindings::wasi_mmap::mmap::types::{MapFlags, MapOptions, WindowMode};
use wasi_mmap::bindings::wasi_mmap::mmap::window::Window;

use crate::rules::map;
use crate::{Check, PAGE, Pages, end, make_file, peek, poke};

pub(crate) const CHECKS: &[Check] = &[
    ("shared", shared),
    ("read-only-store", read_only_store),
    ("copy-is-one-memory", copy_is_one_memory),
    ("copy-keeps-changes", copy_keeps_changes),
    ("copy-loses-what-the-file-lost", copy_loses_what_the_file_lost),
    ("anonymous", anonymous),
    ("wasi-buffers", wasi_buffers),
    ("host-buffers", host_buffers),
    ("grow", grow),
    ("leak", leak),
    ("trap", trap),
    ("over-the-stack", over_the_stack),
    ("over-data", over_data),
    ("nobody", nobody),
];

const PAGE64: u64 = PAGE as u64;

fn attach(mapping: &Mapping, pages: &[u8], offset: usize, mode: WindowMode) -> Window {
    let length = pages.len() as u64;
    Window::attach(mapping, &pages[..1], end(pages), offset as u64, length, mode).expect("it is free")
}

fn file_byte(path: &str, at: usize) -> u8 {
    fs::read(path).expect("a file")[at]
}

fn shared() {
    let path = make_file("f", 3);
    let (mapping, other) = (map(&path, Access::Write), map(&path, Access::Read));
    let pages = Pages::<2>::new().bytes();
    let window = attach(&mapping, pages, PAGE, WindowMode::Write);
    assert_eq!([0, PAGE].map(|at| peek(pages, at)), [b'b', b'c']);
    poke(pages, 5, b'X');
    // At once: in the file, in this mapping, in another, and in another window.
    assert_eq!(file_byte(&path, PAGE + 5), b'X');
    assert_eq!([mapping.get(PAGE as i64 + 5), other.get(PAGE as i64 + 5)].map(Result::unwrap), [b'X'; 2]);
    let elsewhere = Pages::<2>::new().bytes();
    let second = attach(&other, elsewhere, PAGE, WindowMode::Read);
    assert_eq!(peek(elsewhere, 5), b'X');
    // And the other way round.
    mapping.write_at(PAGE64 + 6, b"Y").expect("it writes");
    assert_eq!([peek(pages, 6), peek(elsewhere, 6)], [b'Y'; 2]);
    let mut file = fs::OpenOptions::new().write(true).open(&path).expect("a file");
    file.seek(SeekFrom::Start(PAGE64 + 7)).expect("a place");
    file.write_all(b"Z").expect("it writes");
    assert_eq!([peek(pages, 7), peek(elsewhere, 7)], [b'Z'; 2]);
    drop((window, second));
    assert_eq!([peek(pages, 5), peek(elsewhere, 5)], [0; 2]);
    assert_eq!(&fs::read(&path).expect("a file")[PAGE + 5..PAGE + 8], b"XYZ");
}

fn read_only_store() {
    let path = make_file("f", 2);
    for access in [Access::Read, Access::Write] {
        let mapping = map(&path, access);
        let pages = Pages::<2>::new().bytes();
        let window = attach(&mapping, pages, 0, WindowMode::Read);
        // A stray store harms only this program.
        poke(pages, 3, b'!');
        assert_eq!(peek(pages, 3), b'!');
        assert_eq!(mapping.get(3).expect("it reads"), b'a');
        window.flush(0, None).expect("there is nothing to flush");
        drop(window);
        assert_eq!(file_byte(&path, 3), b'a');
    }
}

fn copy_is_one_memory() {
    let path = make_file("f", 4);
    let mapping = map(&path, Access::Copy);
    mapping.write_at(PAGE64, b"before").expect("it writes");
    let pages = Pages::<2>::new().bytes();
    let window = attach(&mapping, pages, PAGE, WindowMode::Write);
    assert_eq!(&pages.iter().take(6).copied().collect::<Vec<_>>()[..6], b"before");
    // Each sees the other at once, inside the window and across its borders.
    poke(pages, 10, b'W');
    assert_eq!(mapping.read_at(PAGE64 + 10, 1).expect("it reads"), b"W");
    mapping.write_at(2 * PAGE64 - 2, b"MMMM").expect("it writes");
    assert_eq!([PAGE - 2, PAGE + 1].map(|at| peek(pages, at)), [b'M'; 2]);
    mapping.write_at(PAGE64 - 2, b"border").expect("it writes");
    assert_eq!(mapping.read_at(PAGE64 - 3, 8).expect("it reads"), b"aborderr");
    assert_eq!(peek(pages, 0), b'r');
    mapping.fill(PAGE64 + 100, 3, b'f').expect("it fills");
    assert_eq!(peek(pages, 102), b'f');
    mapping.copy_within(0, PAGE64 + 100, 3).expect("it copies");
    assert_eq!(mapping.read_at(0, 4).expect("it reads"), b"fffa");
    assert_eq!(mapping.find(b"border", Some(0), None).expect("it finds"), Some(PAGE64 - 2));
    assert_eq!(mapping.rfind(b"MMMM", Some(0), None).expect("it finds"), Some(2 * PAGE64 - 2));
    // A read that is long enough to be lent in one piece, where it lies in one.
    let long = map(&make_file("long", 8), Access::Copy);
    let second = attach(&long, Pages::<2>::new().bytes(), PAGE, WindowMode::Write);
    let expected: Vec<u8> = (0..8).flat_map(|page| [b'a' + page; PAGE]).collect();
    assert!(long.read_at(0, 8 * PAGE64).expect("it reads") == expected);
    drop(second);
    // A write whose bytes lie in the window itself.
    mapping.write_at(PAGE64 + 200, &pages[100..103]).expect("it writes");
    assert_eq!(peek(pages, 202), b'f');
    window.detach().expect("it detaches");
    // What was written through the window stays in the copy, and out of the file.
    assert_eq!(mapping.read_at(PAGE64 + 10, 1).expect("it reads"), b"W");
    assert_eq!(peek(pages, 10), 0);
    assert!(fs::read(&path).expect("a file").iter().enumerate().all(|(at, &byte)| byte == b'a' + (at / PAGE) as u8));
}

fn copy_keeps_changes() {
    let path = make_file("f", 2);
    let mapping = map(&path, Access::Copy);
    let pages = Pages::<2>::new().bytes();
    for round in 0..10 {
        let mode = if round % 2 == 0 { WindowMode::Write } else { WindowMode::Read };
        let window = attach(&mapping, pages, 0, mode);
        poke(pages, round, b'0' + round as u8);
        drop(window);
    }
    assert_eq!(mapping.read_at(0, 11).expect("it reads"), b"0123456789a");
    assert_eq!(file_byte(&path, 0), b'a');
    // Pages that were never written are still the file's.
    fs::write(&path, [b'z'; 2 * PAGE]).expect("a file");
    assert_eq!(mapping.get(PAGE as i64).expect("it reads"), b'z');
}

/// Bytes that were written to a window of a copy and lost with the file's pages are not silently replaced by the
/// file's.
fn copy_loses_what_the_file_lost() {
    let path = make_file("f", 4);
    let mapping = map(&path, Access::Copy);
    let pages = Pages::<2>::new().bytes();
    let window = attach(&mapping, pages, PAGE, WindowMode::Write);
    poke(pages, 3, b'!');
    poke(pages, PAGE, b'?');
    let file = fs::OpenOptions::new().write(true).open(&path).expect("a file");
    file.set_len(2 * PAGE64).expect("it becomes shorter");
    // The first page still has what was written to it. The second is lost.
    assert_eq!([peek(pages, 3), peek(pages, PAGE)], [b'!', 0]);
    assert!(window.check().is_err());
    // Longer again, without being cut once more: that would take the first page's changes, too.
    let mut file = fs::OpenOptions::new().append(true).open(&path).expect("a file");
    file.write_all(&[[b'c'; PAGE], [b'd'; PAGE]].concat()).expect("it becomes longer");
    window.detach().expect("it detaches");
    assert_eq!(mapping.get(PAGE as i64 + 3).expect("it was not lost"), b'!');
    assert!(mapping.get(2 * PAGE as i64).is_err(), "what was written there is gone");
    mapping.refresh().expect("the file is whole");
    assert_eq!(mapping.get(2 * PAGE as i64).expect("the file's"), b'c');
}

fn anonymous() {
    for flags in [MapFlags::empty(), MapFlags::PRIVATE] {
        let options = MapOptions {
            offset: 0,
            length: Some(2 * PAGE64),
            access: wasi_mmap::bindings::wasi_mmap::mmap::types::Access::Write,
            map_flags: flags,
        };
        let mapping = Mapping::anonymous(options).expect("memory");
        mapping.write_at(0, b"memory").expect("it writes");
        let pages = Pages::<2>::new().bytes();
        let window = attach(&mapping, pages, 0, WindowMode::Write);
        assert_eq!(peek(pages, 0), b'm');
        poke(pages, PAGE, b'!');
        assert_eq!(mapping.get(PAGE as i64).expect("it reads"), b'!');
        drop(window);
        assert_eq!(mapping.read_at(0, 6).expect("it reads"), b"memory");
        assert_eq!(mapping.get(PAGE as i64).expect("it reads"), b'!');
    }
}

/// WASI reads into a window, and writes from one.
fn wasi_buffers() {
    let (path, source) = (make_file("f", 2), make_file("source", 3));
    for (access, mode) in
        [(Access::Write, WindowMode::Write), (Access::Read, WindowMode::Read), (Access::Copy, WindowMode::Write)]
    {
        let mapping = map(&path, access);
        let pages = Pages::<2>::new().bytes();
        let window = attach(&mapping, pages, 0, mode);
        let mut file = File::open(&source).expect("a file");
        file.seek(SeekFrom::Start(2 * PAGE64)).expect("a place");
        file.read_exact(&mut pages[..PAGE]).expect("WASI reads into the window");
        assert_eq!(peek(pages, 0), b'c');
        fs::write("/scratch/target", &pages[..]).expect("WASI writes from the window");
        let written = fs::read("/scratch/target").expect("a file");
        assert_eq!((written[0], written[PAGE], written.len()), (b'c', b'b', 2 * PAGE));
        drop(window);
        let reached = if access == Access::Write { b'c' } else { b'a' };
        assert_eq!(file_byte(&path, 0), reached);
        make_file("f", 2);
    }
}

/// The host's own functions take their bytes from a window, and put them there.
fn host_buffers() {
    let mapping = map(&make_file("f", 2), Access::Write);
    let other = map(&make_file("g", 4), Access::Write);
    let pages = Pages::<2>::new().bytes();
    let window = attach(&mapping, pages, 0, WindowMode::Write);
    other.write_at(PAGE64, &pages[..2 * PAGE]).expect("it writes from a window");
    assert_eq!(other.compare(PAGE64, &pages[..2 * PAGE]).map(|order| order as u8).expect("it compares"), 1);
    assert_eq!(mapping.find(&pages[PAGE - 3..PAGE + 3], Some(0), None).expect("it finds"), Some(PAGE64 - 3));
    drop(window);
}

/// The memory grows while a window is in it.
fn grow() {
    let mapping = map(&make_file("f", 2), Access::Write);
    let pages = Pages::<2>::new().bytes();
    let window = attach(&mapping, pages, 0, WindowMode::Write);
    let before = core::arch::wasm32::memory_size(0);
    assert_ne!(core::arch::wasm32::memory_grow(0, 2000), usize::MAX);
    assert_eq!(core::arch::wasm32::memory_size(0), before + 2000);
    assert_eq!(peek(pages, PAGE), b'b');
    poke(pages, 0, b'!');
    assert_eq!(mapping.get(0).expect("it reads"), b'!');
    drop(window);
    assert_eq!(core::arch::wasm32::memory_size(0), before + 2000);
}

/// Ends with windows attached, of every kind.
fn leak() {
    for (name, access, mode) in [
        ("leaked-write", Access::Write, WindowMode::Write),
        ("leaked-read", Access::Read, WindowMode::Read),
        ("leaked-copy", Access::Copy, WindowMode::Write),
    ] {
        let mapping = map(&make_file(name, 2), access);
        let pages = Pages::<2>::new().bytes();
        std::mem::forget(attach(&mapping, pages, 0, mode));
        poke(pages, 0, b'!');
        std::mem::forget(mapping);
    }
}

fn trap() {
    leak();
    core::arch::wasm32::unreachable();
}

/// The file comes down over the stack of this very function.
fn over_the_stack() {
    let mapping = map(&make_file("f", 16), Access::Write);
    let here = Pages([[0u8; PAGE]; 3]);
    let anchor = std::hint::black_box(&here).0[1].as_ptr() as usize - 8 * PAGE;
    // SAFETY: the stack is there; the slice is only passed on.
    let stack = unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance::<u8>(anchor), 16 * PAGE) };
    let attached = Window::attach(&mapping, &stack[..1], end(stack), 0, 16 * PAGE64, WindowMode::Write);
    // Whatever this is now, it is this program's own loss.
    println!("{}", attached.is_ok());
}

static DATA: Pages<2> = Pages([[b'D'; PAGE]; 2]);

/// The file comes down over a constant.
fn over_data() {
    let mapping = map(&make_file("f", 2), Access::Read);
    assert_eq!(peek(&DATA.0[0], 0), b'D');
    let window = Window::attach(&mapping, &DATA.0[0][..1], end(&DATA.0[1]), 0, 2 * PAGE64, WindowMode::Read)
        .expect("it is memory");
    assert_eq!(peek(&DATA.0[0], 0), b'a');
    drop(window);
    assert_eq!(peek(&DATA.0[0], 0), 0, "what was there is gone");
}

/// Windows of other plugins are not visible here.
fn nobody() {
    let mapping = map(&make_file("f", 4), Access::Read);
    let pages = Pages::<2>::new().bytes();
    assert!(pages.iter().all(|&byte| byte == 0));
    let window = attach(&mapping, pages, PAGE, WindowMode::Read);
    assert_eq!([0, PAGE].map(|at| peek(pages, at)), [b'b', b'c']);
    drop(window);
}
