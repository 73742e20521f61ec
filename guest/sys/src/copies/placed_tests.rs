//! Copies at addresses that the caller chooses.

use std::io::ErrorKind;
use std::ptr::NonNull;
use std::sync::Arc;

use super::tests::{Fake, copies, extents, read, write};
use super::{Copies, Memory, PAGE, Placed, Shared};

/// Maps a part of a file in memory, which must live as long as the mapping.
fn place(
    copies: &'static Copies<Fake>,
    file: &Fake,
    offset: usize,
    memory: &Memory,
    can_write: bool,
    can_be_found: bool,
) -> Placed<Fake> {
    let start = NonNull::new(memory.ptr()).expect("memory");
    let file = Arc::new(file.clone());
    // SAFETY: the memory is new, and the tests keep it as long as the mapping.
    let placed = unsafe { Placed::new(copies, file, offset as u64, start, memory.len(), can_write, can_be_found) };
    placed.expect("a mapping")
}

fn memory(pages: usize) -> Memory {
    Memory::new(pages * PAGE).expect("memory")
}

#[test]
fn the_memory_is_found_as_a_whole() {
    let (copies, file, other) = (copies(), Fake::new(&[b'.'; 4 * PAGE]), Fake::new(&[b'.'; 4 * PAGE]));
    let all = memory(4);
    let find = |file: &Fake, page: usize, pages: usize| {
        Placed::find(copies, file, (page * PAGE) as u64, pages * PAGE)
            .map(|start| (start.addr() - all.ptr().addr()) / PAGE)
    };
    assert_eq!(find(&file, 0, 1), None);
    let mut first = place(copies, &file, 0, &all, true, true);
    assert_eq!([find(&file, 0, 4), find(&file, 1, 2), find(&file, 3, 1)], [Some(0), Some(1), Some(3)]);
    assert_eq!([find(&file, 3, 2), find(&file, 4, 1), find(&other, 0, 1)], [None; 3]);
    // In parts, it is still in one place.
    let mut second = first.split_off(PAGE).expect("memory");
    let third = second.split_off(2 * PAGE).expect("memory");
    assert_eq!(extents(copies), 3);
    assert_eq!([find(&file, 0, 4), find(&file, 1, 3), find(&file, 2, 1)], [Some(0), Some(1), Some(2)]);
    drop(second);
    assert_eq!([find(&file, 0, 4), find(&file, 0, 2), find(&file, 2, 1)], [None; 3]);
    assert_eq!([find(&file, 0, 1), find(&file, 3, 1)], [Some(0), Some(3)]);
    drop((first, third));
    // Private ones are nobody else's, and neither are those of `Shared`.
    let private = place(copies, &file, 0, &all, false, false);
    let shared = Shared::new(copies, file.clone(), 0, PAGE, false).expect("a mapping");
    assert_eq!(find(&file, 0, 1), None);
    drop((private, shared));
    assert_eq!(extents(copies), 0);
}

#[test]
fn each_part_has_its_own_changes() {
    let (copies, file) = (copies(), Fake::new(&[b'.'; 3 * PAGE]));
    let all = memory(3);
    let mut first = place(copies, &file, 0, &all, true, true);
    for page in 0..3 {
        write(all.ptr(), page * PAGE + 7, b"new");
    }
    let mut second = first.split_off(PAGE).expect("memory");
    let third = second.split_off(PAGE).expect("memory");
    second.flush(0, PAGE, true).expect("a flush");
    assert_eq!(file.with(|state| std::mem::take(&mut state.writes)), [(PAGE as u64 + 7, 3)]);
    drop(third);
    assert_eq!(file.with(|state| std::mem::take(&mut state.writes)), [(2 * PAGE as u64 + 7, 3)]);
    write(all.ptr(), PAGE + 9, b"er");
    drop((first, second));
    assert_eq!(file.with(|state| state.writes.clone()), [(7, 3), (PAGE as u64 + 9, 2)]);
    assert_eq!(&file.bytes()[PAGE + 6..PAGE + 12], b".neer.");
    // The memory is as it was left.
    assert_eq!(read(all.ptr(), 2 * PAGE + 6, 5), b".new.");
}

#[test]
fn a_mapping_may_be_much_longer_than_its_file() {
    let (copies, file) = (copies(), Fake::new(b"short"));
    let all = memory(100);
    let mut placed = place(copies, &file, 0, &all, false, true);
    placed.flush(0, all.len(), true).expect("nothing to do");
    placed.make_mut(&Arc::new(file.clone())).expect("memory");
    write(all.ptr(), 50 * PAGE, b"far");
    placed.flush(0, all.len(), false).expect("a flush");
    assert_eq!(file.bytes(), b"short");
    // It grows, and somebody else writes next to what is changed.
    file.with(|state| state.bytes.resize(50 * PAGE + 2, 0));
    file.with(|state| state.bytes[50 * PAGE - 1] = b'!');
    placed.refresh(0, all.len()).expect("a read");
    assert_eq!(read(all.ptr(), 50 * PAGE - 1, 4), b"!far");
    placed.flush(0, all.len(), false).expect("a flush");
    assert_eq!(&file.bytes()[50 * PAGE - 1..], b"!fa");
    assert_eq!(file.with(|state| std::mem::take(&mut state.writes)), [(50 * PAGE as u64, 2)]);
    // A part that lies past the end.
    let rest = placed.split_off(60 * PAGE).expect("memory");
    write(all.ptr(), 99 * PAGE, b"end");
    file.with(|state| state.bytes.resize(100 * PAGE, 0));
    drop(rest);
    assert_eq!(file.with(|state| state.writes.clone()), [(99 * PAGE as u64, 3)]);
    file.with(|state| state.bytes.truncate(3));
    placed.refresh(0, 60 * PAGE).expect("a read");
    assert_eq!(read(all.ptr(), 0, 6), b"sho\0\0\0");
    // What it has not written, because the file was too short, is its own.
    assert_eq!(read(all.ptr(), 50 * PAGE - 1, 4), b"\0\0\0r");
}

#[test]
fn what_cannot_be_written_is_reported_by_a_flush() {
    let (copies, file) = (copies(), Fake::new(&[0; PAGE]));
    let all = memory(1);
    let placed = place(copies, &file, 0, &all, true, true);
    write(all.ptr(), 0, b"x");
    file.with(|state| state.writes_left = Some(0));
    assert_eq!(placed.flush(0, PAGE, false).expect_err("no room").kind(), ErrorKind::StorageFull);
    file.with(|state| state.writes_left = None);
    placed.flush(0, PAGE, false).expect("room again");
    assert_eq!(file.bytes()[0], b'x');
}
