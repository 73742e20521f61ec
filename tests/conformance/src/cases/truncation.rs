//! A file that is truncated while it is mapped. Python's reference, section 9, where CPython crashes.

use wasi_mmap_core::{MapFlags, MapOptions, Rights};

use super::{Sizes, copy, pattern, read, windows, write};
use crate::case::*;
use crate::op::{Op, Value};

pub(super) fn cases(Sizes { page, .. }: Sizes) -> Vec<Case> {
    let data = pattern(3 * page);
    let first = &data[..page as usize];
    let zeros = vec![0; 2 * page as usize];
    let cases = vec![
        case("reads of lost bytes fail with truncated, and other reads succeed")
            .file(&data)
            .map(read())
            .set_len(page)
            .fails(Op::ReadAt(2 * page, 1), TRUNCATED)
            .fails(Op::ReadAt(0, 3 * page), TRUNCATED)
            .fails(Op::Get(page as i64), TRUNCATED)
            .fails(Op::Read(None), TRUNCATED)
            .op(Op::Tell, number(0))
            .op(Op::Size, number(page))
            .op(Op::Len, number(3 * page))
            .op(Op::ReadAt(0, page), bytes(first)),
        case("a long read of lost bytes leaves the cursor where it is")
            .file(pattern(8 * page))
            .map(read())
            .set_len(page)
            .fails(Op::Read(None), TRUNCATED)
            .op(Op::Tell, number(0))
            .op(Op::Read(Some(page)), bytes(first)),
        case("the last page of a truncated file can be read, with zeros past the end")
            .file(&data)
            .map(read())
            .set_len(page + 1)
            .op(Op::ReadAt(page, 3), bytes([data[page as usize], 0, 0]))
            .fails(Op::Get(2 * page as i64), TRUNCATED),
        case("writes to lost bytes fail with truncated, and do not extend the file")
            .file(&data)
            .map(write())
            .set_len(page)
            .fails(Op::WriteAt(2 * page, b"x".to_vec()), TRUNCATED)
            .fails(Op::Fill(page, 5, 1), TRUNCATED)
            .fails(Op::Set(-1, 1), TRUNCATED)
            .op(Op::Set(0, !data[0]), DONE)
            .op(Op::Close, DONE)
            .file_is([&[!data[0]], &first[1..]].concat()),
        case("a copy of a truncated file fails with truncated")
            .file(&data)
            .map(copy())
            .set_len(page)
            .fails(Op::Get(page as i64), TRUNCATED)
            .fails(Op::Set(2 * page as i64, 1), TRUNCATED)
            .op(Op::Set(0, !data[0]), DONE)
            .op(Op::Get(0), number((!data[0]).into())),
        case("a search finds bytes before the lost ones, and fails with truncated where it reaches them")
            .file(&data)
            .map(read())
            .set_len(page)
            .op(Op::Find(first[100..110].to_vec(), None, None), at(100))
            .fails(Op::Find(b"nowhere in this file".to_vec(), None, None), TRUNCATED)
            .fails(Op::Rfind(first[100..110].to_vec(), None, None), TRUNCATED)
            .op(Op::Find(b"nowhere in this file".to_vec(), None, Some(page as i64)), NOWHERE),
        case("refresh fails with truncated while the file is too short, and maps it again once it is restored")
            .file(&data)
            .map(read())
            .set_len(page)
            .fails(Op::Get(-1), TRUNCATED)
            .fails(Op::Refresh, TRUNCATED)
            .set_len(3 * page)
            .op(Op::Refresh, DONE)
            .op(Op::ReadAt(page, 2 * page), Value::Bytes(zeros.clone()))
            .overwrite(2 * page, "back")
            .op(Op::Refresh, DONE)
            .op(Op::ReadAt(2 * page, 4), bytes("back")),
        case("refresh keeps private changes outside the lost part")
            .file(&data)
            .map(copy())
            .set_len(page)
            .fails(Op::Get(-1), TRUNCATED)
            .op(Op::Set(0, !data[0]), DONE)
            .set_len(3 * page)
            .op(Op::Refresh, DONE)
            .op(Op::Get(0), number((!data[0]).into()))
            .op(Op::Get(-1), number(0)),
        case("a private mapping can grow after a refresh of lost bytes")
            .file(&data)
            .map_opened(Rights::all(), MapOptions::new().flags(MapFlags::PRIVATE))
            .set_len(page)
            .fails(Op::Get(-1), TRUNCATED)
            .op(Op::Set(0, !data[0]), DONE)
            .set_len(3 * page)
            .op(Op::Refresh, DONE)
            .op(Op::Resize(5 * page), DONE)
            .op(Op::Set(-1, 7), DONE)
            .op(Op::Get(0), number((!data[0]).into()))
            .op(Op::Get(-1), number(7)),
    ];
    cases.into_iter().map(|case| case.skip(Backend::Windows, windows::NEVER_SHORTER)).collect()
}
