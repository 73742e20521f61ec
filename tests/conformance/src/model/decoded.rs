//! Sequences that are decoded from a fuzzer's bytes. Each byte is a choice, so that the effect of changing it can guide
//! the fuzzer.
//!
//! The choices are those of [`random`](super::random), with numbers that take few bytes. There, they are random and can
//! shrink; here, they follow from the input alone.

use std::io::SeekFrom;

use arbitrary::{Result, Unstructured};
use wasi_mmap_core::{Access, Advice, FlushFlags, MapFlags, MapOptions, Slice};

use super::{PAGE, SLOTS, Sequence, Step};
use crate::op::Op;

/// The maximum number of steps of a sequence: a fuzzer tries many short ones.
const MOST_STEPS: usize = 60;
/// The maximum number of operations during a fault.
const MOST_LOOKS: u8 = 6;

/// Returns the sequence that the bytes encode. It ends where they end.
pub(super) fn sequence(bytes: &[u8]) -> Sequence {
    let mut choices = Choices(Unstructured::new(bytes));
    let len = match choices.below(8) {
        0 => 3 * PAGE as u64,
        1 => choices.between(60_000, 140_000),
        _ => choices.between(1, 20_000),
    };
    // Nothing can be done without a mapping.
    let mut steps = vec![Step::Map { slot: 0, options: choices.options() }];
    while !choices.0.is_empty() && steps.len() < MOST_STEPS {
        steps.push(choices.step());
    }
    Sequence { len: len as usize, steps }
}

/// The choices that the bytes encode. After their end, it is always the first.
struct Choices<'a>(Unstructured<'a>);

impl Choices<'_> {
    /// Returns a number from `low` to `high`.
    fn between<T: arbitrary::unstructured::Int>(&mut self, low: T, high: T) -> T {
        or_first(self.0.int_in_range(low..=high), low)
    }

    /// Returns a number below `end`.
    fn below(&mut self, end: u8) -> u8 {
        self.between(0, end - 1)
    }

    fn byte(&mut self) -> u8 {
        or_first(self.0.arbitrary(), 0)
    }

    fn slot(&mut self) -> usize {
        self.below(SLOTS as u8).into()
    }

    fn maybe<T>(&mut self, some: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(4) > 0).then(|| some(self))
    }

    /// Returns a number that is likely to be within the mapping, at an edge, or far outside.
    fn offset(&mut self) -> u64 {
        match self.below(16) {
            0..8 => self.between(0, 20_000),
            8..13 => self.between(0, 6) * PAGE as u64,
            13 | 14 => self.between(60_000, 140_000),
            _ => [u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 32][usize::from(self.below(4))],
        }
    }

    fn count(&mut self) -> u64 {
        match self.below(11) {
            0..6 => self.between(0, 200),
            6..9 => self.between(0, 20_000),
            9 => 70_000,
            _ => self.offset(),
        }
    }

    fn signed(&mut self) -> i64 {
        match self.below(10) {
            0..8 => self.between(-20_000, 20_000),
            8 => self.between(-140_000, 140_000),
            _ => [i64::MIN, i64::MAX][usize::from(self.below(2))],
        }
    }

    /// Returns few different bytes, so that searches find something: eight letters that two bytes choose, repeated.
    fn bytes(&mut self, most: u16) -> Vec<u8> {
        let count = self.between(0, most);
        let letters: u16 = or_first(self.0.arbitrary(), 0);
        (0..count).map(|at| b"ab\n\0"[usize::from(letters >> (at % 8 * 2) & 3)]).collect()
    }

    fn slice(&mut self) -> Slice {
        let (start, stop) = (self.maybe(Self::signed), self.maybe(Self::signed));
        let step = match self.below(9) {
            0..4 => 1,
            4..8 => self.between(-100, 100),
            _ => self.signed(),
        };
        Slice { start, stop, step }
    }

    /// Bytes for a slice, which mostly fit.
    fn write_slice(&mut self) -> Op {
        let (start, bytes) = (self.between(0, 15_000), self.bytes(40));
        let step = if self.below(2) == 0 { 1 } else { self.between(-50, 50) };
        let stop = start + step * bytes.len() as i64;
        Op::WriteSlice(Slice { start: Some(start), stop: (stop >= 0).then_some(stop), step }, bytes)
    }

    /// An operation that changes no byte.
    fn look(&mut self) -> Op {
        match self.below(19) {
            0 => Op::Len,
            1 => Op::Tell,
            2 => Op::IsClosed,
            3 => Op::Seek(SeekFrom::Start(self.offset())),
            4 => Op::Seek(SeekFrom::Current(self.signed())),
            5 => Op::Seek(SeekFrom::End(self.signed())),
            6 | 7 => Op::Read(self.maybe(Self::count)),
            8 => Op::ReadByte,
            9 => Op::ReadLine,
            10 | 11 => Op::ReadAt(self.offset(), self.count()),
            12 => {
                let count = self.below(4);
                Op::ReadRanges((0..count).map(|_| (self.between(0, 20_000), self.between(0, 100))).collect())
            }
            13 => Op::Get(self.signed()),
            14 | 15 => Op::ReadSlice(self.slice()),
            16 => Op::Find(self.bytes(4), self.maybe(Self::signed), self.maybe(Self::signed)),
            17 => Op::Rfind(self.bytes(4), self.maybe(Self::signed), self.maybe(Self::signed)),
            _ => Op::Compare(self.offset(), self.bytes(10)),
        }
    }

    /// An operation that may change bytes, or is about the file.
    fn change(&mut self) -> Op {
        match self.below(20) {
            0 => Op::Size,
            1 => Op::Refresh,
            2 | 3 => Op::Write(self.bytes(300)),
            4 => Op::WriteByte(self.byte()),
            5..8 => Op::WriteAt(self.offset(), self.bytes(300)),
            8 => Op::Set(self.signed(), self.byte()),
            9 | 10 => self.write_slice(),
            11 | 12 => Op::CopyWithin(self.offset(), self.offset(), self.count()),
            13 | 14 => Op::Fill(self.offset(), self.count(), self.byte()),
            15 => {
                let (offset, count) = (self.offset(), self.maybe(Self::count));
                Op::Flush(offset, count, FlushFlags::from_bits_truncate(self.below(8).into()))
            }
            16 => {
                let advice = [Advice::Normal, Advice::Random, Advice::Sequential, Advice::WillNeed, Advice::DontNeed]
                    [usize::from(self.below(5))];
                Op::Advise(advice, self.offset(), self.maybe(Self::count))
            }
            _ => Op::Resize(match self.below(8) {
                0..6 => self.between(0, 25_000),
                6 => self.between(60_000, 140_000),
                _ => u64::MAX,
            }),
        }
    }

    fn options(&mut self) -> MapOptions {
        let access = match self.below(7) {
            0..4 => Access::Write,
            4 | 5 => Access::Copy,
            _ => Access::Read,
        };
        let offset = match self.below(9) {
            0..6 => 0,
            6 | 7 => self.between(0, 3) * PAGE as u64,
            _ => self.between(0, 20_000),
        };
        let length = if self.below(2) == 0 { 0 } else { self.between(0, 30_000) };
        let options = MapOptions::new().access(access).offset(offset).length(length);
        if self.below(6) == 5 { options.flags(MapFlags::PRIVATE) } else { options }
    }

    fn step(&mut self) -> Step {
        match self.below(48) {
            0..20 => Step::Do { slot: self.slot(), op: self.look() },
            20..40 => Step::Do { slot: self.slot(), op: self.change() },
            40 => Step::Do { slot: self.slot(), op: Op::Close },
            41 | 42 => {
                Step::Copy { to: self.slot(), destination: self.offset(), offset: self.offset(), count: self.count() }
            }
            43..46 => Step::Map { slot: self.slot(), options: self.options() },
            _ => {
                let len = if self.below(4) == 0 { self.between(0, 140_000) } else { self.between(0, 20_000) };
                let count = self.below(MOST_LOOKS + 1);
                Step::Fault { len, looks: (0..count).map(|_| (self.slot(), self.look())).collect() }
            }
        }
    }
}

/// Bytes that have ended choose the first.
fn or_first<T>(chosen: Result<T>, first: T) -> T {
    chosen.unwrap_or(first)
}
