//! Two views of one file. Python's reference, section 4.

use super::{Sizes, copy, pattern, read, write};
use crate::case::*;
use crate::op::Op;

pub(super) fn cases(Sizes { granularity: g, .. }: Sizes) -> Vec<Case> {
    let two = pattern(2 * g);
    let page = g as i64;
    let outside = "the component sees what the plugin writes by itself after a flush, a refresh or an eviction";
    let unflushed = "the component writes to the file when it flushes, evicts, closes or drops";
    vec![
        case("two mappings of one file share their memory")
            .file(&two)
            .map(write())
            .map_in(1, write())
            .map_in(2, read())
            .map_in(3, write().offset(g))
            .op(Op::WriteAt(g - 1, b"xyz".to_vec()), DONE)
            .op_in(1, Op::ReadAt(g - 1, 3), bytes("xyz"))
            .op_in(2, Op::ReadAt(g - 1, 3), bytes("xyz"))
            .op_in(3, Op::ReadAt(0, 2), bytes("yz"))
            .op_in(3, Op::Set(0, b'Y'), DONE)
            .op(Op::Get(page), number(b'Y'.into()))
            .op_in(2, Op::Find(b"xYz".to_vec(), Some(0), None), at(g - 1)),
        case("a mapping made later sees what was written before")
            .file(&two)
            .map(write())
            .op(Op::Set(0, !two[0]), DONE)
            .map_in(1, read())
            .op_in(1, Op::Get(0), number((!two[0]).into())),
        case("a copy sees changes by others until it writes to the page")
            .file(&two)
            .map(write())
            .map_in(1, copy())
            .op(Op::Set(0, b'A'), DONE)
            .op_in(1, Op::Get(0), number(b'A'.into()))
            .op_in(1, Op::Set(1, b'B'), DONE)
            .op(Op::Get(1), number(two[1].into()))
            .op(Op::Set(1, b'C'), DONE)
            .op_in(1, Op::Get(1), number(b'B'.into()))
            .op(Op::Set(page, b'D'), DONE)
            .op_in(1, Op::Get(page), number(b'D'.into())),
        case("two copies do not see each other")
            .file(&two)
            .map(copy())
            .map_in(1, copy())
            .op(Op::Set(0, b'A'), DONE)
            .op_in(1, Op::Set(0, b'B'), DONE)
            .op(Op::Get(0), number(b'A'.into()))
            .op_in(1, Op::Get(0), number(b'B'.into()))
            .file_is(&two),
        case("ordinary writes are seen at once")
            .file(&two)
            .map(write())
            .map_in(1, copy())
            .op(Op::Get(5), number(two[5].into()))
            .op_in(1, Op::Get(5), number(two[5].into()))
            .op_in(1, Op::Set(page, b'P'), DONE)
            .overwrite(5, "x")
            .overwrite(g + 1, "y")
            .op(Op::Get(5), number(b'x'.into()))
            .op_in(1, Op::Get(5), number(b'x'.into()))
            .op(Op::Get(page + 1), number(b'y'.into()))
            .op_in(1, Op::Get(page + 1), number(two[g as usize + 1].into()))
            .skip_unobserved(outside),
        case("ordinary writes are seen after a flush")
            .file(&two)
            .map(write())
            .op(Op::Get(5), number(two[5].into()))
            .overwrite(5, "x")
            .op(Op::Flush(0, None, Default::default()), DONE)
            .op(Op::Get(5), number(b'x'.into())),
        case("ordinary writes are seen after a refresh")
            .file(&two)
            .map(read())
            .op(Op::Get(5), number(two[5].into()))
            .overwrite(5, "x")
            .op(Op::Refresh, DONE)
            .op(Op::Get(5), number(b'x'.into())),
        case("ordinary reads see changes at once")
            .file("abc")
            .map(write())
            .op(Op::Set(0, b'X'), DONE)
            .file_is("Xbc")
            .skip_unobserved(unflushed),
        case("a flush writes back only changed bytes")
            .file(&two)
            .map(write())
            .op(Op::Set(5, b'M'), DONE)
            .overwrite(6, "O")
            .overwrite(4, "o")
            .op(Op::Flush(0, None, Default::default()), DONE)
            .op(Op::ReadAt(4, 3), bytes("oMO"))
            .op(Op::Close, DONE)
            .file_is([&two[..4], b"oMO", &two[7..]].concat()),
        case("a mapping remains usable after another one is closed")
            .file(&two)
            .map(write())
            .map_in(1, write())
            .op(Op::Set(0, b'A'), DONE)
            .op(Op::Close, DONE)
            .op_in(1, Op::Get(0), number(b'A'.into()))
            .op_in(1, Op::Set(1, b'B'), DONE)
            .op_in(1, Op::Close, DONE)
            .file_is([b"AB", &two[2..]].concat()),
    ]
}
