//! Memory without a file: anonymous and named.

use wasi_mmap_core::{Advice, MapFlags, MapOptions};

use super::{Sizes, copy, pattern, read, write};
use crate::case::*;
use crate::op::Op;

pub(super) fn cases(sizes: Sizes) -> Vec<Case> {
    let mut cases = anonymous(sizes);
    cases.extend(named(sizes));
    cases
}

fn anonymous(Sizes { page, granularity: g }: Sizes) -> Vec<Case> {
    let private = || MapOptions::new().flags(MapFlags::PRIVATE);
    let len = 3 * page + 5;
    let fails = |options, refusal| case_step(Source::Anonymous, options, refusal);
    vec![
        case("anonymous memory starts as zeros")
            .anonymous(write().length(len))
            .holds(vec![0; len as usize])
            .op(Op::Size, number(len))
            .op(Op::WriteAt(0, pattern(len)), DONE)
            .holds(pattern(len))
            .op(Op::Flush(0, None, Default::default()), DONE)
            .holds(pattern(len)),
        case("anonymous memory can be private, copied and read-only")
            .anonymous(private().length(len))
            .op(Op::Set(0, 1), DONE)
            .op(Op::Get(0), number(1))
            .anonymous(copy().length(len))
            .op(Op::Set(0, 1), DONE)
            .op(Op::Get(0), number(1))
            .fails(Op::Resize(1), READ_ONLY)
            .anonymous(read().length(len))
            .op(Op::Get(0), number(0))
            .fails(Op::Set(0, 1), READ_ONLY),
        fails(write(), invalid("length"))("anonymous memory needs a length"),
        fails(write().length(0), invalid("length"))("anonymous memory of length 0 is refused"),
        fails(write().length(1).offset(1), invalid("offset"))("anonymous memory takes no misaligned offset"),
        fails(write().length(u64::MAX), OUT_OF_MEMORY)("anonymous memory of 2^64 - 1 bytes cannot be had"),
        fails(write().length(1 << 63), OUT_OF_MEMORY)("anonymous memory of 2^63 bytes cannot be had"),
        case("anonymous memory has an offset in name only")
            .anonymous(write().length(len).offset(g))
            .holds(vec![0; len as usize])
            .op(Op::Size, number(len)),
        case("anonymous shared memory grows and shrinks")
            .anonymous(write().length(page))
            .op(Op::WriteAt(0, pattern(page)), DONE)
            .op(Op::Resize(3 * page), DONE)
            .holds([&pattern(page)[..], &vec![0; 2 * page as usize]].concat())
            .op(Op::Size, number(3 * page))
            .op(Op::Resize(10), DONE)
            .holds(&pattern(page)[..10])
            .op(Op::Resize(page), DONE)
            .holds([&pattern(page)[..10], &vec![0; page as usize - 10]].concat()),
        case("anonymous private memory grows and shrinks")
            .anonymous(private().length(page))
            .op(Op::WriteAt(0, pattern(page)), DONE)
            .op(Op::Resize(3 * page), DONE)
            .holds([&pattern(page)[..], &vec![0; 2 * page as usize]].concat())
            .op(Op::Resize(10), DONE)
            .holds(&pattern(page)[..10]),
        case("anonymous memory cannot be resized to 0")
            .anonymous(write().length(10))
            .fails(Op::Resize(0), invalid("length"))
            .op(Op::Len, number(10)),
        case("dont-need zeroes private anonymous memory")
            .anonymous(private().length(2 * page))
            .op(Op::Fill(0, 2 * page, 7), DONE)
            .op(Op::Advise(Advice::DontNeed, page, None), DONE)
            .holds([vec![7; page as usize], vec![0; page as usize]].concat()),
        case("the memory of a mapping is gone when it is closed")
            .anonymous(write().length(10))
            .op(Op::Fill(0, 10, 7), DONE)
            .op(Op::Close, DONE)
            .anonymous(write().length(10))
            .holds([0; 10]),
    ]
}

/// A case of one step, which is named last.
fn case_step(source: Source, options: MapOptions, refusal: crate::op::Refusal) -> impl FnOnce(&'static str) -> Case {
    move |name| case(name).map_source_fails(source, options, refusal)
}

fn named(_: Sizes) -> Vec<Case> {
    Vec::new()
}
