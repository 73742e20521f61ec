//! Search and copy. Python's reference, sections 1 and 5.

use std::io::SeekFrom::Start;

use super::{copy, pattern, read, write};
use crate::case::*;
use crate::op::{Op, Value};

fn find(needle: impl AsRef<[u8]>, start: impl Into<Option<i64>>, end: impl Into<Option<i64>>) -> Op {
    Op::Find(needle.as_ref().to_vec(), start.into(), end.into())
}

fn rfind(needle: impl AsRef<[u8]>, start: impl Into<Option<i64>>, end: impl Into<Option<i64>>) -> Op {
    Op::Rfind(needle.as_ref().to_vec(), start.into(), end.into())
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = searches();
    cases.push(every_range());
    cases.push(every_overlap());
    cases.extend(long_searches());
    cases.extend(copies());
    cases
}

fn searches() -> Vec<Case> {
    vec![
        case("find starts at the cursor and leaves it there")
            .file("abcabcabc")
            .map(read())
            .op(find("abc", None, None), at(0))
            .op(Op::Seek(Start(1)), number(1))
            .op(find("abc", None, None), at(3))
            .op(find("abc", 0, None), at(0))
            .op(rfind("abc", None, None), at(6))
            .op(rfind("abc", None, 8), at(3))
            .op(Op::Seek(Start(7)), number(7))
            .op(find("abc", None, None), NOWHERE)
            .op(rfind("abc", None, None), NOWHERE)
            .op(Op::Tell, number(7)),
        case("find counts negative bounds from the end")
            .file("abcabcabc")
            .map(read())
            .op(find("abc", -3, None), at(6))
            .op(find("abc", -4, None), at(6))
            .op(find("abc", -2, None), NOWHERE)
            .op(find("abc", 1, -3), at(3))
            .op(find("abc", 1, -4), NOWHERE)
            .op(rfind("abc", -9, -1), at(3))
            .op(find("abc", -100, None), at(0))
            .op(find("abc", i64::MIN, None), at(0))
            .op(find("abc", 0, i64::MIN), NOWHERE)
            .op(rfind("abc", 0, -7), NOWHERE),
        case("find clamps bounds to the mapping")
            .file("abcabcabc")
            .map(read())
            .op(find("abc", 4, 100), at(6))
            .op(find("abc", 4, i64::MAX), at(6))
            .op(find("abc", 9, None), NOWHERE)
            .op(find("abc", 10, None), NOWHERE)
            .op(find("abc", i64::MAX, None), NOWHERE)
            .op(find("abc", 6, 3), NOWHERE),
        case("a needle must lie wholly within the range")
            .file("abcabcabc")
            .map(read())
            .op(find("cab", 0, 5), at(2))
            .op(find("cab", 0, 4), NOWHERE)
            .op(find("cab", 3, 8), at(5))
            .op(rfind("cab", 3, 8), at(5))
            .op(rfind("cab", 6, None), NOWHERE)
            .op(find("abcabcabca", 0, None), NOWHERE)
            .op(find("abcabcabc", 0, None), at(0)),
        case("an empty needle is found at the edge of the range")
            .file("abc")
            .map(read())
            .op(find("", None, None), at(0))
            .op(rfind("", None, None), at(3))
            .op(find("", 2, None), at(2))
            .op(find("", 3, None), at(3))
            .op(find("", 4, None), NOWHERE)
            .op(rfind("", 4, None), NOWHERE)
            .op(rfind("", 0, 1), at(1))
            .op(rfind("", 0, 99), at(3))
            .op(find("", 2, 1), NOWHERE)
            .op(find("", -1, -1), at(2)),
        case("find finds zero bytes")
            .file(b"\0\0a\0b\0\0c")
            .map(read())
            .op(find(b"\0", 0, None), at(0))
            .op(find(b"\0b", 0, None), at(3))
            .op(find(b"\0\0c", 0, None), at(5))
            .op(rfind(b"\0", 0, None), at(6))
            .op(find(b"\0\0\0", 0, None), NOWHERE),
    ]
}

/// CPython's `test_find_end`: every range of a short text, against the search of a slice.
fn every_range() -> Case {
    let text = b"one two ones";
    let len = text.len() as i64;
    let mut case = case("find and rfind agree with a search of the slice").file(text).map(read());
    for needle in [&b"one"[..], b"o", b"ones", b"two ", b"x", b""] {
        for start in -len - 1..=len + 1 {
            for end in -len - 1..=len + 1 {
                let clamp = |bound: i64| (if bound < 0 { bound + len } else { bound }).clamp(0, len) as usize;
                let (from, to) = (clamp(start), clamp(end));
                let places: Vec<usize> = (from..=to)
                    .filter(|&place| start <= len && place + needle.len() <= to && text[place..].starts_with(needle))
                    .collect();
                let place = |place: Option<&usize>| Value::Place(place.map(|&place| place as u64));
                case = case
                    .op(find(needle, start, end), place(places.first()))
                    .op(rfind(needle, start, end), place(places.last()));
            }
        }
    }
    case
}

/// CPython's `test_move`: every overlap of a short text, against the same copy through another buffer.
fn every_overlap() -> Case {
    let text = b"ABCDEFGHIJ";
    let mut case = case("copy_within copies as if through another buffer").file(text).map(copy());
    for source in 0..10 {
        for destination in 0..10 {
            for count in 0..=10 - source.max(destination) {
                let mut expected = text.to_vec();
                expected[destination..destination + count].copy_from_slice(&text[source..source + count]);
                case = case
                    .op(Op::WriteAt(0, text.to_vec()), DONE)
                    .op(Op::CopyWithin(destination as u64, source as u64, count as u64), DONE)
                    .op(Op::ReadAt(0, 10), Value::Bytes(expected));
            }
        }
    }
    case
}

fn long_searches() -> Vec<Case> {
    // A needle across each border of 4 KiB, 64 KiB and 128 KiB, in bytes that do not contain it otherwise.
    let mut text = vec![b'.'; 300_000];
    let places = [4_090, 65_530, 131_069, 262_141];
    for place in places {
        text[place..place + 10].copy_from_slice(b"NEEDLE-IN-");
    }
    let mut forward = case("find finds needles across page boundaries").file(&text).map(read());
    let mut start = 0;
    for place in places {
        forward = forward.op(find("NEEDLE-IN-", start, None), at(place as u64));
        start = place as i64 + 1;
    }
    forward = forward.op(find("NEEDLE-IN-", start, None), NOWHERE);
    let mut backward = case("rfind finds needles across page boundaries").file(&text).map(read());
    let mut end = 300_000;
    for place in places.into_iter().rev() {
        backward = backward.op(rfind("NEEDLE-IN-", 0, end), at(place as u64));
        end = place as i64 + 9;
    }
    backward = backward.op(rfind("NEEDLE-IN-", 0, end), NOWHERE);
    let big = pattern(300_000);
    let needle = big[70_000..270_000].to_vec();
    vec![
        forward,
        backward,
        case("a needle may be longer than a page")
            .file(&big)
            .map(read())
            .op(find(&needle, 0, None), at(70_000))
            .op(rfind(&needle, 0, None), at(70_000))
            .op(find(&needle, 0, 269_999), NOWHERE)
            .op(rfind(&needle, 70_001, None), NOWHERE),
    ]
}

fn copies() -> Vec<Case> {
    let big = pattern(300_000);
    let mut up = big.clone();
    up.copy_within(0..200_000, 1);
    let mut down = big.clone();
    down.copy_within(70_001..300_000, 70_000);
    vec![
        case("copy_within outside the mapping is refused and copies nothing")
            .file("0123456789")
            .map(write())
            .fails(Op::CopyWithin(5, 0, 6), out_of_range("count"))
            .fails(Op::CopyWithin(0, 5, 6), out_of_range("count"))
            .fails(Op::CopyWithin(11, 0, 0), out_of_range("destination"))
            .fails(Op::CopyWithin(0, 11, 0), out_of_range("source"))
            .fails(Op::CopyWithin(u64::MAX, 0, 1), out_of_range("destination"))
            .fails(Op::CopyWithin(0, 1, u64::MAX - 1), out_of_range("count"))
            .op(Op::CopyWithin(10, 10, 0), DONE)
            .op(Op::CopyWithin(10, 0, 0), DONE)
            .holds("0123456789"),
        case("copy_within leaves the cursor alone and reaches the file")
            .file("0123456789")
            .map(write())
            .op(Op::Seek(Start(4)), number(4))
            .op(Op::CopyWithin(0, 7, 3), DONE)
            .op(Op::Tell, number(4))
            .op(Op::Close, DONE)
            .file_is("7893456789"),
        case("copy_within overlaps across every page, upwards")
            .file(&big)
            .map(copy())
            .op(Op::CopyWithin(1, 0, 200_000), DONE)
            .holds(up),
        case("copy_within overlaps across every page, downwards")
            .file(&big)
            .map(copy())
            .op(Op::CopyWithin(70_000, 70_001, 229_999), DONE)
            .holds(down),
        case("copy_from copies between two mappings")
            .file("0123456789")
            .file_named("g", "abc")
            .map(write())
            .map_in(1, read())
            .copy_from(0, 4, (1, 1), 2, Ok(DONE))
            .copy_from(0, 10, (1, 3), 0, Ok(DONE))
            .copy_from(0, 9, (1, 0), 2, Err(out_of_range("count")))
            .copy_from(0, 0, (1, 9), 2, Err(out_of_range("count")))
            .copy_from(0, 11, (1, 0), 0, Err(out_of_range("destination")))
            .copy_from(0, 0, (1, 11), 0, Err(out_of_range("source")))
            .copy_from(1, 0, (0, 0), 1, Err(READ_ONLY))
            .holds("0123126789"),
        case("copy_from refuses a closed mapping on either side")
            .file("0123456789")
            .map(write())
            .map_in(1, write())
            .op_in(1, Op::Close, DONE)
            .copy_from(0, 0, (1, 0), 1, Err(CLOSED))
            .copy_from(1, 0, (0, 0), 1, Err(CLOSED)),
    ]
}
