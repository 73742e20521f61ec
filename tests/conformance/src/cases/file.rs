//! Flush, advice and the file's size. Python's reference, section 5.

use wasi_mmap_core::{Advice, FlushFlags, MapFlags, MapOptions};

use super::{FOR_PAGES, Sizes, copy, pattern, read, windows, write};
use crate::case::*;
use crate::op::Op;

fn flush(offset: u64, length: impl Into<Option<u64>>, flags: FlushFlags) -> Op {
    Op::Flush(offset, length.into(), flags)
}

fn advise(advice: Advice, start: u64, length: impl Into<Option<u64>>) -> Op {
    Op::Advise(advice, start, length.into())
}

pub(super) fn cases(sizes: Sizes) -> Vec<Case> {
    let mut cases = flushes(sizes);
    cases.extend(advices(sizes));
    cases.extend(lengths(sizes));
    cases
}

fn flushes(Sizes { page, .. }: Sizes) -> Vec<Case> {
    let none = FlushFlags::empty();
    let data = pattern(2 * page + 5);
    let len = 2 * page + 5;
    vec![
        case("flush writes shared changes to the file")
            .file(&data)
            .map(write())
            .op(Op::WriteAt(page - 1, b"xyz".to_vec()), DONE)
            .op(flush(0, None, none), DONE)
            .file_is([&data[..page as usize - 1], b"xyz", &data[page as usize + 2..]].concat()),
        case("flush of a range writes at least that range")
            .file(&data)
            .map(write())
            .op(Op::Set(page as i64, 7), DONE)
            .op(flush(page, page, none), DONE)
            .file_is([&data[..page as usize], &[7], &data[page as usize + 1..]].concat()),
        case("flush checks its range")
            .file(&data)
            .map(write())
            .fails(flush(0, len + 1, none), out_of_range("length"))
            .fails(flush(page, len, none), out_of_range("length"))
            .fails(flush(len + 1, None, none), out_of_range("offset"))
            .fails(flush(u64::MAX, 1, none), out_of_range("offset"))
            .fails(flush(0, u64::MAX, none), out_of_range("length"))
            .op(flush(0, len, none), DONE)
            .op(flush(page, page, none), DONE)
            .op(flush(page, 0, none), DONE)
            .op(flush(2 * page, None, none), DONE),
        case("flush from a misaligned offset is refused")
            .file(&data)
            .map(write())
            .fails(flush(1, None, none), invalid("offset"))
            .fails(flush(page - 1, 1, none), invalid("offset"))
            .fails(flush(len, None, none), invalid("offset")),
        case("flush of nothing at an aligned end succeeds")
            .file(pattern(2 * page))
            .map(write())
            .op(flush(2 * page, None, none), DONE),
        case("flush accepts each mode, but not two that exclude each other")
            .file(&data)
            .map(write())
            .op(flush(0, None, FlushFlags::SYNC), DONE)
            .op(flush(0, None, FlushFlags::ASYNC), DONE)
            .op(flush(0, None, FlushFlags::SYNC | FlushFlags::INVALIDATE), DONE)
            .op(flush(0, None, FlushFlags::ASYNC | FlushFlags::INVALIDATE), DONE)
            .op(flush(0, None, FlushFlags::INVALIDATE), DONE)
            .fails(flush(0, None, FlushFlags::SYNC | FlushFlags::ASYNC), invalid("flags")),
        case("flush of a mapping for reading or copying only checks the range")
            .file(&data)
            .map(read())
            .op(flush(0, None, none), DONE)
            .op(flush(1, None, FlushFlags::SYNC | FlushFlags::ASYNC), DONE)
            .fails(flush(0, len + 1, none), out_of_range("length"))
            .map(copy())
            .op(Op::Set(0, 1), DONE)
            .op(flush(1, 1, FlushFlags::SYNC | FlushFlags::ASYNC), DONE)
            .fails(flush(len + 1, None, none), out_of_range("offset"))
            .file_is(&data),
        case("flush of a private mapping checks its arguments and writes nothing")
            .file(&data)
            .map(MapOptions::new().flags(MapFlags::PRIVATE))
            .op(Op::Set(0, 1), DONE)
            .op(flush(0, None, none), DONE)
            .fails(flush(1, None, none), invalid("offset"))
            .fails(flush(0, None, FlushFlags::SYNC | FlushFlags::ASYNC), invalid("flags"))
            .file_is(&data),
    ]
}

fn advices(Sizes { page, .. }: Sizes) -> Vec<Case> {
    let data = pattern(2 * page + 5);
    let len = 2 * page + 5;
    let known = [Advice::Normal, Advice::Random, Advice::Sequential, Advice::WillNeed];
    let mut hints = case("hints do not change the bytes").file(&data).map(write());
    for advice in known {
        hints = hints.op(advise(advice, 0, None), DONE).op(advise(advice, page, page), DONE);
    }
    let for_pages = [Advice::DontFork, Advice::DoFork, Advice::DontDump, Advice::DoDump];
    let mut pages = case("advice on a child's pages and on core dumps is accepted").file(&data).map(write());
    for advice in for_pages {
        pages = pages.op(advise(advice, 0, None), DONE).op(advise(advice, page, page), DONE);
    }
    vec![
        hints.op(advise(Advice::DontNeed, 0, None), DONE).holds(&data).skip(Backend::Windows, windows::NO_ADVICE),
        case("advice checks its start")
            .file(&data)
            .map(read())
            .fails(advise(Advice::Normal, len, None), out_of_range("start"))
            .fails(advise(Advice::Normal, u64::MAX, None), out_of_range("start"))
            .fails(advise(Advice::Normal, 1, None), invalid("start"))
            .fails(advise(Advice::Normal, page + 1, 0), invalid("start")),
        case("advice past the end is clipped")
            .file(&data)
            .map(read())
            .op(advise(Advice::WillNeed, page, 100 * page), DONE)
            .op(advise(Advice::WillNeed, 0, 0), DONE)
            .op(advise(Advice::WillNeed, 0, i64::MAX as u64), DONE)
            .fails(advise(Advice::WillNeed, page, i64::MAX as u64), out_of_range("length"))
            .fails(advise(Advice::WillNeed, 0, u64::MAX), out_of_range("length"))
            .fails(advise(Advice::WillNeed, page, u64::MAX), out_of_range("length"))
            .skip(Backend::Windows, windows::NO_ADVICE),
        case("dont-need keeps shared changes")
            .file(&data)
            .map(write())
            .op(Op::Set(0, !data[0]), DONE)
            .op(advise(Advice::DontNeed, 0, None), DONE)
            .op(Op::Get(0), number((!data[0]).into()))
            .skip(Backend::Windows, windows::NO_ADVICE),
        case("dont-need loses private changes")
            .file(&data)
            .map(copy())
            .op(Op::Set(0, !data[0]), DONE)
            .op(Op::Set(page as i64, !data[page as usize]), DONE)
            .op(advise(Advice::DontNeed, 0, page), DONE)
            .op(Op::Get(0), number(data[0].into()))
            .op(Op::Get(page as i64), number((!data[page as usize]).into()))
            .skip(Backend::Windows, windows::NO_ADVICE),
        pages.holds(&data).skip_fallbacks(FOR_PAGES).skip(Backend::Windows, windows::NO_ADVICE),
        case("remove turns a part of the file into zeros")
            .file(pattern(3 * page))
            .map(write())
            .op(advise(Advice::Remove, page, page), DONE)
            .holds([&pattern(page)[..], &vec![0; page as usize], &pattern(3 * page)[2 * page as usize..]].concat())
            .op(Op::Size, number(3 * page))
            .skip_fallbacks(FOR_PAGES)
            .skip(Backend::Windows, windows::NO_ADVICE),
        case("advice for another system is not supported")
            .file(&data)
            .map(read())
            .fails(advise(Advice::FreeReusable, 0, None), UNSUPPORTED)
            .fails(advise(Advice::NoSync, 0, None), UNSUPPORTED),
    ]
}

fn lengths(Sizes { granularity: g, .. }: Sizes) -> Vec<Case> {
    vec![
        case("size is that of the whole file")
            .file(pattern(3 * g))
            .map(read().offset(g).length(5))
            .op(Op::Len, number(5))
            .op(Op::Size, number(3 * g)),
        case("size follows the file")
            .file(pattern(10))
            .map(read().length(5))
            .set_len(100)
            .op(Op::Size, number(100))
            .set_len(7)
            .op(Op::Size, number(7))
            .op(Op::Len, number(5))
            .holds(&pattern(10)[..5])
            .skip(Backend::Windows, windows::NEVER_SHORTER),
        case("refresh of a whole file changes nothing")
            .file("abc")
            .map(write())
            .op(Op::Set(0, b'X'), DONE)
            .op(Op::Refresh, DONE)
            .holds("Xbc")
            .map(read())
            .op(Op::Refresh, DONE)
            .holds("Xbc"),
    ]
}
