//! Views, as the guest library makes them of windows or of copies.

use std::fs;

use wasi_mmap::{Access, Mapping, Views};

use crate::{Check, PAGE, make_file};

pub(crate) const CHECKS: &[Check] = &[
    ("views-are-zero-copy", views_are_zero_copy),
    ("views-are-copies", views_are_copies),
    ("many-views", many_views),
    ("scan", scan),
    ("mutable-view", mutable_view),
    ("huge-file", huge_file),
];

/// A byte of a file as `make_file` makes them.
fn expected(at: usize) -> u8 {
    b'a' + (at / PAGE) as u8
}

fn check_views(is_zero_copy: bool) {
    let path = make_file("f", 5);
    fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|file| file.set_len(4 * PAGE as u64 + 10))
        .expect("shorter");
    let len = 4 * PAGE + 10;
    for access in [Access::Read, Access::Write, Access::Copy] {
        let mapping = Mapping::options().access(access).open(&path).expect("a mapping");
        for (offset, length) in
            [(0, len), (0, 1), (1, 1), (PAGE - 1, 2), (PAGE, PAGE), (100, 3 * PAGE), (len - 1, 1), (4 * PAGE, 10)]
        {
            // SAFETY: nobody else has the file.
            let view = unsafe { mapping.view(offset as u64..offset as u64 + length as u64) }.expect("a view");
            assert_eq!(view.is_zero_copy(), is_zero_copy, "{offset} {length}");
            assert_eq!(view.len(), length);
            assert!(view.iter().enumerate().all(|(at, &byte)| byte == expected(offset + at)), "{offset} {length}");
            view.check().expect("nothing was lost");
        }
        // SAFETY: as above.
        let empty = unsafe { mapping.view(7..7) }.expect("a view of nothing");
        assert!(empty.is_empty());
        // SAFETY: as above.
        let refused = unsafe { mapping.view(7..7 + len as u64) }.expect_err("past the end");
        assert_eq!((refused.name(), &*refused.argument().expect("an argument").name), ("out-of-range", "length"));
    }
    // Within a mapping that starts later in the file.
    let options = Mapping::options().offset(2 * PAGE as u64).length(PAGE as u64 + 3);
    let mapping = options.open(&path).expect("a mapping");
    // SAFETY: as above.
    let view = unsafe { mapping.view(PAGE as u64 - 1..PAGE as u64 + 3) }.expect("a view");
    assert_eq!((&*view, view.is_zero_copy()), (&b"cddd"[..], is_zero_copy));
}

/// A file of huge pages, which begins with `here`, has no windows, wherever they are to be.
fn huge_file() {
    for access in [Access::Read, Access::Write] {
        let mapping = Mapping::options().access(access).open("/scratch/file").expect("a mapping");
        for range in [0..4, 0..3 * PAGE as u64] {
            // SAFETY: nobody else has the file.
            let view = unsafe { mapping.view(range) }.expect("a view");
            assert_eq!((&view[..4], view.is_zero_copy()), (&b"here"[..], false));
        }
    }
}

fn views_are_zero_copy() {
    check_views(true);
}

fn views_are_copies() {
    check_views(false);
}

/// Twenty thousand views take the memory of the first few.
fn many_views() {
    let mapping = Mapping::open(make_file("f", 20)).expect("a mapping");
    let mut memory = 0;
    for round in 0..20_000u64 {
        // All lengths and places: the regions are not all of one size.
        let (offset, length) = (round * 37 % (10 * PAGE as u64), 1 + round * 101 % (9 * PAGE as u64));
        // SAFETY: nobody else has the file.
        let view = unsafe { mapping.view(offset..offset + length) }.expect("a view");
        assert!(view.is_zero_copy());
        assert_eq!(view[0], expected(offset as usize));
        drop(view);
        // By now, the allocator has met every size.
        if round == 4000 {
            memory = core::arch::wasm32::memory_size(0);
        }
    }
    assert_eq!(core::arch::wasm32::memory_size(0), memory, "the memory has grown");
}

/// A file that is larger than the memory, in windows of 64 MiB.
fn scan() {
    let mapping = Mapping::open("/scratch/large").expect("the host made it");
    let len = mapping.len().expect("a length");
    let (mut sum, mut seen) = (0u64, 0u64);
    let before = core::arch::wasm32::memory_size(0);
    // SAFETY: nobody else has the file.
    for view in unsafe { mapping.views(.., 64 << 20) }.expect("views") {
        let view = view.expect("a view");
        assert!(view.is_zero_copy());
        // SAFETY: any bytes are numbers.
        let (head, words, tail) = unsafe { view.align_to::<u64>() };
        sum = words.iter().fold(sum, |sum, word| sum.wrapping_add(*word));
        sum = head.iter().chain(tail).fold(sum, |sum, byte| sum.wrapping_add((*byte).into()));
        seen += view.len() as u64;
        view.check().expect("nothing was lost");
    }
    assert_eq!(seen, len);
    let pages = core::arch::wasm32::memory_size(0) - before;
    assert!(pages < 2 * 1024 + 16, "{pages} pages of 64 KiB for windows of 64 MiB");
    println!("{sum}");
}

/// Checks views of both kinds, windows and copies, on every backend.
fn mutable_view() {
    let path = make_file("f", 3);
    let mut mapping = Mapping::options().access(Access::Write).open(&path).expect("a mapping");
    // SAFETY: nobody else has the file.
    let mut view = unsafe { mapping.view_mut(PAGE as u64 - 2..PAGE as u64 + 2) }.expect("a view");
    assert_eq!(&*view, b"aabb");
    view[1..3].copy_from_slice(b"XY");
    view.flush().expect("it flushes");
    let file = fs::read(&path).expect("a file");
    assert_eq!(&file[PAGE - 3..PAGE + 3], b"aaXYbb");
    view[3] = b'Z';
    view.close().expect("it closes");
    assert_eq!(mapping.get(PAGE as i64 + 1).expect("it reads"), b'Z');
    // SAFETY: as above.
    let view = unsafe { mapping.view_mut(..0) }.expect("a view of nothing");
    drop(view);
    let mut reading = Mapping::open(&path).expect("a mapping");
    // SAFETY: as above.
    let refused = unsafe { reading.view_mut(..1) }.expect_err("it is read-only");
    assert_eq!(refused.name(), "read-only");
    // A copy keeps what was written through its views.
    let mut copy = Mapping::options().access(Access::Copy).open(&path).expect("a mapping");
    // SAFETY: as above.
    let mut view = unsafe { copy.view_mut(..1) }.expect("a view");
    view[0] = b'!';
    drop(view);
    assert_eq!((copy.get(0).expect("it reads"), mapping.get(0).expect("it reads")), (b'!', b'a'));
}
