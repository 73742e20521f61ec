//! Memory without a file: anonymous and named.

use std::time::{SystemTime, UNIX_EPOCH};

use wasi_mmap_core::{Advice, MapFlags, MapOptions};

use super::{FOR_PAGES, Sizes, copy, pattern, read, windows, write};
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
        fails(write().length(1).offset(1), invalid("offset"))("anonymous memory refuses a misaligned offset"),
        fails(write().length(u64::MAX), OUT_OF_MEMORY)("anonymous memory of 2^64 - 1 bytes cannot be had"),
        fails(write().length(1 << 63), OUT_OF_MEMORY)("anonymous memory of 2^63 bytes cannot be had"),
        case("the offset of anonymous memory has no effect")
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
            .holds([vec![7; page as usize], vec![0; page as usize]].concat())
            .skip(Backend::Windows, windows::NO_ADVICE),
        case("free leaves private anonymous memory usable")
            .anonymous(private().length(2 * page))
            .op(Op::Fill(0, 2 * page, 7), DONE)
            .op(Op::Advise(Advice::Free, 0, Some(page)), DONE)
            .op(Op::Fill(0, page, 8), DONE)
            .holds([vec![8; page as usize], vec![7; page as usize]].concat())
            .skip_fallbacks(FOR_PAGES)
            .skip(Backend::Windows, windows::NO_ADVICE),
        case("remove turns pages of shared anonymous memory into zeros")
            .anonymous(write().length(3 * page))
            .op(Op::Fill(0, 3 * page, 7), DONE)
            .op(Op::Advise(Advice::Remove, page, Some(page)), DONE)
            .holds([vec![7; page as usize], vec![0; page as usize], vec![7; page as usize]].concat())
            .skip_fallbacks(FOR_PAGES)
            .skip(Backend::Windows, windows::NO_ADVICE),
        case("closing anonymous memory frees it")
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

fn named(Sizes { page, granularity: g }: Sizes) -> Vec<Case> {
    let len = 2 * page + 5;
    let fails = |name, options, refusal| case_step(Source::Named(name), options, refusal);
    let [one, other, kept, lives, long] = ["one", "other", "kept", "lives", "long"].map(unique);
    let (odd, longest) = (unique("/../\u{e4} \n"), unique(&"x".repeat(70)));
    vec![
        case("mappings of one name share their memory")
            .named(0, one, write().length(len))
            .holds(vec![0; len as usize])
            .named(1, one, write().length(len))
            .named(2, one, read())
            .named(3, one, write().length(7).offset(g))
            .named(4, other, write().length(len))
            .op(Op::WriteAt(page - 1, b"xyz".to_vec()), DONE)
            .op_in(1, Op::ReadAt(page - 1, 3), bytes("xyz"))
            .op_in(2, Op::ReadAt(page - 1, 3), bytes("xyz"))
            .op_in(3, Op::Set(0, b'a'), DONE)
            .op(Op::Get(0), number(b'a'.into()))
            .op(Op::Size, number(len))
            .holds_in(4, vec![0; len as usize]),
        case("a copy of named memory keeps its changes")
            .named(0, kept, write().length(len))
            .named(1, kept, copy().length(len))
            .op(Op::Set(0, 1), DONE)
            .op_in(1, Op::Get(0), number(1))
            .op_in(1, Op::Set(0, 2), DONE)
            .op(Op::Get(0), number(1))
            .op_in(1, Op::Get(0), number(2)),
        case("named memory lives as long as one of its mappings")
            .named(0, lives, write().length(len))
            .op(Op::Set(0, 7), DONE)
            .named(1, lives, write().length(len))
            .op(Op::Close, DONE)
            .named(2, lives, write().length(len))
            .op_in(2, Op::Get(0), number(7))
            .drop_mapping(1)
            .op_in(2, Op::Close, DONE)
            .named(3, lives, write().length(page))
            .holds_in(3, vec![0; page as usize]),
        case("the first mapping sets the length of named memory")
            .named(0, long, write().length(page))
            .named(1, long, read())
            .op_in(1, Op::Len, number(page))
            .map_source_fails_in(2, Source::Named(long), write().length(page + 1), beyond_end_of_file("length"))
            .fails(Op::Resize(2 * page), UNSUPPORTED)
            .fails(Op::Resize(1), UNSUPPORTED)
            .op(Op::Len, number(page)),
        fails(unique("new"), write(), invalid("length"))("new named memory needs a length"),
        fails(unique("new"), write().length(1).offset(1), invalid("offset"))("named memory takes no misaligned offset"),
        fails("", write().length(1), invalid("name"))("memory cannot have an empty name"),
        fails(TOO_LONG, write().length(1), invalid("name"))("memory cannot have a name of more than 100 bytes"),
        case("any text is a valid name")
            .named(0, odd, write().length(5))
            .named(1, odd, write().length(5))
            .op(Op::Set(0, 7), DONE)
            .op_in(1, Op::Get(0), number(7))
            .named(2, longest, write().length(5))
            .op_in(2, Op::Get(0), number(0)),
    ]
}

/// A name that no other run of the suite uses: names are shared by all processes of a user.
pub(super) fn unique(name: &str) -> &'static str {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    format!("{name}-{now}").leak()
}

/// 101 bytes.
const TOO_LONG: &str = "01234567890123456789012345678901234567890123456789\
                    012345678901234567890123456789012345678901234567890";
