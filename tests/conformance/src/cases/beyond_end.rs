//! Mappings that may reach past the end of their file. POSIX `mmap(2)`, where an access past the end raises SIGBUS.

use wasi_mmap_core::{Advice, FlushFlags, MapFlags, MapOptions, Rights, Slice};

use super::{Sizes, copy, pattern, read, windows, write};
use crate::case::*;
use crate::op::Op;

pub(super) fn cases(sizes: Sizes) -> Vec<Case> {
    let mut cases = extents(sizes);
    cases.extend(reads(sizes));
    cases.extend(writes(sizes));
    cases.extend(shrinking(sizes));
    cases.extend(private(sizes));
    cases.into_iter().map(|case| case.skip(Backend::Windows, windows::NO_MORE_THAN_THE_FILE)).collect()
}

/// Allows a mapping to reach past the end of its file.
fn beyond(options: MapOptions) -> MapOptions {
    options.flags(options.flags | MapFlags::BEYOND_END)
}

fn zeros(len: u64) -> Vec<u8> {
    vec![0; len as usize]
}

fn extents(Sizes { page, granularity: g }: Sizes) -> Vec<Case> {
    let data = pattern(100);
    let holds_data = [&data[..], &zeros(3 * page - 100)].concat();
    vec![
        case("beyond-end: a mapping reaches past the end, with zeros, and the file keeps its length")
            .file(&data)
            .map(beyond(read()).length(3 * page))
            .op(Op::Len, number(3 * page))
            .op(Op::Size, number(100))
            .holds(&holds_data)
            .file_len_is(100)
            .map(beyond(write()).length(3 * page))
            .holds(&holds_data)
            .op(Op::Flush(0, None, FlushFlags::SYNC), DONE)
            .op(Op::Close, DONE)
            .file_is(&data),
        case("beyond-end: an empty file, and an offset at the end and past it, are mapped with a length")
            .file("")
            .map(beyond(write()).length(10))
            .holds(zeros(10))
            .map_in(1, beyond(read()).offset(4 * g).length(page + 1))
            .holds_in(1, zeros(page + 1))
            .file_len_is(0),
        case("beyond-end: without a length, the mapping ends with the file, as without the flag")
            .file(&data)
            .map(beyond(read()))
            .holds(&data)
            .map_fails(beyond(read()).offset(g), beyond_end_of_file("offset")),
        case("beyond-end: an empty file without a length is refused").file("").map_fails(beyond(read()), EMPTY_FILE),
        case("beyond-end: a mapping within its file is like any other")
            .file(pattern(2 * page))
            .map(beyond(write()).length(page))
            .op(Op::Set(0, 7), DONE)
            .op(Op::Get(0), number(7))
            .op(Op::Fill(1, page - 1, 1), DONE)
            .fails(Op::Get(page as i64), out_of_range("index")),
        case("beyond-end: a length of 2^63 and more, a misaligned offset, and missing rights are refused")
            .file(&data)
            .map_fails(beyond(read()).length(1 << 63), beyond_end_of_file("length"))
            .map_fails(beyond(read()).offset(g).length(u64::MAX), beyond_end_of_file("length"))
            .map_fails(beyond(read()).offset(1).length(page), invalid("offset"))
            .map_opened_fails(Rights::READ, beyond(write()).length(page), NOT_PERMITTED)
            .map_opened_fails(Rights::all(), beyond(write().flags(MapFlags::HUGE_PAGES)).length(page), UNSUPPORTED)
            .file_len_is(100),
        case("beyond-end: the flag has no effect on memory without a file")
            .anonymous(beyond(write()).length(page))
            .op(Op::Set(-1, 7), DONE)
            .op(Op::Get(-1), number(7)),
        case("beyond-end: with widest-access, a mapping for reading can be written, and does not make the file longer")
            .file(&data)
            .map_opened(Rights::all(), beyond(read().flags(MapFlags::WIDEST_ACCESS)).length(3 * page))
            .op(Op::Set(0, !data[0]), DONE)
            .fails(Op::Set(-1, 1), beyond_end_of_file("offset"))
            .file_len_is(100),
    ]
}

fn reads(Sizes { page, .. }: Sizes) -> Vec<Case> {
    let p = page as i64;
    vec![
        case(
            "beyond-end: bytes appear as the file grows, by a write or by a new length, page by page and within a page",
        )
        .file("abc")
        .map(beyond(read()).length(4 * page))
        .op(Op::ReadAt(0, 5), bytes("abc\0\0"))
        .op(Op::ReadAt(3 * page, 3), bytes(zeros(3)))
        .overwrite(3, "de")
        .op(Op::ReadAt(0, 6), bytes("abcde\0"))
        .overwrite(3 * page, "new")
        .op(Op::ReadAt(3 * page, 4), bytes("new\0"))
        .op(Op::ReadAt(page, 2), bytes(zeros(2)))
        .op(Op::Size, number(3 * page + 3))
        .set_len(6 * page)
        .overwrite(4 * page - 1, "!?")
        .op(Op::Get(-1), number(b'!'.into()))
        .op(Op::ReadAt(3 * page, 4), bytes("new\0")),
        case("beyond-end: every kind of read sees zeros past the end")
            .file("line\nrest")
            .map(beyond(read()).length(2 * page))
            .op(Op::ReadLine, bytes("line\n"))
            .op(Op::Read(Some(6)), bytes("rest\0\0"))
            .op(Op::Seek(std::io::SeekFrom::End(-1)), number(2 * page - 1))
            .op(Op::ReadByte, number(0))
            .op(Op::ReadRanges(vec![(0, 2), (page, 3), (7, 3)]), bytes("li\0\0\0st\0"))
            .op(Op::ReadSlice(Slice { start: Some(0), stop: Some(2 * p), step: p }), bytes("l\0"))
            .op(Op::ReadSlice(Slice { start: Some(9), stop: Some(4), step: -1 }), bytes("\0tser"))
            .op(Op::Find(b"st\0\0".to_vec(), Some(0), None), at(7))
            .op(Op::Find(vec![0; page as usize], Some(0), None), at(9))
            .op(Op::Find(b"x".to_vec(), Some(0), None), NOWHERE)
            .op(Op::Rfind(b"t".to_vec(), Some(0), None), at(8))
            .op(Op::Compare(5, b"rest\0".to_vec()), EQUAL)
            .op(Op::Compare(page, b"\0\0".to_vec()), EQUAL)
            .op(Op::Seek(std::io::SeekFrom::Start(9)), number(9))
            .op(Op::ReadLine, bytes(zeros(2 * page - 9))),
        case("beyond-end: bytes past the end are copied as zeros")
            .file("abc")
            .map_in(1, beyond(read()).length(2 * page))
            .anonymous(write().length(page))
            .op(Op::Fill(0, 8, 9), DONE)
            .copy_from(0, 0, (1, page - 2), 4, Ok(DONE))
            .op(Op::ReadAt(0, 6), bytes([0, 0, 0, 0, 9, 9]))
            .copy_from(0, 0, (1, 1), 4, Ok(DONE))
            .op(Op::ReadAt(0, 6), bytes([b'b', b'c', 0, 0, 9, 9])),
        case("beyond-end: advice is taken for all of the mapping")
            .file("abc")
            .map(beyond(read()).length(4 * page))
            .op(Op::Get(-1), number(0))
            .op(Op::Advise(Advice::Random, 0, None), DONE)
            .op(Op::Advise(Advice::WillNeed, page, None), DONE)
            .op(Op::Advise(Advice::DontNeed, 0, None), DONE)
            .op(Op::ReadAt(0, 4), bytes("abc\0")),
    ]
}

fn writes(Sizes { page, .. }: Sizes) -> Vec<Case> {
    let p = page as i64;
    let refused = beyond_end_of_file("offset");
    vec![
        case("beyond-end: a write to a page past the end is refused as a whole, and does not make the file longer")
            .file("abc")
            .map(beyond(write()).length(3 * page))
            .fails(Op::WriteAt(page, b"x".to_vec()), refused)
            .fails(Op::WriteAt(page - 1, b"xy".to_vec()), refused)
            .fails(Op::Set(-1, 1), refused)
            .fails(Op::Fill(0, page + 1, 1), refused)
            .fails(Op::CopyWithin(page - 1, 0, 2), refused)
            .fails(Op::WriteSlice(Slice { start: Some(0), stop: Some(2 * p), step: p }, b"xy".to_vec()), refused)
            .op(Op::Seek(std::io::SeekFrom::Start(page)), number(page))
            .fails(Op::Write(b"x".to_vec()), refused)
            .fails(Op::WriteByte(1), refused)
            .op(Op::Tell, number(page))
            .op(Op::WriteAt(page, b"".to_vec()), DONE)
            .fails(Op::WriteAt(3 * page, b"x".to_vec()), out_of_range("bytes"))
            .op(Op::ReadAt(0, 4), bytes("abc\0"))
            .file_is("abc"),
        case("beyond-end: a write reaches the file once it has grown")
            .file("abc")
            .map(beyond(write()).length(3 * page))
            .fails(Op::WriteAt(2 * page, b"x".to_vec()), refused)
            .set_len(2 * page + 1)
            .op(Op::WriteAt(2 * page, b"x".to_vec()), DONE)
            .op(Op::WriteSlice(Slice { start: Some(0), stop: Some(2 * p), step: p }, b"AB".to_vec()), DONE)
            .op(Op::CopyWithin(page + 1, 2 * page, 1), DONE)
            .op(Op::Flush(0, None, FlushFlags::SYNC), DONE)
            .file_is([b"Abc", &zeros(page - 3)[..], b"Bx", &zeros(page - 2), b"x"].concat()),
        case("beyond-end: what is written past the end in the last page is discarded")
            .file("abc")
            .map(beyond(write()).length(page))
            .map_in(1, beyond(copy()).length(page))
            .op(Op::WriteAt(2, b"CD".to_vec()), DONE)
            .op(Op::Fill(10, 10, 1), DONE)
            .op_in(1, Op::WriteAt(1, b"BXYZ".to_vec()), DONE)
            .op_in(1, Op::Fill(10, 10, 1), DONE)
            .op(Op::ReadAt(0, 20), bytes([b"abC", &zeros(17)[..]].concat()))
            .op_in(1, Op::ReadAt(0, 20), bytes([b"aBX", &zeros(17)[..]].concat()))
            .set_len(20)
            .op(Op::ReadAt(0, 20), bytes([b"abC", &zeros(17)[..]].concat()))
            .op_in(1, Op::ReadAt(0, 20), bytes([b"aBX", &zeros(17)[..]].concat()))
            .op(Op::Close, DONE)
            .file_is([b"abC", &zeros(17)[..]].concat()),
        case("beyond-end: resize makes the file end where the mapping ends")
            .file("abc")
            .map(beyond(write()).length(3 * page))
            .op(Op::Get(-1), number(0))
            .op(Op::Resize(3 * page), DONE)
            .op(Op::Set(-1, 7), DONE)
            .op(Op::Resize(2 * page), DONE)
            .file_len_is(2 * page)
            .op(Op::Resize(4 * page), DONE)
            .op(Op::ReadAt(2 * page, 2 * page), bytes(zeros(2 * page)))
            .op(Op::Set(-1, 8), DONE)
            .op(Op::Close, DONE)
            .file_is([b"abc", &zeros(4 * page - 4)[..], &[8]].concat()),
    ]
}

fn shrinking(Sizes { page, .. }: Sizes) -> Vec<Case> {
    let data = pattern(3 * page);
    let first = &data[..page as usize];
    vec![
        case("beyond-end: bytes that the file had when it was mapped, and has no longer, are truncated")
            .file(&data)
            .map(beyond(write()).length(6 * page))
            .set_len(page)
            .fails(Op::ReadAt(2 * page, 1), TRUNCATED)
            .fails(Op::ReadAt(0, 6 * page), TRUNCATED)
            .fails(Op::ReadAt(3 * page - 1, 2), TRUNCATED)
            .fails(Op::WriteAt(page, b"x".to_vec()), TRUNCATED)
            .fails(Op::WriteAt(3 * page, b"x".to_vec()), beyond_end_of_file("offset"))
            .op(Op::ReadAt(3 * page, 3 * page), bytes(zeros(3 * page)))
            .op(Op::ReadAt(0, page), bytes(first))
            .file_len_is(page),
        case("beyond-end: refresh takes the present end for the end of the file")
            .file(&data)
            .map(beyond(read()).length(6 * page))
            .set_len(page)
            .fails(Op::Get(-1 - 3 * page as i64), TRUNCATED)
            .op(Op::Refresh, DONE)
            .holds([first, &zeros(5 * page)].concat())
            .overwrite(5 * page, "back")
            .op(Op::ReadAt(5 * page, 4), bytes("back"))
            .op(Op::Refresh, DONE)
            .set_len(page)
            .fails(Op::ReadAt(5 * page, 4), TRUNCATED),
        case("beyond-end: bytes that came and went are zeros")
            .file("abc")
            .map(beyond(read()).length(3 * page))
            .set_len(3 * page)
            .set_len(page + 1)
            .op(Op::ReadAt(2 * page, 2), bytes(zeros(2)))
            .overwrite(2 * page, "again")
            .op(Op::ReadAt(2 * page, 5), bytes("again")),
    ]
}

fn private(Sizes { page, .. }: Sizes) -> Vec<Case> {
    let refused = beyond_end_of_file("offset");
    vec![
        case("beyond-end: a private mapping keeps its changes, and shows what the file grows by")
            .file("abc")
            .map(beyond(copy()).length(3 * page))
            .op(Op::Set(0, b'A'), DONE)
            .op(Op::ReadAt(0, page), bytes([b"Abc", &zeros(page - 3)[..]].concat()))
            .op(Op::ReadAt(2 * page, 1), bytes([0]))
            .fails(Op::Set(-1, 1), refused)
            .set_len(3 * page)
            .overwrite(2 * page, "new")
            .op(Op::ReadAt(2 * page, 4), bytes("new\0"))
            .op(Op::Set(2 * page as i64, b'N'), DONE)
            .op(Op::ReadAt(2 * page, 4), bytes("New\0"))
            .op(Op::Refresh, DONE)
            .op(Op::ReadAt(2 * page, 4), bytes("New\0"))
            .op(Op::Get(0), number(b'A'.into()))
            .op(Op::Close, DONE)
            .file_is([b"abc", &zeros(2 * page - 3)[..], b"new", &zeros(page - 3)].concat()),
        case("beyond-end: a private mapping that is resized resizes its file")
            .file("abc")
            .map_opened(Rights::all(), beyond(MapOptions::new().flags(MapFlags::PRIVATE)).length(2 * page))
            .op(Op::Set(0, b'A'), DONE)
            .op(Op::Resize(3 * page), DONE)
            .file_len_is(3 * page)
            .op(Op::Set(-1, 7), DONE)
            .op(Op::Get(0), number(b'A'.into()))
            .op(Op::Get(-1), number(7)),
    ]
}
