//! One plugin after the other in the same memory: what the first one leaves, the second one must not see.

use std::fs;
use std::hint::black_box;

use wasi_mmap::Access;
use wasi_mmap::bindings::wasi_mmap::mmap::mapping::Mapping;
use wasi_mmap::bindings::wasi_mmap::mmap::types::{Access as WitAccess, MapFlags, MapOptions, WindowMode};
use wasi_mmap::bindings::wasi_mmap::mmap::window::Window;

use crate::rules::{assert_refused, map};
use crate::{Check, PAGE, Pages, end, make_file, peek, poke};

pub(crate) const CHECKS: &[Check] = &[
    ("leave-secret", leave_secret),
    ("find-no-secret", find_no_secret),
    ("over-data-refused", over_data_refused),
    ("data-is-whole", data_is_whole),
];

/// All bits of a word of the secret are the opposite of this, so that the word itself is in no plugin.
const OPPOSITE: u64 = 0x1234_5678_9abc_def0;

/// The number of pages of each window.
const COUNT: usize = 64;

/// The number of bytes that both plugins grow their memory by.
const GROWTH: usize = 32 << 20;

fn secret() -> Vec<u8> {
    (!black_box(OPPOSITE)).to_le_bytes().repeat(COUNT * PAGE / 8)
}

fn grow() {
    assert_ne!(core::arch::wasm32::memory_grow(0, GROWTH >> 16), usize::MAX);
}

/// Ends with windows of every kind attached, each of which is full of the secret, and with the secret in own memory.
fn leave_secret() {
    grow();
    let path = make_file("leaked-secret", 1);
    fs::write(&path, secret()).expect("a file");
    let length = (COUNT * PAGE) as u64;
    let options =
        MapOptions { offset: 0, length: Some(length), access: WitAccess::Write, map_flags: MapFlags::empty() };
    let memory = Mapping::anonymous(options).expect("memory");
    memory.write_at(0, &secret()).expect("it writes");
    for (mapping, mode) in [
        (map(&path, Access::Write), WindowMode::Write),
        (map(&path, Access::Read), WindowMode::Read),
        (map(&path, Access::Copy), WindowMode::Write),
        (memory, WindowMode::Write),
    ] {
        let pages = Pages::<COUNT>::new().bytes();
        std::mem::forget(Window::attach(&mapping, &pages[..1], end(pages), 0, length, mode).expect("it is free"));
        assert_eq!(peek(pages, 0), !OPPOSITE.to_le_bytes()[0]);
        if mode == WindowMode::Write {
            poke(pages, 8, !OPPOSITE.to_le_bytes()[0]);
        }
        std::mem::forget(mapping);
    }
    std::mem::forget(secret());
}

/// Looks at all of the memory for the secret.
fn find_no_secret() {
    grow();
    let size = core::arch::wasm32::memory_size(0) << 16;
    let is_secret = |at: &usize| {
        // SAFETY: the word is in the memory.
        let word = unsafe { std::ptr::with_exposed_provenance::<u64>(*at).read_volatile() };
        word == !black_box(OPPOSITE)
    };
    // One may be on this program's own stack.
    let found = (0..size).step_by(8).filter(is_secret).count();
    assert!(found < 8, "{found} words of another plugin");
}

static DATA: Pages<3> = Pages([[b'D'; PAGE]; 3]);

/// The host does not put a window over the initial data of this program, which the next one starts from.
fn over_data_refused() {
    let mapping = map(&make_file("f", 1), Access::Read);
    let data = &DATA.0[1];
    let attached = Window::attach(&mapping, &data[..1], end(data), 0, PAGE as u64, WindowMode::Read);
    assert_refused(attached, "unsupported", "");
    data_is_whole();
}

fn data_is_whole() {
    assert!(DATA.0.as_flattened().iter().all(|byte| *black_box(byte) == b'D'));
}
