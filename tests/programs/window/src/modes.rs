//! Changing the mode of a window in place.

use std::fs;

use wasi_mmap::Access;
use wasi_mmap::bindings::wasi_mmap::mmap::mapping::Mapping;
use wasi_mmap::bindings::wasi_mmap::mmap::types::{Access as WitAccess, Error, MapFlags, MapOptions, WindowMode};
use wasi_mmap::bindings::wasi_mmap::mmap::window::Window;

use crate::rules::map;
use crate::{Check, PAGE, Pages, end, make_file, peek, poke};

pub(crate) const CHECKS: &[Check] = &[
    ("set-mode", set_mode),
    ("set-mode-refused", set_mode_refused),
    ("set-mode-lost", set_mode_lost),
    ("set-mode-memory", set_mode_memory),
    ("set-mode-stable", set_mode_stable),
];

fn attach(mapping: &Mapping, pages: &[u8], offset: usize, length: usize, mode: WindowMode) -> Window {
    Window::attach(mapping, &pages[..1], end(pages), offset as u64, length as u64, mode).expect("it is free")
}

fn change(window: &Window, mode: WindowMode) {
    window.set_mode(mode).expect("its mode is set");
}

/// A window to a part of a mapping of a part of a file, which ends within a page.
fn set_mode() {
    let path = make_file("f", 4);
    fs::OpenOptions::new().write(true).open(&path).expect("a file").set_len(3 * PAGE as u64 + 10).expect("shorter");
    let file = <wasi_mmap::PluginStorage as wasi_mmap_core::Backend>::open(path.as_ref(), wasi_mmap::Rights::all());
    let file = file.expect("it opens").into_descriptor().expect("it is the plugin's");
    let options =
        MapOptions { offset: PAGE as u64, length: None, access: WitAccess::Write, map_flags: MapFlags::empty() };
    let mapping = Mapping::from_descriptor(file, options).expect("a mapping");
    let pages = Pages::<3>::new().bytes();
    pages.fill(7);
    let window = attach(&mapping, pages, PAGE, PAGE + 10, WindowMode::Read);
    let file_byte = |at: usize| fs::read(&path).expect("a file")[2 * PAGE + at];
    // A store of the window for reading is discarded when its mode is set, and not before.
    poke(pages, 5, b'!');
    change(&window, WindowMode::Read);
    assert_eq!((peek(pages, 5), mapping.get(PAGE as i64 + 5).unwrap()), (b'!', b'c'));
    change(&window, WindowMode::Write);
    assert_eq!([5, PAGE + 9].map(|at| peek(pages, at)), [b'c', b'd']);
    // What others wrote meanwhile is there, and what is stored now reaches them.
    mapping.write_at(PAGE as u64 + 6, b"M").expect("it writes");
    poke(pages, 5, b'W');
    poke(pages, PAGE + 9, b'E');
    change(&window, WindowMode::Write);
    assert_eq!([5, 6, PAGE + 9].map(|at| peek(pages, at)), [b'W', b'M', b'E']);
    assert_eq!([5, 6, PAGE + 9].map(file_byte), [b'W', b'M', b'E']);
    // Stores of the window for writing remain, and those after it do not leave the window.
    change(&window, WindowMode::Read);
    assert_eq!([5, 6, PAGE + 9].map(|at| peek(pages, at)), [b'W', b'M', b'E']);
    poke(pages, 5, b'?');
    mapping.write_at(2 * PAGE as u64, b"N").expect("it writes");
    assert_eq!((peek(pages, 5), peek(pages, PAGE), file_byte(5)), (b'?', b'N', b'W'));
    window.flush(0, None).expect("it flushes");
    window.check().expect("nothing was lost");
    // Again and again: nothing is used up.
    for round in 0..5_000 {
        change(&window, WindowMode::Write);
        poke(pages, 7, round as u8);
        change(&window, WindowMode::Read);
        poke(pages, 8, b'?');
        assert_eq!(
            (peek(pages, 7), file_byte_of(&mapping, 7), file_byte_of(&mapping, 8)),
            (round as u8, round as u8, b'c')
        );
    }
    assert_eq!(peek(pages, 2 * PAGE), 7, "the page behind it is another's");
    assert!(matches!(mapping.resize(PAGE as u64), Err(Error::Busy)));
    window.detach().expect("it detaches");
    assert_eq!([5, PAGE].map(|at| peek(pages, at)), [0, 0]);
    assert!(matches!(window.set_mode(WindowMode::Write), Err(Error::Closed)));
    mapping.close().expect("it is not busy");
    assert!(matches!(window.set_mode(WindowMode::Read), Err(Error::Closed)));
}

/// Returns a byte of the mapping's second page.
fn file_byte_of(mapping: &Mapping, at: usize) -> u8 {
    mapping.get((PAGE + at) as i64).expect("it reads")
}

fn set_mode_refused() {
    let mapping = map(&make_file("f", 2), Access::Read);
    let pages = Pages::<2>::new().bytes();
    let window = attach(&mapping, pages, 0, 2 * PAGE, WindowMode::Read);
    poke(pages, 5, b'!');
    assert!(matches!(window.set_mode(WindowMode::Write), Err(Error::ReadOnly)));
    change(&window, WindowMode::Read);
    assert_eq!([0, 5, PAGE].map(|at| peek(pages, at)), [b'a', b'!', b'b'], "it is as it was");
    assert_eq!(mapping.get(5).expect("it reads"), b'a');
}

/// A window that has lost bytes keeps saying so, and does not show the file as if nothing had happened.
fn set_mode_lost() {
    for (mode, other) in [(WindowMode::Read, WindowMode::Write), (WindowMode::Write, WindowMode::Read)] {
        let path = make_file("f", 4);
        let mapping = map(&path, Access::Write);
        let pages = Pages::<4>::new().bytes();
        let window = attach(&mapping, pages, 0, 4 * PAGE, mode);
        fs::OpenOptions::new().write(true).open(&path).expect("a file").set_len(PAGE as u64).expect("shorter");
        assert_eq!([0, 2 * PAGE].map(|at| peek(pages, at)), [b'a', 0]);
        make_file("f", 4);
        assert!(matches!(window.set_mode(other), Err(Error::Truncated)));
        assert_eq!([0, 2 * PAGE].map(|at| peek(pages, at)), [b'a', 0], "it is as it was");
        change(&window, mode);
        assert!(matches!(window.check(), Err(Error::Truncated)));
        window.detach().expect("it detaches");
        // Another one is whole.
        let window = attach(&mapping, pages, 0, 4 * PAGE, mode);
        change(&window, other);
        assert_eq!([0, 2 * PAGE].map(|at| peek(pages, at)), [b'a', b'c']);
    }
    // Shorter, and not seen: the mode changes, and the loss is seen afterwards.
    let path = make_file("f", 4);
    let mapping = map(&path, Access::Write);
    let pages = Pages::<4>::new().bytes();
    let window = attach(&mapping, pages, 0, 4 * PAGE, WindowMode::Read);
    fs::OpenOptions::new().write(true).open(&path).expect("a file").set_len(PAGE as u64).expect("shorter");
    change(&window, WindowMode::Write);
    window.check().expect("nothing was read");
    assert_eq!([0, 2 * PAGE].map(|at| peek(pages, at)), [b'a', 0]);
    assert!(matches!(window.check(), Err(Error::Truncated)));
}

/// Memory that nobody else has: without a file, and a copy of a file.
fn set_mode_memory() {
    let options =
        |map_flags| MapOptions { offset: 0, length: Some(2 * PAGE as u64), access: WitAccess::Write, map_flags };
    let shared = Mapping::anonymous(options(MapFlags::empty())).expect("memory");
    let private = Mapping::anonymous(options(MapFlags::PRIVATE)).expect("memory");
    let copy = map(&make_file("f", 2), Access::Copy);
    for (mapping, is_private) in [(shared, false), (private, true), (copy, true)] {
        mapping.write_at(0, b"memory").expect("it writes");
        let pages = Pages::<2>::new().bytes();
        let window = attach(&mapping, pages, 0, 2 * PAGE, WindowMode::Read);
        poke(pages, 1, b'R');
        change(&window, WindowMode::Write);
        // The windows of private memory are the memory itself.
        assert_eq!(peek(pages, 1), if is_private { b'R' } else { b'e' });
        poke(pages, 2, b'W');
        change(&window, WindowMode::Read);
        poke(pages, 3, b'R');
        let expected = if is_private { b"mRWRry" } else { b"meWory" };
        assert_eq!(mapping.read_at(0, 6).expect("it reads"), expected);
        assert_eq!(peek(pages, 3), b'R');
        window.detach().expect("it detaches");
        assert_eq!(mapping.read_at(0, 6).expect("it reads"), expected);
    }
}

/// A window whose bytes nobody else changes does not become one that writes to the file.
fn set_mode_stable() {
    let path = make_file("f", 2);
    let mapping = map(&path, Access::Read);
    let pages = Pages::<2>::new().bytes();
    let window = attach(&mapping, pages, 0, 2 * PAGE, WindowMode::Read);
    poke(pages, 5, b'!');
    assert!(matches!(window.set_mode(WindowMode::Write), Err(Error::ReadOnly)));
    change(&window, WindowMode::Read);
    // It is what it was: a writer waits until its bytes are copied.
    fs::write(&path, [b'z'; 2 * PAGE]).expect("a file");
    assert!(matches!(window.set_mode(WindowMode::Write), Err(Error::ReadOnly)));
    change(&window, WindowMode::Read);
    assert_eq!([0, 5, PAGE].map(|at| peek(pages, at)), [b'a', b'!', b'b']);
    window.check().expect("nothing was lost");
    drop(window);

    // Two windows of one memory do not overlap, whatever their modes are.
    let options =
        MapOptions { offset: 0, length: Some(2 * PAGE as u64), access: WitAccess::Write, map_flags: MapFlags::empty() };
    let memory = Mapping::anonymous(options).expect("memory");
    let elsewhere = Pages::<2>::new().bytes();
    let window = attach(&memory, pages, 0, 2 * PAGE, WindowMode::Read);
    for mode in [WindowMode::Write, WindowMode::Read] {
        change(&window, mode);
        let second =
            Window::attach(&memory, &elsewhere[..1], end(elsewhere), PAGE as u64, PAGE as u64, WindowMode::Read);
        assert!(matches!(second, Err(Error::Busy)));
    }
}
