//! Reading and writing at an offset, and single bytes by index.

use std::io::SeekFrom::Start;

use super::{copy, pattern, read, write};
use crate::case::*;
use crate::op::Op;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("read_at leaves the cursor alone")
            .file("0123456789")
            .map(read())
            .op(Op::Seek(Start(3)), number(3))
            .op(Op::ReadAt(5, 3), bytes("567"))
            .op(Op::ReadAt(0, 0), bytes(""))
            .op(Op::ReadAt(10, 0), bytes(""))
            .op(Op::Tell, number(3)),
        case("read_at outside the mapping is refused")
            .file("0123456789")
            .map(read())
            .fails(Op::ReadAt(11, 0), out_of_range("offset"))
            .fails(Op::ReadAt(10, 1), out_of_range("length"))
            .fails(Op::ReadAt(0, 11), out_of_range("length"))
            .fails(Op::ReadAt(1, u64::MAX), out_of_range("length"))
            .fails(Op::ReadAt(u64::MAX, 0), out_of_range("offset"))
            .fails(Op::ReadAt(u64::MAX, u64::MAX), out_of_range("offset")),
        case("read_ranges reads one range after the other")
            .file("0123456789")
            .map(read())
            .op(Op::ReadRanges(vec![(7, 2), (0, 3), (5, 0), (9, 1), (0, 1)]), bytes("7801290"))
            .op(Op::ReadRanges(vec![]), bytes(""))
            .fails(Op::ReadRanges(vec![(0, 1), (9, 2)]), out_of_range("length"))
            .fails(Op::ReadRanges(vec![(11, 0)]), out_of_range("offset")),
        case("write_at writes there and leaves the cursor alone")
            .file("0123456789")
            .map(write())
            .op(Op::WriteAt(3, b"abc".to_vec()), DONE)
            .op(Op::WriteAt(10, b"".to_vec()), DONE)
            .op(Op::Tell, number(0))
            .holds("012abc6789")
            .op(Op::Close, DONE)
            .file_is("012abc6789"),
        case("write_at outside the mapping is refused and writes nothing")
            .file("0123456789")
            .map(write())
            .fails(Op::WriteAt(9, b"ab".to_vec()), out_of_range("bytes"))
            .fails(Op::WriteAt(11, b"".to_vec()), out_of_range("offset"))
            .fails(Op::WriteAt(u64::MAX, b"a".to_vec()), out_of_range("offset"))
            .holds("0123456789")
            .op(Op::Close, DONE)
            .file_is("0123456789"),
        case("get takes indices from both ends")
            .file("abc")
            .map(read())
            .op(Op::Get(0), number(b'a'.into()))
            .op(Op::Get(2), number(b'c'.into()))
            .op(Op::Get(-1), number(b'c'.into()))
            .op(Op::Get(-3), number(b'a'.into()))
            .fails(Op::Get(3), out_of_range("index"))
            .fails(Op::Get(-4), out_of_range("index"))
            .fails(Op::Get(i64::MAX), out_of_range("index"))
            .fails(Op::Get(i64::MIN), out_of_range("index")),
        case("set takes indices from both ends")
            .file("abc")
            .map(copy())
            .op(Op::Set(0, 1), DONE)
            .op(Op::Set(-1, 255), DONE)
            .fails(Op::Set(3, 0), out_of_range("index"))
            .fails(Op::Set(-4, 0), out_of_range("index"))
            .holds([1, b'b', 255]),
        case("fill sets a range")
            .file("0123456789")
            .map(write())
            .op(Op::Fill(2, 3, b'x'), DONE)
            .op(Op::Fill(10, 0, b'y'), DONE)
            .fails(Op::Fill(8, 3, b'z'), out_of_range("length"))
            .fails(Op::Fill(11, 0, b'z'), out_of_range("offset"))
            .holds("01xxx56789")
            .op(Op::Close, DONE)
            .file_is("01xxx56789"),
        case("fill crosses every page")
            .file(pattern(300_000))
            .map(copy())
            .op(Op::Fill(1, 299_998, 0), DONE)
            .holds([&pattern(1)[..], &vec![0; 299_998], &pattern(300_000)[299_999..]].concat()),
        case("compare orders as memcmp does")
            .file("bcd")
            .map(read())
            .op(Op::Compare(0, b"bcd".to_vec()), EQUAL)
            .op(Op::Compare(1, b"c".to_vec()), EQUAL)
            .op(Op::Compare(0, b"bce".to_vec()), LESS)
            .op(Op::Compare(0, b"a\xff\xff".to_vec()), GREATER)
            .op(Op::Compare(3, b"".to_vec()), EQUAL)
            .fails(Op::Compare(1, b"cde".to_vec()), out_of_range("bytes"))
            .fails(Op::Compare(4, b"".to_vec()), out_of_range("offset")),
    ]
}
