//! Slices with steps. Python's reference, section 6.

use wasi_mmap_core::Slice;

use super::{copy, pattern, read, write};
use crate::case::*;
use crate::op::{Op, Value};

fn slice(start: impl Into<Option<i64>>, stop: impl Into<Option<i64>>, step: i64) -> Slice {
    Slice { start: start.into(), stop: stop.into(), step }
}

/// Returns the indices of a slice of Python's `bytes`, worked out one at a time.
fn chosen(all: &[u8], slice: Slice) -> Vec<u8> {
    indices(all.len() as i64, slice).into_iter().map(|index| all[index]).collect()
}

fn indices(len: i64, slice: Slice) -> Vec<usize> {
    let from_end = |bound: i64| if bound < 0 { bound.saturating_add(len) } else { bound };
    let forward = slice.step > 0;
    let mut at = match slice.start {
        None => {
            if forward {
                0
            } else {
                len - 1
            }
        }
        Some(start) => {
            if forward {
                from_end(start).max(0)
            } else {
                from_end(start).min(len - 1)
            }
        }
    };
    let stop = match slice.stop {
        None => {
            if forward {
                len
            } else {
                -1
            }
        }
        Some(stop) => {
            if forward {
                from_end(stop).min(len)
            } else {
                from_end(stop).max(-1)
            }
        }
    };
    let mut indices = Vec::new();
    while if forward { at < stop } else { at > stop } {
        indices.push(at as usize);
        let Some(next) = at.checked_add(slice.step) else { break };
        at = next;
    }
    indices
}

/// CPython's `test_extended_getslice`: every start and stop, in and out of bounds, with steps of both signs.
fn grid(len: i64) -> Vec<Slice> {
    let bounds =
        [None, Some(0), Some(3), Some(41), Some(i64::MAX), Some(-1), Some(-2), Some(-37), Some(i64::MIN), Some(len)];
    let steps = [1, 3, 41, i64::MAX, -1, -2, -37, -i64::MAX, i64::MIN, 2];
    let mut all = Vec::new();
    for start in bounds {
        for stop in bounds {
            all.extend(steps.map(|step| slice(start, stop, step)));
        }
    }
    all
}

pub(super) fn cases() -> Vec<Case> {
    let all = pattern(60);
    let mut reading = case("every slice reads as Python's bytes do").file(&all).map(read());
    let mut writing = case("every slice writes as Python's bytearray does").file(&all).map(copy());
    let mut expected = all.clone();
    for (round, one) in grid(60).into_iter().enumerate() {
        reading = reading.op(Op::ReadSlice(one), Value::Bytes(chosen(&all, one)));
        let places = indices(60, one);
        let new: Vec<u8> = (0..places.len()).map(|i| (i + round).to_le_bytes()[0]).collect();
        places.iter().zip(&new).for_each(|(&place, &byte)| expected[place] = byte);
        writing = writing.op(Op::WriteSlice(one, new), DONE);
    }
    let big = pattern(200_000);
    vec![
        reading,
        writing.holds(expected).file_is(&all),
        case("a step of 0 is refused")
            .file("abc")
            .map(write())
            .fails(Op::ReadSlice(slice(None, None, 0)), invalid("step"))
            .fails(Op::WriteSlice(slice(None, None, 0), vec![]), invalid("step"))
            .holds("abc"),
        case("a slice accepts exactly as many bytes as it selects")
            .file("0123456789")
            .map(write())
            .fails(Op::WriteSlice(slice(0, 3, 1), b"ab".to_vec()), invalid("bytes"))
            .fails(Op::WriteSlice(slice(0, 3, 1), b"abcd".to_vec()), invalid("bytes"))
            .fails(Op::WriteSlice(slice(0, 9, 3), b"ab".to_vec()), invalid("bytes"))
            .fails(Op::WriteSlice(slice(5, 5, 1), b"a".to_vec()), invalid("bytes"))
            .op(Op::WriteSlice(slice(5, 5, 1), vec![]), DONE)
            .op(Op::WriteSlice(slice(7, 2, 1), vec![]), DONE)
            .holds("0123456789")
            .op(Op::WriteSlice(slice(0, 3, 1), b"abc".to_vec()), DONE)
            .op(Op::WriteSlice(slice(None, None, -4), b"xyz".to_vec()), DONE)
            .op(Op::Close, DONE)
            .file_is("azc34y678x"),
        case("slices cross every page")
            .file(&big)
            .map(copy())
            .op(Op::ReadSlice(slice(None, None, -1)), Value::Bytes(chosen(&big, slice(None, None, -1))))
            .op(Op::ReadSlice(slice(7, None, 13)), Value::Bytes(chosen(&big, slice(7, None, 13))))
            .op(Op::ReadSlice(slice(None, 5, -70_001)), Value::Bytes(chosen(&big, slice(None, 5, -70_001))))
            .op(Op::ReadSlice(slice(65_530, 65_540, 1)), Value::Bytes(big[65_530..65_540].to_vec()))
            .op(Op::WriteSlice(slice(None, None, -1), big.clone()), DONE)
            .holds(big.iter().rev().copied().collect::<Vec<_>>()),
        case("a reversed slice written back reverses the mapping")
            .file("0123456789")
            .map(write())
            .op(Op::ReadSlice(slice(None, None, -1)), bytes("9876543210"))
            .op(Op::WriteSlice(slice(None, None, -1), b"0123456789".to_vec()), DONE)
            .holds("9876543210"),
    ]
}
