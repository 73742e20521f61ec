//! Calls that take long: an interrupt must end each, and the result must not depend on the chunks.

use wasi_mmap::bindings::wasi_mmap::mmap::mapping::Mapping;
use wasi_mmap::bindings::wasi_mmap::mmap::types::{
    Access as WitAccess, MapFlags, MapOptions as WitOptions, Ordering, Range, Slice, WindowMode,
};
use wasi_mmap::bindings::wasi_mmap::mmap::window::Window;
use wasi_mmap::{Access, Error, PluginStorage};
use wasi_mmap_core::{Backend, MapOptions};

use crate::{Trick, end};

pub(crate) const TRICKS: &[Trick] = &[
    ("read-steps", read_steps),
    ("read-backwards", read_backwards),
    ("write-steps", write_steps),
    ("read-all", read_all),
    ("read-all-at", read_all_at),
    ("read-endless-line", read_endless_line),
    ("read-many-ranges", read_many_ranges),
    ("write-all", write_all),
    ("write-all-at", write_all_at),
    ("compare-all", compare_all),
    ("needle-beside-a-window", needle_beside_a_window),
    ("pieces-of-slices", pieces_of_slices),
    ("pieces-of-the-rest", pieces_of_the_rest),
];

const PAGE: u64 = 4096;

/// A number of bytes that the host handles in many chunks.
const MANY: u64 = 256 << 20;

/// The number of ranges that can be passed in one call: the engine has a limit of its own.
const MANY_TO_PASS: usize = 112 << 20;

/// The sparse file that the test has made, by the bare interface.
fn large(access: Access) -> Result<Mapping, Error> {
    let options = MapOptions::new().access(access).flags(wasi_mmap::MapFlags::NO_RESERVE);
    let file = <PluginStorage as Backend>::open("/scratch/large".as_ref(), options.rights())?;
    Ok(Mapping::from_descriptor(file.into_descriptor().expect("it is the plugin's"), options.into())?)
}

fn every_page(len: u64) -> Slice {
    Slice { start: Some(0), stop: Some(len.cast_signed()), step: PAGE.cast_signed() }
}

fn read_steps() -> Result<String, Error> {
    Ok(format!("{} bytes", large(Access::Read)?.read_slice(every_page(1 << 30))?.len()))
}

/// One by one: no page is left out.
fn read_backwards() -> Result<String, Error> {
    let slice = Slice { start: Some(MANY.cast_signed()), stop: None, step: -1 };
    Ok(format!("{} bytes", large(Access::Read)?.read_slice(slice)?.len()))
}

fn write_steps() -> Result<String, Error> {
    let bytes = vec![1; (MANY / PAGE) as usize];
    large(Access::Copy)?.write_slice(every_page(MANY), &bytes)?;
    Ok(format!("{} bytes", bytes.len()))
}

fn read_all() -> Result<String, Error> {
    Ok(format!("{} bytes", large(Access::Read)?.read(Some(MANY))?.len()))
}

fn read_all_at() -> Result<String, Error> {
    Ok(format!("{} bytes", large(Access::Read)?.read_at(PAGE, MANY)?.len()))
}

/// Reads a line of a file without a line feed.
fn read_endless_line() -> Result<String, Error> {
    Ok(format!("{} bytes", large(Access::Read)?.read_line()?.len()))
}

/// A byte of every page.
fn read_many_ranges() -> Result<String, Error> {
    let ranges: Vec<_> = (0..MANY / PAGE).map(|page| Range { offset: page * PAGE, length: 1 }).collect();
    Ok(format!("{} bytes", large(Access::Read)?.read_ranges(&ranges)?.len()))
}

fn write_all() -> Result<String, Error> {
    let count = large(Access::Copy)?.write(&vec![1; MANY_TO_PASS])?;
    Ok(format!("{count} bytes"))
}

fn write_all_at() -> Result<String, Error> {
    large(Access::Copy)?.write_at(PAGE, &vec![1; MANY_TO_PASS])?;
    Ok("written".into())
}

fn compare_all() -> Result<String, Error> {
    Ok(format!("{:?}", large(Access::Read)?.compare(PAGE, &vec![0; MANY_TO_PASS])?))
}

/// Private memory of which a page may lie in a window, by the second argument; and a needle that is nearly all that is
/// there.
fn needle_beside_a_window() -> Result<String, Error> {
    #[repr(C, align(4096))]
    struct Page([u8; PAGE as usize]);
    let pages: &'static Page = Box::leak(Box::new(Page([0; PAGE as usize])));
    let options = WitOptions { offset: 0, length: Some(MANY), access: WitAccess::Write, map_flags: MapFlags::PRIVATE };
    let mapping = Mapping::anonymous(options)?;
    let with_window = std::env::args().nth(2).is_some_and(|argument| argument == "window");
    let window = if with_window {
        Some(Window::attach(&mapping, &pages.0[..1], end(&pages.0), 0, PAGE, WindowMode::Read)?)
    } else {
        None
    };
    let mut needle = vec![0; 64 << 20];
    *needle.last_mut().expect("it has bytes") = 1;
    let found = [mapping.find(&needle, Some(0), None)?, mapping.rfind(&needle, Some(0), None)?];
    drop(window);
    Ok(format!("{found:?}"))
}

/// Bytes that do not repeat, in the plugin and in a mapping.
fn content(len: usize) -> Result<(Vec<u8>, Mapping), Error> {
    let bytes: Vec<u8> = (0..len).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let options =
        WitOptions { offset: 0, length: Some(len as u64), access: WitAccess::Write, map_flags: MapFlags::empty() };
    let mapping = Mapping::anonymous(options)?;
    mapping.write_at(0, &bytes)?;
    Ok((bytes, mapping))
}

/// Reads and writes slices that the host handles in chunks.
fn pieces_of_slices() -> Result<String, Error> {
    let len = 70 << 20;
    let (mut bytes, mapping) = content(len)?;
    for step in [-1i64, -2, 3, 64, -100, 1000, 4096, -4097] {
        for start in [None, Some(len as i64 / 2 + 5)] {
            let slice = Slice { start, stop: None, step };
            let first = match start {
                Some(start) => start as usize,
                None if step < 0 => len - 1,
                None => 0,
            };
            let places: Vec<usize> = std::iter::successors(Some(first), |at| at.checked_add_signed(step as isize))
                .take_while(|&at| at < len)
                .collect();
            let there = mapping.read_slice(slice)?;
            if there.len() != places.len() || !there.iter().zip(&places).all(|(&byte, &at)| byte == bytes[at]) {
                return Ok(format!("read from {start:?} in steps of {step}"));
            }
            let new: Vec<u8> = there.iter().enumerate().map(|(at, byte)| byte.wrapping_add(at as u8 | 1)).collect();
            mapping.write_slice(slice, &new)?;
            places.iter().zip(&new).for_each(|(&at, &byte)| bytes[at] = byte);
            if mapping.read_at(0, len as u64)? != bytes {
                return Ok(format!("write from {start:?} in steps of {step}"));
            }
        }
    }
    Ok("same".into())
}

/// All other operations that read, write and compare in chunks, and the cursor afterwards.
fn pieces_of_the_rest() -> Result<String, Error> {
    let len = 70usize << 20;
    let (mut bytes, mapping) = content(len)?;
    // No line feed.
    bytes.iter_mut().for_each(|byte| *byte |= 0x20);
    bytes[len - 10] = 0x40;
    // At the cursor, which moves. A write that does not fit writes nothing and leaves the cursor.
    let begin = 4097;
    mapping.seek(begin, wasi_mmap::bindings::wasi_mmap::mmap::types::Whence::Start)?;
    let begin = begin as usize;
    assert!(mapping.write(&bytes).is_err(), "too much");
    assert_eq!(mapping.tell()?, begin as u64);
    assert_eq!(mapping.write(&bytes[begin..])?, (len - begin) as u64);
    assert_eq!(mapping.tell()?, len as u64);
    mapping.write_at(0, &bytes[..begin])?;
    assert!(mapping.write_at(1, &bytes).is_err(), "too much");
    assert_eq!(mapping.compare(0, &bytes)?, Ordering::Equal);
    bytes[len - 10] += 1;
    assert_eq!(mapping.compare(0, &bytes)?, Ordering::Less);
    bytes[len - 10] -= 2;
    assert_eq!(mapping.compare(0, &bytes)?, Ordering::Greater);
    bytes[len - 10] += 1;
    assert!(mapping.compare(1, &bytes).is_err(), "too much");
    // A line feed far behind the first piece.
    let end = 40 << 20;
    mapping.set(end as i64, b'\n')?;
    bytes[end] = b'\n';
    mapping.seek(1, wasi_mmap::bindings::wasi_mmap::mmap::types::Whence::Start)?;
    assert!(mapping.read_line()? == bytes[1..=end], "a long line");
    assert_eq!(mapping.tell()?, end as u64 + 1);
    assert!(mapping.read_line()? == bytes[end + 1..], "the last line");
    assert!(mapping.read_line()?.is_empty(), "nothing is left");
    mapping.seek(3, wasi_mmap::bindings::wasi_mmap::mmap::types::Whence::Start)?;
    assert!(mapping.read(None)? == bytes[3..], "all the rest");
    assert_eq!(mapping.tell()?, len as u64);
    assert!(mapping.read_at(5, len as u64 - 7)? == bytes[5..len - 2], "a part");
    // Ranges of all lengths, long ones and many.
    let mut ranges = vec![Range { offset: 1, length: len as u64 - 2 }, Range { offset: len as u64, length: 0 }];
    ranges.extend((0..30_000).map(|number| Range { offset: number * 2003, length: number % 700 }));
    let part = |range: &Range| &bytes[range.offset as usize..][..range.length as usize];
    let expected: Vec<u8> = ranges.iter().flat_map(part).copied().collect();
    assert!(mapping.read_ranges(&ranges)? == expected, "ranges");
    Ok("same".into())
}
