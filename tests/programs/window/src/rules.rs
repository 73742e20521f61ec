//! The arguments that are refused, and the calls that fail while a window is attached.

use std::path::Path;

use wasi_mmap::bindings::wasi_mmap::mmap::mapping::Mapping;
use wasi_mmap::bindings::wasi_mmap::mmap::types::{Error, WindowMode};
use wasi_mmap::bindings::wasi_mmap::mmap::window::{self, Window};
use wasi_mmap::{Access, PluginStorage};
use wasi_mmap_core::{Backend, MapOptions};

use crate::{Check, PAGE, Pages, end, make_file, peek};

pub(crate) const CHECKS: &[Check] = &[
    ("granularity", granularity),
    ("refused-places", refused_places),
    ("refused-parts", refused_parts),
    ("last-page", last_page),
    ("overlap", overlap),
    ("busy", busy),
    ("detach-twice", detach_twice),
    ("detach-after-close", detach_after_close),
    ("flush-range", flush_range),
    ("shorter-file", shorter_file),
    ("limits", limits),
    ("unsupported", unsupported),
];

/// Returns a mapping of the bare interface.
pub(crate) fn map(path: &str, access: Access) -> Mapping {
    let options = MapOptions::new().access(access);
    let file = <PluginStorage as Backend>::open(Path::new(path), options.rights()).expect("the file opens");
    Mapping::from_descriptor(file.into_descriptor().expect("it is the plugin's"), options.into())
        .expect("the file is mapped")
}

/// The name of an error, and of the argument.
fn refusal<T>(outcome: Result<T, Error>) -> (&'static str, String) {
    let error = wasi_mmap::Error::from(outcome.err().expect("it is refused"));
    (error.name(), error.argument().map_or(String::new(), |argument| argument.name.to_string()))
}

#[track_caller]
pub(crate) fn assert_refused<T>(outcome: Result<T, Error>, name: &str, argument: &str) {
    assert_eq!(refusal(outcome), (name, argument.to_owned()));
}

const PAGE64: u64 = PAGE as u64;

fn granularity() {
    assert_eq!(window::granularity().expect("there are windows"), PAGE64);
}

fn refused_places() {
    let mapping = map(&make_file("f", 4), Access::Read);
    let pages = Pages::<4>::new().bytes();
    let attach = |anchor: &[u8], length| Window::attach(&mapping, anchor, end(pages), 0, length, WindowMode::Read);
    assert_refused(attach(&[], PAGE64), "invalid", "anchor");
    assert_refused(attach(&pages[1..2], PAGE64), "invalid", "anchor");
    assert_refused(attach(&pages[PAGE / 2..], PAGE64), "invalid", "anchor");
    // The end of this program's memory, at its last page: two do not fit.
    let last = core::arch::wasm32::memory_size(0) * 65536 - PAGE;
    // SAFETY: the page exists; the slice is only passed on, and its contents are not read.
    let anchor = unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance::<u8>(last), 1) };
    assert_refused(attach(anchor, 2 * PAGE64), "out-of-range", "end");
    // What is not shown to be the plugin's.
    let attach = |end: &[u8], length| Window::attach(&mapping, &pages[..1], end, 0, length, WindowMode::Read);
    assert_refused(attach(&[], PAGE64), "invalid", "end");
    assert_refused(attach(&pages[..1], PAGE64), "out-of-range", "end");
    assert_refused(attach(&pages[..PAGE - 1], PAGE64), "out-of-range", "end");
    assert_refused(attach(&pages[PAGE - 1..PAGE], 2 * PAGE64), "out-of-range", "end");
    assert_refused(attach(end(pages), 5 * PAGE64), "out-of-range", "length");
    drop(attach(&pages[PAGE - 1..PAGE], PAGE64).expect("a page that ends there"));
    assert_eq!(peek(pages, 0), 0, "nothing was attached");
}

fn refused_parts() {
    let path = make_file("f", 4);
    let (reading, writing) = (map(&path, Access::Read), map(&path, Access::Write));
    let pages = Pages::<4>::new().bytes();
    let attach = |mapping: &Mapping, offset, length, mode| {
        Window::attach(mapping, &pages[..1], end(pages), offset, length, mode)
    };
    assert_refused(attach(&reading, 0, PAGE64, WindowMode::Write), "read-only", "");
    assert_refused(attach(&writing, 0, 0, WindowMode::Read), "invalid", "length");
    assert_refused(attach(&writing, 1, PAGE64, WindowMode::Read), "invalid", "offset");
    assert_refused(attach(&writing, 0, PAGE64 + 1, WindowMode::Read), "invalid", "length");
    assert_refused(attach(&writing, 5 * PAGE64, PAGE64, WindowMode::Read), "out-of-range", "offset");
    assert_refused(attach(&writing, 4 * PAGE64, PAGE64, WindowMode::Read), "out-of-range", "length");
    assert_refused(attach(&writing, PAGE64, 4 * PAGE64, WindowMode::Read), "out-of-range", "length");
    assert_refused(attach(&writing, PAGE64, u64::MAX, WindowMode::Read), "out-of-range", "length");
    assert_refused(attach(&writing, u64::MAX - PAGE64 + 1, PAGE64, WindowMode::Read), "out-of-range", "offset");
    writing.close().expect("it closes");
    assert_refused(attach(&writing, 0, PAGE64, WindowMode::Read), "closed", "");
    assert_eq!(peek(pages, 0), 0, "nothing was attached");
}

fn last_page() {
    let path = make_file("f", 2);
    std::fs::write(&path, [&[b'x'; PAGE][..], b"end"].concat()).expect("a file");
    let mapping = map(&path, Access::Write);
    let pages = Pages::<4>::new().bytes();
    let window = Window::attach(&mapping, &pages[..1], end(pages), PAGE64, 3, WindowMode::Write).expect("it fits");
    assert_eq!([0, 1, 2, 3, PAGE - 1].map(|at| peek(pages, at)), [b'e', b'n', b'd', 0, 0]);
    assert_eq!(peek(pages, PAGE), 0, "the next page is not the file's");
    window.flush(0, None).expect("it flushes");
    window.detach().expect("it detaches");
    assert_eq!(std::fs::metadata(&path).expect("a file").len(), PAGE64 + 3);
}

fn overlap() {
    let path = make_file("f", 4);
    let (one, other) = (map(&path, Access::Read), map(&path, Access::Read));
    let pages = Pages::<6>::new().bytes();
    let attach = |mapping: &Mapping, page: usize, length: usize| {
        Window::attach(mapping, &pages[page * PAGE..][..1], end(pages), 0, (length * PAGE) as u64, WindowMode::Read)
    };
    let first = attach(&one, 2, 2).expect("it is free");
    assert_refused(attach(&one, 2, 2), "busy", "");
    assert_refused(attach(&other, 1, 2), "busy", "");
    assert_refused(attach(&other, 3, 1), "busy", "");
    assert_refused(attach(&other, 0, 4), "busy", "");
    // Adjacent windows are allowed, and so is the same part in two places.
    let (left, right) = (attach(&one, 0, 2).expect("it is free"), attach(&other, 4, 2).expect("it is free"));
    assert_eq!([0, 2, 4].map(|page| peek(pages, page * PAGE)), [b'a'; 3]);
    drop(first);
    let again = attach(&other, 2, 2).expect("it is free again");
    drop((left, right, again));
    assert_eq!([0, 2, 4].map(|page| peek(pages, page * PAGE)), [0; 3]);
}

fn busy() {
    let mapping = map(&make_file("f", 4), Access::Write);
    let pages = Pages::<2>::new().bytes();
    let attach =
        || Window::attach(&mapping, &pages[..1], end(pages), 0, PAGE64, WindowMode::Write).expect("it is free");
    let window = attach();
    assert_refused(mapping.close(), "busy", "");
    assert_refused(mapping.resize(PAGE64), "busy", "");
    assert_refused(mapping.resize(9 * PAGE64), "busy", "");
    assert_refused(mapping.refresh(), "busy", "");
    assert!(!mapping.is_closed());
    window.detach().expect("it detaches");
    mapping.resize(2 * PAGE64).expect("it is free");
    // Dropping the handle detaches, too.
    drop(attach());
    mapping.resize(PAGE64).expect("it is free");
    // A mapping whose handle is dropped stays as long as its window.
    let window = attach();
    drop(mapping);
    assert_eq!(peek(pages, 0), b'a');
    window.flush(0, None).expect("it flushes");
    drop(window);
    assert_eq!(peek(pages, 0), 0);
}

fn detach_twice() {
    let mapping = map(&make_file("f", 1), Access::Write);
    let pages = Pages::<1>::new().bytes();
    let window = Window::attach(&mapping, &pages[..1], end(pages), 0, PAGE64, WindowMode::Write).expect("it is free");
    window.detach().expect("it detaches");
    assert_eq!(peek(pages, 0), 0);
    pages[0] = 7;
    window.detach().expect("it is no error");
    assert_eq!(peek(pages, 0), 7, "nothing happened");
    assert_refused(window.flush(0, None), "closed", "");
    assert_refused(window.check(), "closed", "");
    drop(window);
    assert_eq!(peek(pages, 0), 7);
}

fn detach_after_close() {
    let mapping = map(&make_file("f", 1), Access::Write);
    let pages = Pages::<1>::new().bytes();
    let window = Window::attach(&mapping, &pages[..1], end(pages), 0, PAGE64, WindowMode::Write).expect("it is free");
    window.detach().expect("it detaches");
    mapping.close().expect("it closes");
    pages[0] = 7;
    window.detach().expect("it is no error");
    assert_refused(window.flush(0, None), "closed", "");
    drop((mapping, window));
    assert_eq!(peek(pages, 0), 7, "nothing happened");
}

fn flush_range() {
    let mapping = map(&make_file("f", 4), Access::Write);
    let pages = Pages::<2>::new().bytes();
    let window =
        Window::attach(&mapping, &pages[..1], end(pages), PAGE64, 2 * PAGE64, WindowMode::Write).expect("it is free");
    window.flush(0, None).expect("all");
    window.flush(PAGE64, Some(PAGE64)).expect("a part");
    window.flush(2 * PAGE64, None).expect("nothing");
    assert_refused(window.flush(2 * PAGE64 + 1, None), "out-of-range", "offset");
    assert_refused(window.flush(PAGE64, Some(PAGE64 + 1)), "out-of-range", "length");
    assert_refused(window.flush(1, Some(u64::MAX)), "out-of-range", "length");
    assert_refused(window.flush(1, None), "invalid", "offset");
}

fn shorter_file() {
    let path = make_file("f", 4);
    let mapping = map(&path, Access::Write);
    let pages = Pages::<4>::new().bytes();
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("a file");
    let attach = |pages: &[u8]| Window::attach(&mapping, &pages[..1], end(pages), 0, 4 * PAGE64, WindowMode::Write);
    let window = attach(pages).expect("the file is whole");
    assert_eq!(peek(pages, 3 * PAGE), b'd');
    window.check().expect("nothing was lost");
    file.set_len(PAGE64).expect("shorter");
    // What is there is there; the rest reads as zeros, and is reported.
    assert_eq!(peek(pages, 0), b'a');
    window.check().expect("nothing that was read was lost");
    assert_eq!([PAGE, 3 * PAGE].map(|at| peek(pages, at)), [0, 0]);
    assert_refused(window.check(), "truncated", "");
    crate::poke(pages, 2 * PAGE, 1);
    assert_refused(window.check(), "truncated", "");
    window.detach().expect("it detaches");
    assert_refused(attach(pages), "truncated", "");
    file.set_len(4 * PAGE64).expect("longer");
    let window = attach(pages).expect("the file is whole again");
    assert_eq!([0, 2 * PAGE].map(|at| peek(pages, at)), [b'a', 0], "what was written to a lost page was lost");
    window.check().expect("nothing was lost");
}

/// The host of this check allows 3 windows of 5 pages.
fn limits() {
    let mapping = map(&make_file("f", 4), Access::Read);
    let attach = |pages: usize| {
        let place = Pages::<4>::new().bytes();
        Window::attach(&mapping, &place[..1], end(place), 0, (pages * PAGE) as u64, WindowMode::Read)
    };
    let (one, two) = (attach(2).expect("2 of 5"), attach(1).expect("3 of 5"));
    assert_refused(attach(3), "limit-exceeded", "");
    let three = attach(2).expect("5 of 5");
    assert_refused(attach(1), "limit-exceeded", "");
    drop(two);
    assert_refused(attach(2), "limit-exceeded", "");
    drop((one, three));
    attach(4).expect("4 of 5");
}

/// The host of this check has no windows.
fn unsupported() {
    let mapping = map(&make_file("f", 1), Access::Read);
    let pages = Pages::<1>::new().bytes();
    assert_refused(Window::attach(&mapping, &pages[..1], end(pages), 0, PAGE64, WindowMode::Read), "unsupported", "");
}
