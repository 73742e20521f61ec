//! The differences on Windows. Python's reference, sections 3.3, 5 and 10.

use wasi_mmap_core::{Advice, MapFlags, MapOptions, Rights};

use super::memory::unique;
use super::{Sizes, copy, pattern, read, write};
use crate::case::*;
use crate::op::Op;

/// The reasons for which Windows skips cases, as `docs/differences.md` gives them.
pub(super) const GROWS: &str =
    "on Windows, a writable mapping that reaches past the end of its file makes the file longer";
pub(super) const NEVER_SHORTER: &str = "Windows lets nobody make a file shorter while it is mapped";
pub(super) const NO_MORE_THAN_THE_FILE: &str = "Windows maps no more than the file, or makes it longer";
pub(super) const NO_ADVICE: &str = "Windows takes no advice for mappings";
pub(super) const NO_PRIVATE_RESIZE: &str = "on Windows, a private mapping does not resize its file";

/// The reason for which only Windows runs a case.
const ONLY_WINDOWS: &str = "only Windows has its rules for mappings";

pub(super) fn cases(sizes: Sizes) -> Vec<Case> {
    let mut cases = longer(sizes);
    cases.extend(shorter(sizes));
    cases.extend(names(sizes));
    cases.push(granularity());
    cases.push(advice(sizes));
    cases.into_iter().map(|case| case.only_on_windows(ONLY_WINDOWS)).collect()
}

fn longer(Sizes { granularity: g, .. }: Sizes) -> Vec<Case> {
    let one = pattern(g);
    let zeros = |len: u64| vec![0; len as usize];
    vec![
        case("Windows: a mapping that is longer than its file makes the file longer, with zeros")
            .file("abc")
            .map(write().length(g + 5))
            .holds([b"abc", &zeros(g + 2)[..]].concat())
            .op(Op::Size, number(g + 5))
            .op(Op::Set(-1, 9), DONE)
            .op(Op::Close, DONE)
            .file_is([b"abc", &zeros(g + 1)[..], &[9]].concat()),
        case("Windows: a mapping from the end of its file, and from past the end, makes the file longer")
            .file(&one)
            .map(write().offset(g).length(10))
            .holds(zeros(10))
            .op(Op::Size, number(g + 10))
            .map_in(1, write().offset(2 * g).length(1))
            .op_in(1, Op::Set(0, 7), DONE)
            .op(Op::Size, number(2 * g + 1))
            .op(Op::Close, DONE)
            .op_in(1, Op::Close, DONE)
            .file_is([&one[..], &zeros(g), &[7]].concat()),
        case("Windows: an empty file is refused, unless a length is given")
            .file("")
            .map_fails(read(), EMPTY_FILE)
            .map_fails(write(), EMPTY_FILE)
            .map_fails(copy(), EMPTY_FILE)
            .map_fails(write().length(0), EMPTY_FILE)
            .map_fails(write().offset(g), EMPTY_FILE)
            .file_len_is(0)
            .map(write().length(10))
            .holds(zeros(10))
            .file_len_is(10),
        case("Windows: a mapping that does not write to its file does not make it longer")
            .file(&one)
            .map_fails(read().length(g + 1), beyond_end_of_file("length"))
            .map_fails(copy().length(g + 1), beyond_end_of_file("length"))
            .map_fails(MapOptions::new().flags(MapFlags::PRIVATE).length(g + 1), beyond_end_of_file("length"))
            .file_len_is(g),
        case("Windows: a mapping that is refused does not make its file longer")
            .file(&one)
            .map_opened_fails(Rights::READ, write().length(g + 1), NOT_PERMITTED)
            .map_fails(write().offset(1).length(g), invalid("offset"))
            .map_fails(write().flags(MapFlags::HUGE_PAGES).length(g + 1), UNSUPPORTED)
            .map_fails(write().length(1 << 63), beyond_end_of_file("length"))
            .map_fails(write().offset(g).length(u64::MAX), beyond_end_of_file("length"))
            .map_fails(write().offset(g), beyond_end_of_file("offset"))
            .file_len_is(g),
    ]
}

fn shorter(Sizes { granularity: g, .. }: Sizes) -> Vec<Case> {
    let three = pattern(3 * g);
    vec![
        case("Windows: a file can be made longer while it is mapped, and not shorter")
            .file(&three)
            .map(read().length(2 * g))
            .set_len_fails(g)
            .set_len_fails(0)
            .holds(&three[..2 * g as usize])
            .set_len(4 * g)
            .op(Op::Size, number(4 * g))
            .op(Op::Len, number(2 * g))
            .op(Op::Close, DONE)
            .set_len(g)
            .file_is(&three[..g as usize]),
        case("Windows: a file cannot be resized to less while another mapping of it exists")
            .file(&three)
            .map(write())
            .map_in(1, read())
            .op(Op::Set(0, !three[0]), DONE)
            .fails(Op::Resize(g), IO)
            .op(Op::Len, number(3 * g))
            .op(Op::Get(0), number((!three[0]).into()))
            .op(Op::ReadAt(1, 3 * g - 1), bytes(&three[1..]))
            .file_len_is(3 * g)
            .drop_mapping(1)
            .op(Op::Resize(g), DONE)
            .op(Op::Close, DONE)
            .file_is([&[!three[0]], &three[1..g as usize]].concat()),
        case("Windows: a private mapping does not resize its file")
            .file(&three)
            .map_opened(Rights::all(), MapOptions::new().flags(MapFlags::PRIVATE))
            .op(Op::Set(0, !three[0]), DONE)
            .fails(Op::Resize(g), UNSUPPORTED)
            .fails(Op::Resize(4 * g), UNSUPPORTED)
            .op(Op::Get(0), number((!three[0]).into()))
            .file_is(&three),
    ]
}

fn names(Sizes { page, .. }: Sizes) -> Vec<Case> {
    let [whole, zero] = ["whole", "ze\0ro"].map(unique);
    vec![
        case("Windows: named memory that exists is as long as its pages")
            .named(0, whole, write().length(page + 5))
            .op(Op::Len, number(page + 5))
            .named(1, whole, write())
            .op_in(1, Op::Len, number(2 * page))
            .op_in(1, Op::Set(page as i64, 7), DONE)
            .op(Op::Get(page as i64), number(7)),
        case("Windows: a name cannot contain a character of value 0").map_source_fails(
            Source::Named(zero),
            write().length(1),
            invalid("name"),
        ),
    ]
}

fn granularity() -> Case {
    let data = pattern(2 * 65_536);
    case("Windows: the granularity is 65,536")
        .file(&data)
        .map(read().offset(65_536))
        .holds(&data[65_536..])
        .map_fails(read().offset(4096), invalid("offset"))
        .map_fails(write().offset(32_768), invalid("offset"))
        .map_fails(copy().offset(65_537), invalid("offset"))
}

fn advice(Sizes { page, .. }: Sizes) -> Case {
    case("Windows: advice is checked, and not supported")
        .file(pattern(2 * page))
        .map(write())
        .fails(Op::Advise(Advice::Normal, 2 * page, None), out_of_range("start"))
        .fails(Op::Advise(Advice::Normal, 1, None), invalid("start"))
        .fails(Op::Advise(Advice::Normal, 0, None), UNSUPPORTED)
        .fails(Op::Advise(Advice::DontNeed, page, Some(page)), UNSUPPORTED)
}
