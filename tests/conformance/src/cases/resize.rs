//! Resizing. Python's reference, sections 1 and 5.

use std::io::SeekFrom::{Current, Start};

use wasi_mmap_core::{MapFlags, MapOptions, Rights};

use super::{Sizes, copy, pattern, read, windows, write};
use crate::case::*;
use crate::op::Op;

pub(super) fn cases(sizes: Sizes) -> Vec<Case> {
    let mut cases = files(sizes);
    cases.extend(refusals(sizes));
    cases.extend(cursors());
    cases
}

fn files(Sizes { granularity: g, .. }: Sizes) -> Vec<Case> {
    let three = pattern(3 * g);
    let private = || MapOptions::new().flags(MapFlags::PRIVATE);
    let zeros = |len: u64| vec![0; len as usize];
    vec![
        case("resize makes the file shorter")
            .file(&three)
            .map(write())
            .op(Op::Resize(512), DONE)
            .holds(&three[..512])
            .op(Op::Size, number(512))
            .fails(Op::Get(512), out_of_range("index"))
            .file_is(&three[..512]),
        case("resize makes the file longer, with zeros")
            .file(&three)
            .map(write())
            .op(Op::Resize(5 * g + 1), DONE)
            .op(Op::Size, number(5 * g + 1))
            .holds([&three[..], &zeros(2 * g + 1)].concat())
            .op(Op::Set(-1, 9), DONE)
            .op(Op::Close, DONE)
            .file_is([&three[..], &zeros(2 * g), &[9]].concat()),
        case("bytes that are cut off and grown again are zeros")
            .file("abcdefgh")
            .map(write())
            .op(Op::Resize(3), DONE)
            .op(Op::Resize(8), DONE)
            .holds(b"abc\0\0\0\0\0")
            .op(Op::Close, DONE)
            .file_is(b"abc\0\0\0\0\0"),
        case("resize keeps changes that were not flushed")
            .file(&three)
            .map(write())
            .op(Op::Set(1, !three[1]), DONE)
            .op(Op::Resize(4 * g), DONE)
            .op(Op::Get(1), number((!three[1]).into()))
            .op(Op::Resize(2), DONE)
            .op(Op::Get(1), number((!three[1]).into()))
            .op(Op::Close, DONE)
            .file_is([three[0], !three[1]]),
        case("resizing a part to its own length cuts the file off behind it")
            .file(&three)
            .map(write().length(g))
            .op(Op::Resize(g), DONE)
            .op(Op::Size, number(g))
            .file_is(&three[..g as usize]),
        case("resize of a part with an offset ends the file there")
            .file(&three)
            .map(write().offset(g).length(g))
            .op(Op::Resize(512), DONE)
            .op(Op::Size, number(g + 512))
            .holds(&three[g as usize..g as usize + 512])
            .file_is(&three[..g as usize + 512])
            .op(Op::Resize(3 * g), DONE)
            .op(Op::Size, number(4 * g))
            .holds([&three[g as usize..g as usize + 512], &zeros(3 * g - 512)].concat()),
        case("growing a part may make the file shorter")
            .file(&three)
            .map(write().length(1))
            .op(Op::Resize(g + 1), DONE)
            .holds(&three[..g as usize + 1])
            .file_is(&three[..g as usize + 1]),
        case("resize while another mapping of the file exists")
            .file(&three)
            .map(write())
            .map_in(1, write())
            .op(Op::Resize(4 * g), DONE)
            .op_in(1, Op::Len, number(3 * g))
            .op_in(1, Op::Size, number(4 * g))
            .holds_in(1, &three)
            .op_in(1, Op::Set(0, !three[0]), DONE)
            .op(Op::Get(0), number((!three[0]).into())),
        case("a private mapping resizes the file and keeps its changes")
            .file(&three)
            .map_opened(Rights::all(), private())
            .op(Op::Set(0, !three[0]), DONE)
            .op(Op::Resize(g), DONE)
            .op(Op::Get(0), number((!three[0]).into()))
            .op(Op::Size, number(g))
            .file_is(&three[..g as usize])
            .skip(Backend::Windows, windows::NO_PRIVATE_RESIZE),
        case("a private mapping that grows again has zeros where the file was cut behind it")
            .file("abcdef")
            .map_opened(Rights::all(), private().length(1))
            .op(Op::Set(0, b'x'), DONE)
            .op(Op::Resize(1), DONE)
            .op(Op::Resize(3), DONE)
            .holds("x\0\0")
            .skip(Backend::Windows, windows::NO_PRIVATE_RESIZE),
        case("a private mapping that grows twice has zeros where the file was cut the first time")
            .file("abcdef")
            .map_opened(Rights::all(), private().length(1))
            .op(Op::Set(0, b'x'), DONE)
            .op(Op::Resize(2), DONE)
            .holds("xb")
            .op(Op::Resize(4), DONE)
            .holds("xb\0\0")
            .skip(Backend::Windows, windows::NO_PRIVATE_RESIZE),
    ]
}

fn refusals(Sizes { granularity: g, .. }: Sizes) -> Vec<Case> {
    vec![
        case("resize to 0 is refused before the file is touched")
            .file("abc")
            .map(write())
            .fails(Op::Resize(0), invalid("length"))
            .holds("abc")
            .file_is("abc"),
        case("resize to more than a file can be is refused")
            .file(pattern(2 * g))
            .map(write().offset(g))
            .fails(Op::Resize(u64::MAX), out_of_range("length"))
            .fails(Op::Resize(1 << 63), out_of_range("length"))
            .fails(Op::Resize((1 << 63) - g), out_of_range("length"))
            .file_is(pattern(2 * g)),
        case("mappings for reading and copying cannot be resized")
            .file("abc")
            .map(read())
            .fails(Op::Resize(2), READ_ONLY)
            .fails(Op::Resize(0), READ_ONLY)
            .map(copy())
            .fails(Op::Resize(2), READ_ONLY)
            .fails(Op::Resize(u64::MAX), READ_ONLY)
            .file_is("abc"),
        case("a private mapping of a file open for reading cannot be resized")
            .file("abc")
            .map_opened(Rights::READ, MapOptions::new().flags(MapFlags::PRIVATE))
            .fails(Op::Resize(2), NOT_PERMITTED)
            .holds("abc")
            .file_is("abc"),
    ]
}

fn cursors() -> Vec<Case> {
    vec![
        case("a cursor past the end reads nothing and writes nothing")
            .file("0123456789")
            .map(write())
            .op(Op::Seek(Start(8)), number(8))
            .op(Op::Resize(4), DONE)
            .op(Op::Tell, number(8))
            .op(Op::Read(None), bytes(""))
            .op(Op::Read(Some(3)), bytes(""))
            .op(Op::ReadLine, bytes(""))
            .fails(Op::ReadByte, out_of_range("cursor"))
            .fails(Op::Write(b"x".to_vec()), out_of_range("cursor"))
            .fails(Op::Write(b"".to_vec()), out_of_range("cursor"))
            .fails(Op::WriteByte(1), out_of_range("cursor"))
            .fails(Op::Seek(Current(0)), out_of_range("offset"))
            .fails(Op::Seek(Current(1)), out_of_range("offset"))
            .op(Op::Find(b"0".to_vec(), None, None), NOWHERE)
            .op(Op::Find(b"".to_vec(), None, None), NOWHERE)
            .op(Op::Rfind(b"".to_vec(), None, None), NOWHERE)
            .op(Op::Tell, number(8))
            .op(Op::Seek(Current(-5)), number(3))
            .op(Op::ReadByte, number(b'3'.into())),
        case("a cursor past the end is within the mapping again after growing")
            .file("0123456789")
            .map(write())
            .op(Op::Seek(Start(8)), number(8))
            .op(Op::Resize(4), DONE)
            .op(Op::Resize(10), DONE)
            .op(Op::Tell, number(8))
            .op(Op::Read(None), bytes([0, 0])),
    ]
}
