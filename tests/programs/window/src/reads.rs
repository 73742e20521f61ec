//! Small reads and lines of the library, which a window may serve: each check holds with and without windows.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};

use wasi_mmap::bindings::wasi_mmap::mmap::window;
use wasi_mmap::{Access, Error, Mapping, Views};

use crate::{Check, PAGE, make_file};

pub(crate) const CHECKS: &[Check] = &[
    ("reads-of-a-changing-file", changing),
    ("reads-of-a-shorter-file", shorter),
    ("reads-of-zeros", zeros),
    ("reads-and-own-writes", own_writes),
    ("reads-then-resize-and-close", resize_and_close),
    ("reads-of-many-mappings", many),
    ("reads-leave-windows-for-views", leave_windows),
    ("reads-in-both-directions", both_directions),
    ("lines-across-windows", lines),
];

/// More reads than it takes for a window to be worth its price.
const MANY: u64 = 1000;

/// Reads the first byte often.
#[track_caller]
fn warm_up(mapping: &Mapping) {
    for _ in 0..MANY {
        mapping.get(0).expect("a byte");
    }
}

/// Writes to a file through a descriptor of its own.
fn write(path: &str, offset: u64, bytes: &[u8]) {
    let mut file = OpenOptions::new().write(true).open(path).expect("the file opens");
    file.seek(SeekFrom::Start(offset)).and_then(|_| file.write_all(bytes)).expect("it is written");
}

fn set_len(path: &str, len: usize) {
    OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(len as u64)).expect("it has a new length");
}

/// What another writes is read at once.
fn changing() {
    let path = make_file("f", 8);
    let mut mapping = Mapping::open(&path).expect("a mapping");
    warm_up(&mapping);
    for round in b'a'..=b'z' {
        let at = usize::from(round - b'a') * 1200;
        write(&path, at as u64, &[round, b'\n']);
        assert_eq!(mapping.get(at as i64).expect("a byte"), round);
        assert_eq!(mapping.read_range(at as u64..at as u64 + 2).expect("bytes"), [round, b'\n']);
        mapping.seek(SeekFrom::Start(at as u64)).expect("it is within");
        assert_eq!(mapping.read_line().expect("a line"), [round, b'\n']);
    }
}

/// What is lost is an error, at every size of read, and can be had again afterwards.
fn shorter() {
    let path = make_file("f", 8);
    let mut mapping = Mapping::open(&path).expect("a mapping");
    warm_up(&mapping);
    mapping.get(7 * PAGE as i64).expect("a byte");
    set_len(&path, 4 * PAGE);
    let lost = 5 * PAGE as u64;
    assert!(matches!(mapping.get(lost as i64), Err(Error::Truncated)));
    assert!(matches!(mapping.read_range(lost - PAGE as u64 - 4..lost + 4), Err(Error::Truncated)));
    mapping.seek(SeekFrom::Start(lost - 2 * PAGE as u64)).expect("it is within");
    let mut line = b"before".to_vec();
    assert!(matches!(mapping.read_line_into(&mut line), Err(Error::Truncated)));
    assert_eq!(line, b"before");
    // The bytes before the end are there as ever.
    warm_up(&mapping);
    assert_eq!(mapping.get(4 * PAGE as i64 - 1).expect("a byte"), b'd');
    set_len(&path, 8 * PAGE);
    write(&path, lost, &[b'z'; PAGE]);
    mapping.refresh().expect("it is refreshed");
    warm_up(&mapping);
    assert_eq!(mapping.get(lost as i64).expect("a byte"), b'z');
    assert_eq!(mapping.get(4 * PAGE as i64).expect("a byte"), 0);
}

/// Zeros of the file are no loss.
fn zeros() {
    let path = "/scratch/zeros";
    fs::write(path, vec![0; 4 * PAGE]).expect("a file");
    let mut mapping = Mapping::open(path).expect("a mapping");
    warm_up(&mapping);
    assert_eq!(mapping.read_range(PAGE as u64 - 10..PAGE as u64 + 10).expect("bytes"), [0; 20]);
    assert_eq!(mapping.read_line().expect("a line"), vec![0; 4 * PAGE]);
    assert_eq!(mapping.read_line().expect("the end"), b"");
}

/// A mapping reads what it has written.
fn own_writes() {
    for access in [Access::Write, Access::Copy] {
        let path = make_file("f", 2);
        let mut mapping = Mapping::options().access(access).open(&path).expect("a mapping");
        warm_up(&mapping);
        for round in 0..100u8 {
            mapping.set(100, round).expect("it is written");
            assert_eq!(mapping.get(100).expect("a byte"), round, "{access:?}");
        }
        let in_file = fs::read(&path).expect("a file")[100];
        assert_eq!(in_file, if access == Access::Write { 99 } else { b'a' });
    }
    let mut mapping = Mapping::anonymous(2 * PAGE as u64).expect("memory");
    warm_up(&mapping);
    mapping.write_all_at(b"abc", 5).expect("it is written");
    assert_eq!(mapping.read_range(4..9).expect("bytes"), b"\0abc\0");
}

/// No window is in the way of what a mapping with one cannot do.
fn resize_and_close() {
    let path = make_file("f", 2);
    let mut mapping = Mapping::options().access(Access::Write).open(&path).expect("a mapping");
    warm_up(&mapping);
    mapping.resize(4 * PAGE as u64).expect("it is longer");
    warm_up(&mapping);
    mapping.write_all_at(b"!", 3 * PAGE as u64).expect("it is written");
    assert_eq!(mapping.get(3 * PAGE as i64).expect("a byte"), b'!');
    mapping.resize(PAGE as u64).expect("it is shorter");
    warm_up(&mapping);
    assert!(mapping.get(PAGE as i64).is_err());
    mapping.close().expect("it closes");
    assert!(matches!(mapping.get(0), Err(Error::Closed)));
    // Dropping closes, too: the host counts what is left when the plugin ends.
    let mapping = Mapping::open(&path).expect("a mapping");
    warm_up(&mapping);
}

/// More mappings than have windows at a time.
fn many() {
    let path = make_file("f", 20);
    let mappings: Vec<_> = (0..20).map(|_| Mapping::open(&path).expect("a mapping")).collect();
    for _ in 0..3 {
        for (index, mapping) in mappings.iter().enumerate() {
            for _ in 0..MANY / 10 {
                assert_eq!(mapping.get((index * PAGE) as i64).expect("a byte"), b'a' + index as u8);
            }
        }
    }
}

/// Under a limit of one window, a view is a window all the same, and reads go on beside it.
fn leave_windows() {
    let path = make_file("f", 4);
    let mapping = Mapping::open(&path).expect("a mapping");
    warm_up(&mapping);
    // SAFETY: nobody writes to the file.
    let view = unsafe { mapping.view(..) }.expect("a view");
    assert_eq!(view.is_zero_copy(), window::granularity().is_ok());
    warm_up(&mapping);
    assert_eq!((view[0], mapping.get(PAGE as i64).expect("a byte")), (b'a', b'b'));
}

/// Forwards, backwards and around, over several windows' lengths.
fn both_directions() {
    const LEN: usize = 3 * (1 << 20) + 12_345;
    let bytes: Vec<u8> = (0..LEN).map(|index| (index * 7 / 3 % 251) as u8).collect();
    fs::write("/scratch/long", &bytes).expect("a file");
    let mapping = Mapping::open("/scratch/long").expect("a mapping");
    let check = |index: usize, len: usize| {
        let end = (index + len).min(LEN);
        let read = mapping.read_range(index as u64..end as u64).expect("bytes");
        assert!(read == bytes[index..end], "{len} bytes at {index}");
    };
    (0..LEN).step_by(509).for_each(|index| check(index, 9));
    (0..LEN).step_by(509).rev().for_each(|index| check(index, 700));
    (0..LEN).step_by(7001).for_each(|index| check(index, 5000));
    (0..20_000).for_each(|index| check(index * 48_271 % LEN, index % 40));
    assert_eq!(mapping.get(-1).expect("a byte"), bytes[LEN - 1]);
}

/// Lines of many lengths, of which some are longer than a window.
fn lines() {
    let lengths = (0..3000).map(|index| index * 37 % 2000).chain([20_000, 1 << 20, 3 << 20, 0, 1]);
    let lengths: Vec<usize> = lengths.chain((0..3000).map(|index| index % 90)).chain([123]).collect();
    let line = |index: usize, len: usize| vec![b'a' + (index % 26) as u8; len];
    let mut text: Vec<u8> =
        lengths.iter().enumerate().flat_map(|(index, &len)| [line(index, len), vec![b'\n']].concat()).collect();
    // The last line has no line feed.
    text.pop();
    fs::write("/scratch/lines", &text).expect("a file");
    let mut mapping = Mapping::open("/scratch/lines").expect("a mapping");
    for (index, &len) in lengths.iter().enumerate() {
        let read = mapping.read_line().expect("a line");
        let body = read.strip_suffix(b"\n").unwrap_or(&read);
        assert!(body == line(index, len), "line {index}");
    }
    assert_eq!(mapping.tell().expect("the end"), text.len() as u64);
    assert_eq!(mapping.read_line().expect("the end"), b"");
}
