//! Making a mapping: length, offset, access, kinds of file. Python's reference, section 3.

use wasi_mmap_core::{Access, FlushFlags, MapFlags, MapOptions, Rights};

use super::{Sizes, copy, pattern, read, windows, write};
use crate::case::*;
use crate::op::{Op, Value};

pub(super) fn cases(sizes: Sizes) -> Vec<Case> {
    let mut cases = extents(sizes);
    cases.extend(rights());
    cases.extend(kinds_of_file());
    cases
}

fn extents(sizes: Sizes) -> Vec<Case> {
    let g = sizes.granularity;
    let three = pattern(3 * g);
    let part = |range: std::ops::Range<u64>| three[range.start as usize..range.end as usize].to_vec();
    vec![
        case("length absent maps the whole file").file(&three).map(read()).holds(&three),
        case("length 0 maps the whole file").file(&three).map(read().length(0)).holds(&three),
        case("length 1 maps one byte")
            .file(&three)
            .map(read().length(1))
            .holds(part(0..1))
            .fails(Op::Get(1), out_of_range("index")),
        case("a length that ends within a page is kept").file(&three).map(read().length(g + 3)).holds(part(0..g + 3)),
        case("the exact length maps the whole file").file(&three).map(read().length(3 * g)).holds(&three),
        case("a file of one byte is mapped").file("x").map(write()).holds("x").op(Op::Size, number(1)),
        case("a length past the end is refused")
            .file(&three)
            .map_fails(read().length(3 * g + 1), beyond_end_of_file("length"))
            .map_fails(write().length(4 * g), beyond_end_of_file("length"))
            .map_fails(copy().length(4 * g), beyond_end_of_file("length"))
            .file_len_is(3 * g)
            .skip(Backend::Windows, windows::GROWS),
        case("a length of 2^63 and more is refused")
            .file(&three)
            .map_fails(read().length(1 << 63), beyond_end_of_file("length"))
            .map_fails(read().length(u64::MAX), beyond_end_of_file("length"))
            .map_fails(read().offset(g).length(u64::MAX), beyond_end_of_file("length")),
        case("an offset starts the mapping there").file(&three).map(read().offset(g)).holds(part(g..3 * g)),
        case("an offset with a length").file(&three).map(read().offset(g).length(7)).holds(part(g..g + 7)),
        case("a misaligned offset is refused")
            .file(&three)
            .map_fails(read().offset(1), invalid("offset"))
            .map_fails(write().offset(g - 1).length(1), invalid("offset"))
            .map_fails(copy().offset(g + g / 2), invalid("offset")),
        case("an offset at the end of the file is refused")
            .file(&three)
            .map_fails(read().offset(3 * g), beyond_end_of_file("offset"))
            .map_fails(read().offset(3 * g).length(1), beyond_end_of_file("length")),
        case("an offset past the end of the file is refused")
            .file(&three)
            .map_fails(read().offset(4 * g), beyond_end_of_file("offset"))
            .map_fails(read().offset(4 * g).length(1), beyond_end_of_file("length"))
            .map_fails(read().offset((1 << 63) - 1), beyond_end_of_file("offset"))
            .map_fails(read().offset(u64::MAX), beyond_end_of_file("offset"))
            .map_fails(read().offset(u64::MAX).length(1), beyond_end_of_file("length")),
        case("the file's length is checked before the alignment of the offset")
            .file(&three)
            .map_fails(read().offset(3 * g + 1), beyond_end_of_file("offset"))
            .map_fails(read().offset(1).length(3 * g), beyond_end_of_file("length")),
        case("an empty file is refused")
            .file("")
            .map_fails(read(), EMPTY_FILE)
            .map_fails(write(), EMPTY_FILE)
            .map_fails(copy(), EMPTY_FILE)
            .map_fails(read().length(0), EMPTY_FILE)
            .map_fails(read().offset(g), EMPTY_FILE)
            .map_fails(write().length(10), beyond_end_of_file("length"))
            .file_len_is(0)
            .skip(Backend::Windows, windows::GROWS),
        case("a new mapping has its cursor at the start").file("abc").map(read()).op(Op::Tell, number(0)),
        case("hints have no visible effect")
            .file(&three)
            .map(write().flags(MapFlags::POPULATE | MapFlags::NO_RESERVE | MapFlags::STACK))
            .op(Op::Set(1, 7), DONE)
            .op(Op::Get(1), number(7)),
        case("huge pages are refused for a file")
            .file(&three)
            .map_fails(read().flags(MapFlags::HUGE_PAGES), UNSUPPORTED),
    ]
}

fn rights() -> Vec<Case> {
    let private = || MapOptions::new().flags(MapFlags::PRIVATE);
    let widest = || read().flags(MapFlags::WIDEST_ACCESS);
    vec![
        case("a file open for reading can be mapped for reading and for copying")
            .file("abc")
            .map_opened(Rights::READ, read())
            .holds("abc")
            .map_opened(Rights::READ, copy())
            .op(Op::Set(0, b'X'), DONE)
            .holds("Xbc")
            .map_opened(Rights::READ, private())
            .op(Op::Set(0, b'Y'), DONE)
            .holds("Ybc")
            .file_is("abc"),
        case("a file open for reading cannot be mapped for writing").file("abc").map_opened_fails(
            Rights::READ,
            write(),
            NOT_PERMITTED,
        ),
        case("a file open for writing alone cannot be mapped")
            .file("abc")
            .map_opened_fails(Rights::WRITE, read(), NOT_PERMITTED)
            .map_opened_fails(Rights::WRITE, write(), NOT_PERMITTED)
            .map_opened_fails(Rights::WRITE, copy(), NOT_PERMITTED),
        case("a file open for both can be mapped for anything")
            .file("abc")
            .map_opened(Rights::all(), read())
            .holds("abc")
            .map_opened(Rights::all(), copy())
            .holds("abc")
            .map_opened(Rights::all(), write())
            .holds("abc"),
        case("the widest access is what the file is open for")
            .file("abc")
            .map_opened(Rights::READ, widest())
            .op(Op::Access, Value::Access(Access::Read))
            .fails(Op::Set(0, b'X'), READ_ONLY)
            .holds("abc")
            .map_opened(Rights::all(), widest())
            .op(Op::Access, Value::Access(Access::Write))
            .op(Op::Set(0, b'X'), DONE)
            .op(Op::Flush(0, None, FlushFlags::empty()), DONE)
            .file_is("Xbc")
            .op(Op::Resize(4), DONE)
            .file_is(b"Xbc\0")
            .op(Op::Close, DONE)
            .fails(Op::Access, CLOSED),
        case("the widest access needs a file that is open for reading").file("abc").map_opened_fails(
            Rights::WRITE,
            widest(),
            NOT_PERMITTED,
        ),
        case("the widest access chooses the part of the file as for reading")
            .file("abc")
            .map_opened_fails(Rights::all(), widest().length(4), beyond_end_of_file("length"))
            .map_opened_fails(Rights::all(), widest().offset(1), invalid("offset"))
            .map_opened_fails(
                Rights::all(),
                widest().flags(MapFlags::WIDEST_ACCESS | MapFlags::HUGE_PAGES),
                UNSUPPORTED,
            )
            .file_is("abc"),
        case("the widest access has no effect on other accesses and on private mappings")
            .file("abc")
            .map_opened(Rights::all(), copy().flags(MapFlags::WIDEST_ACCESS))
            .op(Op::Access, Value::Access(Access::Copy))
            .op(Op::Set(0, b'X'), DONE)
            .map_opened(Rights::all(), read().flags(MapFlags::WIDEST_ACCESS | MapFlags::PRIVATE))
            .op(Op::Access, Value::Access(Access::Read))
            .fails(Op::Set(0, b'X'), READ_ONLY)
            .map_opened_fails(Rights::READ, write().flags(MapFlags::WIDEST_ACCESS), NOT_PERMITTED)
            .map_opened(Rights::all(), write().flags(MapFlags::WIDEST_ACCESS))
            .op(Op::Access, Value::Access(Access::Write))
            .file_is("abc"),
        case("the widest access has no effect on memory without a file")
            .anonymous(widest().length(10))
            .op(Op::Access, Value::Access(Access::Read))
            .fails(Op::Set(0, 1), READ_ONLY)
            .named(1, "widest", widest().length(10))
            .op_in(1, Op::Access, Value::Access(Access::Read)),
        case("the file's length is checked before its rights")
            .file("abc")
            .map_opened_fails(Rights::READ, write().length(4), beyond_end_of_file("length"))
            .map_opened_fails(Rights::READ, write().offset(1), invalid("offset"))
            .skip(Backend::Windows, windows::GROWS),
        case("a mapping for reading refuses every write")
            .file("abc")
            .map(read())
            .fails(Op::Write(b"x".to_vec()), READ_ONLY)
            .fails(Op::Write(b"".to_vec()), READ_ONLY)
            .fails(Op::WriteByte(1), READ_ONLY)
            .fails(Op::WriteAt(0, b"x".to_vec()), READ_ONLY)
            .fails(Op::WriteAt(9, b"x".to_vec()), READ_ONLY)
            .fails(Op::Set(0, 1), READ_ONLY)
            .fails(Op::Set(99, 1), READ_ONLY)
            .fails(Op::WriteSlice(Default::default(), b"xyz".to_vec()), READ_ONLY)
            .fails(Op::CopyWithin(0, 0, 0), READ_ONLY)
            .fails(Op::CopyWithin(9, 9, 9), READ_ONLY)
            .fails(Op::Fill(0, 1, 0), READ_ONLY)
            .fails(Op::Resize(5), READ_ONLY)
            .op(Op::Tell, number(0))
            .holds("abc")
            .file_is("abc"),
        case("a copy accepts writes, which do not reach the file")
            .file("abc")
            .map(copy())
            .op(Op::Write(b"xy".to_vec()), number(2))
            .op(Op::Flush(0, None, Default::default()), DONE)
            .holds("xyc")
            .op(Op::Close, DONE)
            .file_is("abc"),
    ]
}

fn kinds_of_file() -> Vec<Case> {
    let directory = || crate::case::Source::File { name: ".", rights: Rights::READ };
    vec![
        case("a directory cannot be mapped")
            .map_source_fails(directory(), read(), UNSUPPORTED)
            .map_source_fails(directory(), read().length(10), UNSUPPORTED)
            .map_source_fails(directory(), copy().length(10), UNSUPPORTED),
        case("the file may be renamed while it is mapped")
            .file("abc")
            .map(write())
            .rename("f", "g")
            .op(Op::Set(0, b'X'), DONE)
            .op(Op::Size, number(3))
            .op(Op::Resize(2), DONE)
            .op(Op::Close, DONE)
            .file_named_is("g", "Xb"),
        case("the file may be deleted while it is mapped")
            .file("abc")
            .map(write())
            .remove("f")
            .op(Op::Set(0, b'X'), DONE)
            .op(Op::Size, number(3))
            .holds("Xbc")
            .op(Op::Resize(2), DONE)
            .op(Op::Flush(0, None, Default::default()), DONE)
            .op(Op::Close, DONE),
    ]
}
