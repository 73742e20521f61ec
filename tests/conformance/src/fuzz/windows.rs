//! Windows natively, without a plugin.

use std::ops::Range;
use std::{fs, ptr};

use wasi_mmap_core::{Access, Error, FlushFlags, Internals};
use wasi_mmap_native::{Mapping, Window, page_size};

use super::scratch;

/// The number of pages of the mapping.
const PAGES: usize = 6;
/// The maximum number of windows at a time, and of pages of each.
const PLACES: usize = 3;

/// Memory that windows lie in.
struct Memory(*mut u8, usize);

impl Memory {
    fn new(len: usize) -> Self {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
        // SAFETY: the kernel chooses where.
        let start = unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
        assert_ne!(start, libc::MAP_FAILED, "no memory");
        Self(start.cast(), len)
    }

    fn at(&self, place: usize) -> *mut u8 {
        assert!(place < self.1);
        self.0.wrapping_add(place)
    }

    fn read(&self, range: Range<usize>) -> Vec<u8> {
        assert!(range.end <= self.1);
        // SAFETY: the memory has these bytes, and nobody else uses them now.
        unsafe { std::slice::from_raw_parts(self.0.wrapping_add(range.start), range.len()) }.to_vec()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: nothing uses it any more: the windows were detached.
        unsafe { libc::munmap(self.0.cast(), self.1) };
    }
}

/// Checks that windows, their mapping and its file show the same bytes, whichever is written.
///
/// # Panics
///
/// If it is not.
pub fn windows(bytes: &[u8]) {
    let page = page_size() as usize;
    let len = (PAGES - 1) * page + 100;
    // A hundred steps: after each, everything is compared.
    let mut bytes = bytes.iter().copied().take(300);
    let mut next = move || bytes.next().map(usize::from);
    let Some(kind) = next() else { return };
    let access = [Access::Write, Access::Copy][kind % 2];
    let path = scratch().join("windows");
    let mut model: Vec<u8> = (0..len).map(|at| (at / 7 % 251) as u8).collect();
    fs::write(&path, &model).expect("a file");
    let mut mapping = Mapping::options().access(access).open(&path).expect("a mapping");
    let memory = Memory::new(PLACES * PAGES * page);
    let mut attached: [Option<(Window, bool)>; PLACES] = [const { None }; PLACES];
    while let (Some(what), Some(a), Some(b)) = (next(), next(), next()) {
        let place = a % PLACES;
        let start = place * PAGES * page;
        match what % 6 {
            0 | 1 if attached[place].is_none() => {
                let from = b % PAGES * page;
                let to = (from + (1 + b / 16 % PAGES) * page).min(len);
                let to_write = what % 6 == 0;
                // SAFETY: the pages are of `memory`, which outlives the window, and no other window lies there.
                let part = unsafe {
                    let storage = mapping.storage_mut().expect("it is open");
                    storage.attach_window(from as u64..to as u64, memory.at(start) as usize, to_write)
                };
                match part {
                    Ok(part) => {
                        assert_eq!(memory.read(start..start + to - from), model[from..to]);
                        attached[place] = Some((part, to_write));
                    }
                    // Pages of a copy exist once.
                    Err(Error::Busy) => assert_eq!(access, Access::Copy),
                    // Advice and moves may have made several areas of one.
                    Err(Error::Unsupported(_)) => assert_eq!(access, Access::Copy),
                    Err(error) => panic!("attaching: {error}"),
                }
            }
            0 | 1 => {
                let (part, to_write) = attached[place].as_mut().expect("the place is not free");
                *to_write = what % 6 == 0;
                // SAFETY: there are no references into the memory.
                let changed = unsafe {
                    let storage = mapping.storage_mut().expect("it is open");
                    storage.set_window_mode(part, *to_write)
                };
                changed.expect("its mode is set");
            }
            2 => {
                if let Some((part, _)) = attached[place].take() {
                    // SAFETY: nobody uses the memory.
                    unsafe { mapping.storage_mut().expect("it is open").detach_window(&part) }.expect("it detaches");
                    let count = part.addresses().len();
                    assert!(memory.read(start..start + count).iter().all(|&byte| byte == 0), "zeros are left");
                }
            }
            3 => {
                // A copy's windows are its memory, whatever they were attached for.
                if let Some((part, true)) = &attached[place] {
                    let range = part.range();
                    let at = (a * 256 + b) * 13 % (range.end - range.start) as usize;
                    // SAFETY: the place is in the window.
                    unsafe { memory.at(start + at).write_volatile(b as u8) };
                    model[range.start as usize + at] = b as u8;
                }
            }
            4 => {
                let at = (a * 256 + b) * 29 % len;
                let count = (a + 1).min(len - at);
                mapping.write_all_at(&vec![b as u8; count], at as u64).expect("it writes");
                model[at..at + count].fill(b as u8);
            }
            _ => {
                mapping.flush_range(.., FlushFlags::SYNC).expect("it flushes");
                let at = (a * 256 + b) * 31 % len;
                assert_eq!(
                    mapping.find_from_cursor(&model[at..(at + 9).min(len)], Some(at as i64), None),
                    Ok(Some(at as u64))
                );
            }
        }
        assert!(mapping.read_range(..len as u64).expect("it reads") == model, "the mapping differs");
        for (place, part) in attached.iter().enumerate() {
            if let Some((part, to_write)) = part {
                let range = part.range().start as usize..part.range().end as usize;
                let start = place * PAGES * page;
                // A window to read shows a shared mapping's writes as long as its own pages are untouched: here,
                // always.
                let seen = memory.read(start..start + range.len());
                assert!(seen == model[range], "the window {place}, to write: {to_write}, differs");
                part.check().expect("nothing was lost");
            }
        }
    }
    for (part, _) in attached.into_iter().flatten() {
        // SAFETY: nobody uses the memory.
        unsafe { mapping.storage_mut().expect("it is open").detach_window(&part) }.expect("it detaches");
    }
    let expected: Vec<u8> = match access {
        Access::Write => model,
        _ => (0..len).map(|at| (at / 7 % 251) as u8).collect(),
    };
    mapping.close().expect("no window is left");
    assert!(fs::read(&path).expect("the file is there") == expected, "the file differs");
}
