//! Windows under a host whose calls of the system fail: `window under-failures KIND`. What is refused has changed
//! nothing, all of this program's memory is there after each call, and the next call works.

use std::fmt::Debug;

use wasi_mmap::Access;
use wasi_mmap::bindings::wasi_mmap::mmap::mapping::Mapping;
use wasi_mmap::bindings::wasi_mmap::mmap::types::{
    Access as WitAccess, Advice, Error, MapFlags, MapOptions, WindowMode,
};
use wasi_mmap::bindings::wasi_mmap::mmap::window::Window;
use wasi_mmap_conformance::memory::touch_everything;

use crate::rules::map;
use crate::{Check, PAGE, Pages, end, make_file, peek, poke};

pub(crate) const CHECKS: &[Check] = &[
    ("under-failures", under_failures),
    ("several-areas", several_areas),
    ("drop-under-failures", drop_under_failures),
];

/// The number of pages of a mapping.
const COUNT: usize = 4;

/// Makes a call that may fail once, and returns the result of the second attempt.
fn insist<T: Debug>(what: &str, mut call: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    let mut attempt = || {
        let outcome = call();
        touch_everything();
        outcome.inspect_err(|error| println!("{what}: {error:?}"))
    };
    attempt().or_else(|_| attempt())
}

fn private_memory(len: usize) -> Mapping {
    let options =
        MapOptions { offset: 0, length: Some(len as u64), access: WitAccess::Write, map_flags: MapFlags::PRIVATE };
    Mapping::anonymous(options).expect("memory")
}

/// Numbers for the pages of a mapping.
fn letters() -> Vec<u8> {
    (0..COUNT as u8).flat_map(|page| [b'a' + page; PAGE]).collect()
}

fn under_failures() {
    let kind = std::env::args().nth(2).expect("a kind of window");
    let (mapping, mode) = match kind.as_str() {
        "write" => (map(&make_file("f", COUNT), Access::Write), WindowMode::Write),
        "read" => (map(&make_file("f", COUNT), Access::Read), WindowMode::Read),
        "copy" => (map(&make_file("f", COUNT), Access::Copy), WindowMode::Write),
        "anonymous" => {
            let mapping = private_memory(COUNT * PAGE);
            mapping.write_at(0, &letters()).expect("it writes");
            (mapping, WindowMode::Write)
        }
        other => panic!("no such kind: {other}"),
    };
    let mut expected = letters();
    let whole = |mapping: &Mapping| mapping.read_at(0, (COUNT * PAGE) as u64).expect("it reads");
    let pages = Pages::<COUNT>::new().bytes();
    // All of it, then a part.
    for (round, range) in [(0, 0..COUNT * PAGE), (1, PAGE..3 * PAGE)] {
        pages.fill(7);
        let (offset, length) = (range.start as u64, range.len() as u64);
        let window = insist("attach", || {
            let attached = Window::attach(&mapping, &pages[..1], end(pages), offset, length, mode);
            if attached.is_err() {
                // A refused window has left the memory as it was, or as zeros, and nothing of the mapping in it.
                assert!([0, 7].contains(&peek(pages, 0)));
                let first = peek(pages, 0);
                assert!((0..range.len()).step_by(64).all(|at| peek(pages, at) == first));
            }
            assert!(whole(&mapping) == expected);
            attached
        });
        let window = match window {
            Ok(window) => window,
            // What did not come back in one piece is not moved again.
            Err(Error::Unsupported(_)) if round == 1 && matches!(kind.as_str(), "copy" | "anonymous") => continue,
            Err(error) => panic!("attach is refused again: {error:?}"),
        };
        assert!((0..range.len()).step_by(64).all(|at| peek(pages, at) == expected[range.start + at]));
        if matches!(mode, WindowMode::Write) {
            poke(pages, 9, b'0' + round);
            expected[range.start + 9] = b'0' + round;
        }
        assert!(whole(&mapping) == expected);
        if kind == "write" {
            change_modes(&window, pages, &expected[range.clone()]);
            assert!(whole(&mapping) == expected);
        }
        // A refused growth is allowed, too.
        core::arch::wasm32::memory_grow(0, 1);
        touch_everything();
        insist("detach", || {
            let detached = window.detach();
            assert!(whole(&mapping) == expected);
            detached
        })
        .expect("it detaches");
        assert!((0..range.len()).step_by(64).all(|at| peek(pages, at) == 0), "zeros are left");
        assert!(whole(&mapping) == expected);
    }
    mapping.close().expect("it is not busy");
}

/// Drops the handles of a window and of its mapping, and says whether the file is still in the memory.
fn drop_under_failures() {
    let mapping = map(&make_file("f", COUNT), Access::Write);
    let pages = Pages::<COUNT>::new().bytes();
    let Ok(window) = Window::attach(&mapping, &pages[..1], end(pages), 0, (COUNT * PAGE) as u64, WindowMode::Write)
    else {
        return;
    };
    drop(window);
    drop(mapping);
    let is_kept = peek(pages, 0) == b'a';
    assert!(is_kept || (0..COUNT * PAGE).step_by(64).all(|at| peek(pages, at) == 0));
    touch_everything();
    if is_kept {
        // The file is shorter now: a fault in the memory is still repaired.
        let file = std::fs::File::options().write(true).open("/scratch/f").expect("the file");
        file.set_len(PAGE as u64).expect("it is shorter");
        assert_eq!(peek(pages, 3 * PAGE), 0);
        println!("kept");
    }
}

/// Makes a window for writing one for reading, and back. `expected` are the bytes of the mapping.
fn change_modes(window: &Window, pages: &mut [u8], expected: &[u8]) {
    let shows = |pages: &[u8], first: u8| {
        peek(pages, 0) == first && (1..expected.len()).step_by(63).all(|at| peek(pages, at) == expected[at])
    };
    insist("to reading", || {
        let changed = window.set_mode(WindowMode::Read);
        assert!(shows(pages, expected[0]));
        changed
    })
    .expect("it is for reading");
    poke(pages, 0, b'?');
    insist("to writing", || {
        let changed = window.set_mode(WindowMode::Write);
        // A refused change leaves what was stored in the window.
        assert!(shows(pages, if changed.is_err() { b'?' } else { expected[0] }));
        changed
    })
    .expect("it is for writing");
}

/// Pages that lie in several areas of the host's memory: to move them takes the target away on kernels before Linux
/// 6.17, and fails. The window is refused, and everything is as it was.
fn several_areas() {
    const LEN: usize = 64 << 20;
    let mapping = private_memory(LEN);
    mapping.write_at(PAGE as u64, b"here").expect("it writes");
    mapping.advise(Advice::DontFork, 0, Some(PAGE as u64)).expect("it is advice");
    let mut memory = vec![7_u8; LEN + PAGE];
    let start = memory.as_ptr().align_offset(PAGE);
    let pages = &mut memory[start..start + LEN];
    for _ in 0..100 {
        let refused = Window::attach(&mapping, &pages[..1], end(pages), 0, LEN as u64, WindowMode::Write);
        let Err(error) = refused else { panic!("it is not refused") };
        assert!(matches!(error, Error::Unsupported(_)), "{error:?}");
        touch_everything();
        assert!((0..LEN).step_by(PAGE).all(|at| peek(pages, at) == 7), "it is as it was");
        assert_eq!(mapping.read_at(PAGE as u64, 4).expect("it reads"), b"here");
    }
    // Its parts may not be moved either; memory without such advice is.
    let other = private_memory(LEN);
    let window =
        Window::attach(&other, &pages[..1], end(pages), 0, LEN as u64, WindowMode::Write).expect("it is one area");
    touch_everything();
    window.detach().expect("it detaches");
}
