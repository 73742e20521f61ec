//! The cursor: tell, seek, read, write. Python's reference, section 5.

use std::io::SeekFrom::{Current, End, Start};

use super::{copy, pattern, read, write};
use crate::case::*;
use crate::op::{Op, Value};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = seeks();
    cases.extend(reads());
    cases.extend(lines());
    cases.extend(writes());
    cases.extend(closing());
    cases
}

fn seeks() -> Vec<Case> {
    vec![
        case("seek returns the new position of the cursor")
            .file("0123456789")
            .map(read())
            .op(Op::Seek(Start(3)), number(3))
            .op(Op::Seek(Current(4)), number(7))
            .op(Op::Seek(Current(-2)), number(5))
            .op(Op::Seek(End(-1)), number(9))
            .op(Op::Seek(End(0)), number(10))
            .op(Op::Seek(Start(0)), number(0))
            .op(Op::Tell, number(0)),
        case("seek outside the mapping is refused and leaves the cursor")
            .file("0123456789")
            .map(read())
            .op(Op::Seek(Start(4)), number(4))
            .fails(Op::Seek(Start(11)), out_of_range("offset"))
            .fails(Op::Seek(Current(-5)), out_of_range("offset"))
            .fails(Op::Seek(Current(7)), out_of_range("offset"))
            .fails(Op::Seek(End(1)), out_of_range("offset"))
            .fails(Op::Seek(End(-11)), out_of_range("offset"))
            .fails(Op::Seek(Current(i64::MAX)), out_of_range("offset"))
            .fails(Op::Seek(Current(i64::MIN)), out_of_range("offset"))
            .fails(Op::Seek(End(i64::MAX)), out_of_range("offset"))
            .fails(Op::Seek(Start(i64::MAX as u64)), out_of_range("offset"))
            .op(Op::Tell, number(4)),
    ]
}

fn reads() -> Vec<Case> {
    vec![
        case("read moves the cursor and stops at the end")
            .file("0123456789")
            .map(read())
            .op(Op::Read(Some(4)), bytes("0123"))
            .op(Op::Read(Some(0)), bytes(""))
            .op(Op::Tell, number(4))
            .op(Op::Read(Some(100)), bytes("456789"))
            .op(Op::Tell, number(10))
            .op(Op::Read(Some(1)), bytes(""))
            .op(Op::Read(None), bytes(""))
            .op(Op::Tell, number(10)),
        case("read without a count reads to the end")
            .file("0123456789")
            .map(read())
            .op(Op::Seek(Start(7)), number(7))
            .op(Op::Read(None), bytes("789")),
        case("a read of any size stops at the end")
            .file("0123456789")
            .map(read())
            .op(Op::Seek(Start(9)), number(9))
            .op(Op::Read(Some(u64::MAX)), bytes("9")),
        case("read_byte reads one byte, and none at the end")
            .file([0, 255])
            .map(read())
            .op(Op::ReadByte, number(0))
            .op(Op::ReadByte, number(255))
            .fails(Op::ReadByte, out_of_range("cursor"))
            .op(Op::Tell, number(2)),
        case("a long read crosses every page").file(pattern(300_000)).map(read()).holds(pattern(300_000)),
    ]
}

fn lines() -> Vec<Case> {
    let mut long = vec![b'x'; 200_000];
    long.push(b'\n');
    let mut text = long.clone();
    text.extend_from_slice(b"end");
    vec![
        case("read_line includes the line feed")
            .file("one\ntwo\n\nthree")
            .map(read())
            .op(Op::ReadLine, bytes("one\n"))
            .op(Op::ReadLine, bytes("two\n"))
            .op(Op::ReadLine, bytes("\n"))
            .op(Op::Tell, number(9))
            .op(Op::ReadLine, bytes("three"))
            .op(Op::ReadLine, bytes(""))
            .op(Op::Tell, number(14)),
        case("read_line recognizes no other line ending")
            .file("one\r\ntwo\rthree\n")
            .map(read())
            .op(Op::ReadLine, bytes("one\r\n"))
            .op(Op::ReadLine, bytes("two\rthree\n"))
            .op(Op::ReadLine, bytes("")),
        case("read_line starts at the cursor")
            .file("one\ntwo\n")
            .map(read())
            .op(Op::Seek(Start(2)), number(2))
            .op(Op::ReadLine, bytes("e\n")),
        case("a line may be longer than a page")
            .file(&text)
            .map(read())
            .op(Op::ReadLine, bytes(&long))
            .op(Op::ReadLine, bytes("end")),
    ]
}

fn writes() -> Vec<Case> {
    vec![
        case("write moves the cursor and returns the count")
            .file("0123456789")
            .map(write())
            .op(Op::Write(b"ab".to_vec()), number(2))
            .op(Op::Write(b"".to_vec()), number(0))
            .op(Op::Write(b"cd".to_vec()), number(2))
            .op(Op::Tell, number(4))
            .holds("abcd456789")
            .op(Op::Close, DONE)
            .file_is("abcd456789"),
        case("write is all or nothing")
            .file("0123456789")
            .map(write())
            .op(Op::Seek(Start(8)), number(8))
            .fails(Op::Write(b"abc".to_vec()), out_of_range("bytes"))
            .op(Op::Tell, number(8))
            .holds("0123456789")
            .op(Op::Write(b"ab".to_vec()), number(2))
            .op(Op::Write(b"".to_vec()), number(0))
            .fails(Op::Write(b"c".to_vec()), out_of_range("bytes"))
            .op(Op::Close, DONE)
            .file_is("01234567ab"),
        case("write_byte writes one byte, and none at the end")
            .file("ab")
            .map(write())
            .op(Op::WriteByte(0), DONE)
            .op(Op::WriteByte(255), DONE)
            .fails(Op::WriteByte(1), out_of_range("cursor"))
            .op(Op::Tell, number(2))
            .op(Op::Close, DONE)
            .file_is([0, 255]),
        case("a long write crosses every page")
            .file(vec![0; 300_000])
            .map(write())
            .op(Op::Seek(Start(5)), number(5))
            .op(Op::Write(pattern(299_990)), number(299_990))
            .op(Op::ReadAt(5, 299_990), Value::Bytes(pattern(299_990)))
            .op(Op::Close, DONE)
            .file_is([&[0; 5][..], &pattern(299_990), &[0; 5]].concat()),
    ]
}

fn closing() -> Vec<Case> {
    let closed = |case: Case| {
        case.op(Op::IsClosed, Value::Flag(true))
            .op(Op::Close, DONE)
            .fails(Op::Len, CLOSED)
            .fails(Op::Size, CLOSED)
            .fails(Op::Tell, CLOSED)
            .fails(Op::Seek(Start(0)), CLOSED)
            .fails(Op::Seek(Start(99)), CLOSED)
            .fails(Op::Read(None), CLOSED)
            .fails(Op::ReadByte, CLOSED)
            .fails(Op::ReadLine, CLOSED)
            .fails(Op::ReadAt(0, 1), CLOSED)
            .fails(Op::ReadAt(9, 9), CLOSED)
            .fails(Op::ReadRanges(vec![(0, 1)]), CLOSED)
            .fails(Op::Get(0), CLOSED)
            .fails(Op::ReadSlice(Default::default()), CLOSED)
            .fails(Op::Find(b"a".to_vec(), None, None), CLOSED)
            .fails(Op::Rfind(b"".to_vec(), None, None), CLOSED)
            .fails(Op::Compare(0, b"".to_vec()), CLOSED)
            .fails(Op::Write(b"x".to_vec()), CLOSED)
            .fails(Op::WriteByte(1), CLOSED)
            .fails(Op::WriteAt(0, b"x".to_vec()), CLOSED)
            .fails(Op::CopyWithin(0, 0, 1), CLOSED)
            .fails(Op::Fill(0, 1, 0), CLOSED)
            .fails(Op::Flush(0, None, Default::default()), CLOSED)
            .fails(Op::Advise(wasi_mmap_core::Advice::Normal, 0, None), CLOSED)
            .fails(Op::Resize(1), CLOSED)
            .fails(Op::Refresh, CLOSED)
    };
    vec![
        closed(case("a closed mapping refuses every operation").file("abc").map(write()).op(Op::Close, DONE))
            .fails(Op::Set(0, 1), CLOSED)
            .fails(Op::WriteSlice(Default::default(), b"abc".to_vec()), CLOSED)
            .file_is("abc"),
        closed(
            case("a closed mapping for reading fails with closed, not with read-only")
                .file("abc")
                .map(read())
                .op(Op::Close, DONE),
        )
        .fails(Op::Set(0, 1), READ_ONLY)
        .fails(Op::WriteSlice(Default::default(), b"abc".to_vec()), READ_ONLY),
        case("an open mapping is not closed").file("abc").map(copy()).op(Op::IsClosed, Value::Flag(false)),
        case("closing writes shared changes to the file")
            .file("abc")
            .map(write())
            .op(Op::Set(1, b'X'), DONE)
            .op(Op::Close, DONE)
            .file_is("aXc"),
        case("dropping writes shared changes to the file")
            .file("abc")
            .map(write())
            .op(Op::Set(1, b'X'), DONE)
            .drop_mapping(0)
            .file_is("aXc"),
    ]
}
