//! Random sequences of operations, against a model that is too simple to be wrong.
//!
//! The model is a vector for the file, and for each mapping a start, a length, a cursor and the pages it has to itself. It shares
//! no code with `core`.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::SeekFrom;
use std::path::Path;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use wasi_mmap_core::{Access, Advice, Error, FlushFlags, MapFlags, MapOptions, Result, Slice};

use crate::case::{CLOSED, READ_ONLY, UNSUPPORTED, beyond_end_of_file, invalid, out_of_range};
use crate::op::{Op, Refusal, Subject, Value};

type Outcome = std::result::Result<Value, Refusal>;

/// The page of the model. Cases choose their offsets as multiples of it.
const PAGE: usize = 4096;
/// What the offset of a mapping must be a multiple of on Windows; elsewhere it is the page.
const WINDOWS_GRANULARITY: u64 = 65_536;
/// How many mappings there are at a time.
const SLOTS: usize = 2;

/// One step of a sequence.
#[derive(Debug, Clone)]
enum Step {
    /// Maps the file anew in a slot.
    Map { slot: usize, options: MapOptions },
    /// Operates on the mapping in a slot.
    Do { slot: usize, op: Op },
    /// Copies from one slot to the other: destination, offset, count.
    Copy { to: usize, destination: u64, offset: u64, count: u64 },
}

/// The file's length at the start, and what is done then.
#[derive(Debug, Clone)]
struct Sequence {
    len: usize,
    steps: Vec<Step>,
}

/// A mapping, as simply as it can be said.
#[derive(Debug, Clone)]
struct ModelMapping {
    start: usize,
    len: usize,
    access: Access,
    private: bool,
    windows: bool,
    position: u64,
    closed: bool,
    /// The pages that were written, if writes stay here; by number, counted from the start of the mapping.
    own: BTreeMap<usize, Vec<u8>>,
}

#[derive(Debug, Clone)]
struct Model {
    windows: bool,
    file: Vec<u8>,
    slots: [Option<ModelMapping>; SLOTS],
}

impl ModelMapping {
    fn bytes(&self, file: &[u8]) -> Vec<u8> {
        let mut bytes = file[self.start..self.start + self.len].to_vec();
        for (&page, own) in &self.own {
            let from = page * PAGE;
            let count = own.len().min(self.len - from);
            bytes[from..from + count].copy_from_slice(&own[..count]);
        }
        bytes
    }

    fn put(&mut self, file: &mut [u8], at: usize, bytes: &[u8]) {
        if !self.private {
            file[self.start + at..self.start + at + bytes.len()].copy_from_slice(bytes);
            return;
        }
        for (i, &byte) in bytes.iter().enumerate() {
            let (page, within) = ((at + i) / PAGE, (at + i) % PAGE);
            let (from, to) = (self.start + page * PAGE, (self.start + (page + 1) * PAGE).min(file.len()));
            let own = self.own.entry(page).or_insert_with(|| {
                let mut own = file[from..to].to_vec();
                own.resize(PAGE, 0);
                own
            });
            own[within] = byte;
        }
    }

    /// Where a count of bytes at an offset lies, or whose fault it is that it does not.
    fn at(&self, offset: u64, count: u64, names: (&'static str, &'static str)) -> std::result::Result<usize, Refusal> {
        let len = self.len as u64;
        if offset > len {
            Err(out_of_range(names.0))
        } else if count > len - offset {
            Err(out_of_range(names.1))
        } else {
            Ok(offset as usize)
        }
    }

    fn search(&self, file: &[u8], needle: &[u8], bounds: (Option<i64>, Option<i64>), last: bool) -> Value {
        let len = self.len as i128;
        let bound = |bound: i64| if bound < 0 { (i128::from(bound) + len).max(0) } else { i128::from(bound) };
        let start = bounds.0.map_or(i128::from(self.position), bound);
        let end = bounds.1.map_or(len, bound).min(len);
        let bytes = self.bytes(file);
        let mut places = (start..=end - needle.len() as i128).filter(|&at| bytes[at as usize..].starts_with(needle));
        let place = if last { places.next_back() } else { places.next() };
        Value::Place(place.map(|at| at as u64))
    }

    fn indices(&self, slice: Slice) -> Vec<usize> {
        let (len, step) = (self.len as i128, i128::from(slice.step));
        let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
        let place = |bound: i64| {
            let bound = i128::from(bound);
            (if bound < 0 { bound + len } else { bound }).clamp(low, high)
        };
        let start = slice.start.map_or(if step > 0 { low } else { high }, place);
        let stop = slice.stop.map_or(if step > 0 { high } else { low }, place);
        let mut all = Vec::new();
        let mut at = start;
        while (step > 0 && at < stop) || (step < 0 && at > stop) {
            all.push(at as usize);
            at += step;
        }
        all
    }

    fn apply(&mut self, file: &mut Vec<u8>, op: &Op) -> Outcome {
        let writes = match op {
            Op::Set(..) | Op::WriteSlice(..) => {
                if self.access == Access::Read {
                    return Err(READ_ONLY);
                }
                if matches!(op, Op::WriteSlice(Slice { step: 0, .. }, _)) {
                    return Err(invalid("step"));
                }
                true
            }
            Op::Write(_) | Op::WriteByte(_) | Op::WriteAt(..) | Op::CopyWithin(..) | Op::Fill(..) => true,
            _ => false,
        };
        match op {
            Op::IsClosed => return Ok(Value::Flag(self.closed)),
            Op::Close => {
                self.closed = true;
                return Ok(Value::Unit);
            }
            _ if self.closed => return Err(CLOSED),
            _ if writes && self.access == Access::Read => return Err(READ_ONLY),
            _ => {}
        }
        let len = self.len as u64;
        let rest = len.saturating_sub(self.position);
        match op {
            Op::IsClosed | Op::Close => unreachable!("answered above"),
            Op::Len => Ok(Value::Number(len)),
            Op::Size => Ok(Value::Number(file.len() as u64)),
            Op::Tell => Ok(Value::Number(self.position)),
            Op::Seek(to) => {
                let target = match *to {
                    SeekFrom::Start(offset) => i128::from(offset),
                    SeekFrom::Current(offset) => i128::from(self.position) + i128::from(offset),
                    SeekFrom::End(offset) => i128::from(len) + i128::from(offset),
                };
                if !(0..=i128::from(len)).contains(&target) {
                    return Err(out_of_range("offset"));
                }
                self.position = target as u64;
                Ok(Value::Number(self.position))
            }
            Op::Read(count) => {
                let count = count.unwrap_or(rest).min(rest);
                let from = self.position.min(len) as usize;
                let bytes = self.bytes(file)[from..from + count as usize].to_vec();
                self.position += count;
                Ok(Value::Bytes(bytes))
            }
            Op::ReadByte => {
                if rest == 0 {
                    return Err(out_of_range("cursor"));
                }
                self.position += 1;
                Ok(Value::Number(self.bytes(file)[self.position as usize - 1].into()))
            }
            Op::ReadLine => {
                let bytes = self.bytes(file)[self.position.min(len) as usize..].to_vec();
                let line: Vec<u8> = match bytes.iter().position(|&byte| byte == b'\n') {
                    Some(end) => bytes[..=end].to_vec(),
                    None => bytes,
                };
                self.position += line.len() as u64;
                Ok(Value::Bytes(line))
            }
            Op::Write(bytes) => {
                let at = self.at(self.position, bytes.len() as u64, ("cursor", "bytes"))?;
                self.put(file, at, bytes);
                self.position += bytes.len() as u64;
                Ok(Value::Number(bytes.len() as u64))
            }
            Op::WriteByte(byte) => {
                let at = self.at(self.position, 1, ("cursor", "cursor"))?;
                self.put(file, at, &[*byte]);
                self.position += 1;
                Ok(Value::Unit)
            }
            Op::ReadAt(offset, count) => {
                let at = self.at(*offset, *count, ("offset", "length"))?;
                Ok(Value::Bytes(self.bytes(file)[at..at + *count as usize].to_vec()))
            }
            Op::ReadRanges(ranges) => {
                let mut all = Vec::new();
                for &(offset, count) in ranges {
                    let at = self.at(offset, count, ("offset", "length"))?;
                    all.extend_from_slice(&self.bytes(file)[at..at + count as usize]);
                }
                Ok(Value::Bytes(all))
            }
            Op::WriteAt(offset, bytes) => {
                let at = self.at(*offset, bytes.len() as u64, ("offset", "bytes"))?;
                self.put(file, at, bytes);
                Ok(Value::Unit)
            }
            Op::Get(index) | Op::Set(index, _) => {
                let place = if *index < 0 { i128::from(*index) + i128::from(len) } else { i128::from(*index) };
                if !(0..i128::from(len)).contains(&place) {
                    return Err(out_of_range("index"));
                }
                if let Op::Set(_, byte) = op {
                    self.put(file, place as usize, &[*byte]);
                    return Ok(Value::Unit);
                }
                Ok(Value::Number(self.bytes(file)[place as usize].into()))
            }
            Op::ReadSlice(slice) if slice.step == 0 => Err(invalid("step")),
            Op::ReadSlice(slice) => {
                let bytes = self.bytes(file);
                Ok(Value::Bytes(self.indices(*slice).into_iter().map(|at| bytes[at]).collect()))
            }
            Op::WriteSlice(slice, bytes) => {
                let places = self.indices(*slice);
                if places.len() != bytes.len() {
                    return Err(invalid("bytes"));
                }
                places.into_iter().zip(bytes).for_each(|(at, &byte)| self.put(file, at, &[byte]));
                Ok(Value::Unit)
            }
            Op::Find(needle, start, end) => Ok(self.search(file, needle, (*start, *end), false)),
            Op::Rfind(needle, start, end) => Ok(self.search(file, needle, (*start, *end), true)),
            Op::CopyWithin(destination, source, count) => {
                let to = self.at(*destination, *count, ("destination", "count"))?;
                let from = self.at(*source, *count, ("source", "count"))?;
                let bytes = self.bytes(file)[from..from + *count as usize].to_vec();
                self.put(file, to, &bytes);
                Ok(Value::Unit)
            }
            Op::Fill(offset, count, byte) => {
                let at = self.at(*offset, *count, ("offset", "length"))?;
                self.put(file, at, &vec![*byte; *count as usize]);
                Ok(Value::Unit)
            }
            Op::Compare(offset, bytes) => {
                let at = self.at(*offset, bytes.len() as u64, ("offset", "bytes"))?;
                let order: Ordering = self.bytes(file)[at..at + bytes.len()].cmp(bytes);
                Ok(Value::Order(order))
            }
            Op::Flush(offset, count, flags) => {
                self.at(*offset, count.unwrap_or(len.saturating_sub(*offset)), ("offset", "length"))?;
                if self.access != Access::Write {
                    return Ok(Value::Unit);
                }
                if !offset.is_multiple_of(PAGE as u64) {
                    return Err(invalid("offset"));
                }
                if flags.contains(FlushFlags::ASYNC | FlushFlags::SYNC) {
                    return Err(invalid("flags"));
                }
                Ok(Value::Unit)
            }
            Op::Advise(advice, start, count) => {
                if *start >= len {
                    return Err(out_of_range("start"));
                }
                let end = i128::from(*start) + count.map_or(i128::from(len - start), i128::from);
                if end > i128::from(i64::MAX) {
                    return Err(out_of_range("length"));
                }
                if !start.is_multiple_of(PAGE as u64) {
                    return Err(invalid("start"));
                }
                if self.windows {
                    return Err(UNSUPPORTED);
                }
                if *advice == Advice::DontNeed {
                    let end = end.min(i128::from(len)) as usize;
                    self.own.retain(|&page, _| page * PAGE < *start as usize || page * PAGE >= end);
                }
                Ok(Value::Unit)
            }
            Op::Resize(to) => {
                if self.access != Access::Write {
                    return Err(READ_ONLY);
                }
                if *to == 0 {
                    return Err(invalid("length"));
                }
                if i128::from(*to) + self.start as i128 > i128::from(i64::MAX) {
                    return Err(out_of_range("length"));
                }
                if self.windows && self.private {
                    return Err(UNSUPPORTED);
                }
                let to = *to as usize;
                file.resize(self.start + to, 0);
                self.own.retain(|&page, _| page * PAGE < to);
                if let Some(own) = self.own.get_mut(&(to / PAGE)) {
                    own[to % PAGE..].fill(0);
                }
                self.len = to;
                Ok(Value::Unit)
            }
            Op::Refresh => Ok(Value::Unit),
        }
    }
}

impl Model {
    fn map(&mut self, slot: usize, options: &MapOptions) -> std::result::Result<(), Refusal> {
        // A mapping ends before the next one takes its place.
        self.slots[slot] = None;
        let (offset, size) = (options.get_offset(), self.file.len() as u64);
        let access = options.get_access();
        let private = access == Access::Copy || options.get_flags().contains(MapFlags::PRIVATE);
        let grows = self.windows && access == Access::Write && !private;
        let len = match options.get_length() {
            None if offset >= size => return Err(beyond_end_of_file("offset")),
            None => size - offset,
            Some(len) if !grows && (offset > size || size - offset < len) => return Err(beyond_end_of_file("length")),
            Some(len) => len,
        };
        if !offset.is_multiple_of(granularity(self.windows)) {
            return Err(invalid("offset"));
        }
        self.file.resize(self.file.len().max((offset + len) as usize), 0);
        self.slots[slot] = Some(ModelMapping {
            start: offset as usize,
            len: len as usize,
            access,
            private,
            windows: self.windows,
            position: 0,
            closed: false,
            own: BTreeMap::new(),
        });
        Ok(())
    }

    /// Whether a step would cut off bytes of another mapping: what that sees then is no matter of this test. Windows cuts none
    /// off while there is one.
    fn cuts_another(&self, step: &Step) -> bool {
        let Step::Do { slot, op: Op::Resize(len) } = step else { return false };
        let Some(mapping) = &self.slots[*slot] else { return false };
        let end = mapping.start as u64 + len.min(&(1 << 40));
        let others = self.slots.iter().enumerate().filter(|(other, _)| other != slot);
        let mut open = others.filter_map(|(_, other)| other.as_ref().filter(|other| !other.closed));
        open.any(|other| (other.start + other.len) as u64 > end || self.windows && end < self.file.len() as u64)
    }
}

fn granularity(windows: bool) -> u64 {
    if windows { WINDOWS_GRANULARITY } else { PAGE as u64 }
}

/// Numbers that are likely to be inside, at an edge, or far outside.
fn offset() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => 0..20_000u64,
        4 => (0..6u64).prop_map(|page| page * PAGE as u64),
        2 => 60_000..140_000u64,
        1 => prop_oneof![Just(u64::MAX), Just(1 << 63), Just((1 << 63) - 1), Just(1 << 32)],
    ]
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![6 => 0..200u64, 3 => 0..20_000u64, 1 => Just(70_000), 1 => offset()]
}

fn signed() -> impl Strategy<Value = i64> {
    prop_oneof![8 => -20_000..20_000i64, 1 => -140_000..140_000i64, 1 => prop_oneof![Just(i64::MIN), Just(i64::MAX)]]
}

fn maybe<T: std::fmt::Debug + Clone>(some: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(some)
}

/// Few different bytes, so that searches find something.
fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), Just(b'\n'), Just(0)], 0..=most)
}

fn slice() -> impl Strategy<Value = Slice> {
    let step = prop_oneof![4 => Just(1), 4 => -100..100i64, 1 => signed()];
    (maybe(signed()), maybe(signed()), step).prop_map(|(start, stop, step)| Slice { start, stop, step })
}

fn advice() -> impl Strategy<Value = Advice> {
    prop_oneof![
        Just(Advice::Normal),
        Just(Advice::Random),
        Just(Advice::Sequential),
        Just(Advice::WillNeed),
        Just(Advice::DontNeed)
    ]
}

fn operation() -> impl Strategy<Value = Op> {
    prop_oneof![
        1 => prop_oneof![Just(Op::Len), Just(Op::Size), Just(Op::Tell), Just(Op::IsClosed), Just(Op::Refresh)],
        3 => prop_oneof![
            offset().prop_map(|offset| Op::Seek(SeekFrom::Start(offset))),
            signed().prop_map(|offset| Op::Seek(SeekFrom::Current(offset))),
            signed().prop_map(|offset| Op::Seek(SeekFrom::End(offset))),
        ],
        2 => maybe(count()).prop_map(Op::Read),
        1 => prop_oneof![Just(Op::ReadByte), Just(Op::ReadLine)],
        3 => bytes(300).prop_map(Op::Write),
        1 => any::<u8>().prop_map(Op::WriteByte),
        3 => (offset(), count()).prop_map(|(offset, count)| Op::ReadAt(offset, count)),
        1 => proptest::collection::vec((0..20_000u64, 0..100u64), 0..4).prop_map(Op::ReadRanges),
        4 => (offset(), bytes(300)).prop_map(|(offset, bytes)| Op::WriteAt(offset, bytes)),
        1 => signed().prop_map(Op::Get),
        1 => (signed(), any::<u8>()).prop_map(|(index, byte)| Op::Set(index, byte)),
        2 => slice().prop_map(Op::ReadSlice),
        2 => (0..15_000i64, bytes(40), prop_oneof![Just(1), -50..50i64]).prop_map(|(start, bytes, step)| {
            let stop = start + step * bytes.len() as i64;
            Op::WriteSlice(Slice { start: Some(start), stop: (stop >= 0).then_some(stop), step }, bytes)
        }),
        2 => (bytes(4), maybe(signed()), maybe(signed())).prop_map(|(needle, start, end)| Op::Find(needle, start, end)),
        2 => (bytes(4), maybe(signed()), maybe(signed())).prop_map(|(needle, start, end)| Op::Rfind(needle, start, end)),
        2 => (offset(), offset(), count()).prop_map(|(to, from, count)| Op::CopyWithin(to, from, count)),
        2 => (offset(), count(), any::<u8>()).prop_map(|(offset, count, byte)| Op::Fill(offset, count, byte)),
        1 => (offset(), bytes(10)).prop_map(|(offset, bytes)| Op::Compare(offset, bytes)),
        1 => (offset(), maybe(count()), 0..8u32).prop_map(|(offset, count, flags)| {
            Op::Flush(offset, count, FlushFlags::from_bits_truncate(flags))
        }),
        1 => (advice(), offset(), maybe(count())).prop_map(|(advice, start, count)| Op::Advise(advice, start, count)),
        2 => prop_oneof![6 => 0..25_000u64, 1 => 60_000..140_000u64, 1 => Just(u64::MAX)].prop_map(Op::Resize),
    ]
}

fn options(private: bool, windows: bool) -> impl Strategy<Value = MapOptions> {
    let kept = if private { Access::Copy } else { Access::Write };
    let access = prop_oneof![1 => Just(Access::Read), 4 => Just(Access::Write), 2 => Just(kept)];
    let offset =
        prop_oneof![6 => Just(0), 2 => (0..4u64).prop_map(move |step| step * granularity(windows)), 1 => 0..20_000u64];
    (access, 0..6u8, offset, maybe(0..30_000u64)).prop_map(move |(access, dice, offset, length)| {
        let options = MapOptions::new().access(access).offset(offset).length(length.unwrap_or(0));
        if private && dice == 0 { options.flags(MapFlags::PRIVATE) } else { options }
    })
}

fn sequence(steps: usize, private: bool, windows: bool) -> impl Strategy<Value = Sequence> {
    let slot = || 0..SLOTS;
    let step = prop_oneof![
        2 => (slot(), options(private, windows)).prop_map(|(slot, options)| Step::Map { slot, options }),
        40 => (slot(), operation()).prop_map(|(slot, op)| Step::Do { slot, op }),
        1 => slot().prop_map(|slot| Step::Do { slot, op: Op::Close }),
        1 => (slot(), offset(), offset(), count())
            .prop_map(|(to, destination, offset, count)| Step::Copy { to, destination, offset, count }),
    ];
    let len = prop_oneof![3 => 1..20_000usize, 1 => Just(3 * PAGE), 1 => 60_000..140_000usize];
    (len, proptest::collection::vec(step, 1..=steps)).prop_map(|(len, steps)| Sequence { len, steps })
}

/// What a run of the test is.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Where its randomness starts.
    pub seed: u64,
    /// How many operations it makes, at least.
    pub operations: usize,
    /// Whether the backend can keep writes in a mapping.
    pub private: bool,
    /// Whether it has the rules of Windows.
    pub windows: bool,
}

/// Seeds that once led to a difference, and what it was. They run before all others.
pub const SEEDS: [u64; 6] = [
    // A range that was cut short to have a 64-bit end blamed the wrong argument of a copy; a private mapping that was made
    // shorter and longer again showed what it had held before.
    1,
    7,
    // Native: a mapping with advice for a part of it could not be resized.
    1_795_383_451,
    // Fallback: a private page ended with its mapping, and lost the file's bytes behind it when the mapping grew.
    1_795_383_430,
    // All: a copy between two mappings of one file read what it had already overwritten.
    1_795_383_967,
    // Fallback: what a shorter file had cut off a page was seen again when the file grew.
    1_795_383_892,
];

/// How many steps a sequence has at most; half of it on average.
const MOST_STEPS: usize = 200;

/// Runs random sequences on a backend, in files within `scratch`.
///
/// # Errors
///
/// The shortest sequence that was found to differ from the model, as text.
pub fn run<S: Subject>(run: Run, scratch: &Path) -> std::result::Result<(), String> {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&run.seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let config = Config {
        cases: (run.operations / (MOST_STEPS / 2)).max(1).try_into().unwrap_or(u32::MAX),
        failure_persistence: None,
        max_shrink_iters: 4096,
        ..Config::default()
    };
    let outcome = TestRunner::new_with_rng(config, rng)
        .run(&sequence(MOST_STEPS, run.private, run.windows), |sequence| {
            play::<S>(&sequence, run.windows, scratch).map_err(TestCaseError::fail)
        });
    match outcome {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, sequence)) => Err(format!("seed {}: {reason}\n{sequence:#?}", run.seed)),
        Err(TestError::Abort(reason)) => Err(format!("seed {}: {reason}", run.seed)),
    }
}

/// The sequence that some bytes stand for: they are folded to a seed, since proptest cannot take its choices from bytes that end.
fn sequence_of(bytes: &[u8], private: bool) -> Option<Sequence> {
    /// Few steps: a fuzzer tries many sequences.
    const STEPS: usize = 60;
    let mut seed = [0; 32];
    for (at, byte) in bytes.iter().enumerate() {
        seed[at % 32] = u8::wrapping_mul(seed[at % 32], 31) ^ byte;
    }
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config { failure_persistence: None, ..Config::default() }, rng);
    Some(sequence(STEPS, private, false).new_tree(&mut runner).ok()?.current())
}

/// Plays the sequence that some bytes stand for: for a fuzzer, whose bytes take the place of randomness.
///
/// # Errors
///
/// The sequence, if it differs from the model.
pub fn play_bytes<S: Subject>(bytes: &[u8], private: bool, scratch: &Path) -> std::result::Result<(), String> {
    let Some(sequence) = sequence_of(bytes, private) else { return Ok(()) };
    play::<S>(&sequence, false, scratch).map_err(|difference| format!("{difference}\n{sequence:#?}"))
}

/// The same with a file that becomes shorter and longer between the operations: what they answer is not compared, but they must
/// answer.
///
/// # Errors
///
/// The operation that failed otherwise than for its arguments or the file's length.
pub fn play_with_faults<S: Subject>(bytes: &[u8], scratch: &Path) -> std::result::Result<(), String> {
    let (lengths, operations) = bytes.split_at(bytes.len() / 4);
    let Some(sequence) = sequence_of(operations, true) else { return Ok(()) };
    let path = scratch.join("faults");
    let io = |error: std::io::Error| format!("{}: {error}", path.display());
    std::fs::write(&path, vec![b'a'; sequence.len]).map_err(io)?;
    let file = std::fs::OpenOptions::new().write(true).open(&path).map_err(io)?;
    let mut subjects: [Option<S>; SLOTS] = [const { None }; SLOTS];
    for (index, step) in sequence.steps.iter().enumerate() {
        if let Some(&len) = lengths.get(index) {
            file.set_len(u64::from(len) * 1000).map_err(io)?;
        }
        let outcome = match step {
            Step::Map { slot, options } => {
                subjects[*slot] = None;
                S::map_file(&path, wasi_mmap_core::Rights::all(), options).map(|mapping| {
                    subjects[*slot] = Some(mapping);
                    Value::Unit
                })
            }
            Step::Do { slot, op } => match &mut subjects[*slot] {
                Some(subject) => subject.apply(op),
                None => continue,
            },
            Step::Copy { to, destination, offset, count } => {
                let Some(outcome) = copy(&mut subjects, *to, (*destination, *offset, *count)) else { continue };
                outcome
            }
        };
        if let Err(error @ (Error::Io(_) | Error::NoSpace)) = outcome {
            return Err(format!("step {index}, {step:?}: {error}"));
        }
    }
    Ok(())
}

fn play<S: Subject>(sequence: &Sequence, windows: bool, scratch: &Path) -> std::result::Result<(), String> {
    let path = scratch.join("model");
    let io = |error: std::io::Error| format!("{}: {error}", path.display());
    let file: Vec<u8> = (0..sequence.len).map(|i| b"ab\n\0"[(i * i / 7) % 4]).collect();
    std::fs::write(&path, &file).map_err(io)?;
    let mut model = Model { windows, file, slots: [const { None }; SLOTS] };
    let mut subjects: [Option<S>; SLOTS] = [const { None }; SLOTS];
    for (index, step) in sequence.steps.iter().enumerate() {
        if model.cuts_another(step) {
            continue;
        }
        let (expected, found) = match step {
            Step::Map { slot, options } => {
                subjects[*slot] = None;
                let mapped = S::map_file(&path, wasi_mmap_core::Rights::all(), options);
                (
                    model.map(*slot, options).map(|()| Value::Unit),
                    mapped.map(|mapping| {
                        subjects[*slot] = Some(mapping);
                        Value::Unit
                    }),
                )
            }
            Step::Do { slot, op } => match (&mut model.slots[*slot], &mut subjects[*slot]) {
                (Some(mapping), Some(subject)) => (mapping.apply(&mut model.file, op), subject.apply(op)),
                _ => continue,
            },
            Step::Copy { to, destination, offset, count } => {
                let Some(found) = copy(&mut subjects, *to, (*destination, *offset, *count)) else { continue };
                (model_copy(&mut model, *to, (*destination, *offset, *count)), found)
            }
        };
        let agree = match (&expected, &found) {
            (Ok(expected), Ok(found)) => expected == found,
            (Err(refusal), Err(error)) => refusal.matches(error),
            _ => false,
        };
        if !agree {
            return Err(format!("step {index}: expected {}, found {}", short(&expected), short(&found)));
        }
    }
    drop(subjects);
    if std::fs::read(&path).map_err(io)? == model.file { Ok(()) } else { Err("the file differs at the end".into()) }
}

fn copy<S: Subject>(
    subjects: &mut [Option<S>; SLOTS],
    to: usize,
    (destination, offset, count): (u64, u64, u64),
) -> Option<Result<Value>> {
    let (left, right) = subjects.split_at_mut(1);
    let (target, source) = if to == 0 { (&mut left[0], &right[0]) } else { (&mut right[0], &left[0]) };
    Some(target.as_mut()?.copy_from(destination, source.as_ref()?, offset, count))
}

fn model_copy(model: &mut Model, to: usize, (destination, offset, count): (u64, u64, u64)) -> Outcome {
    let source = model.slots[1 - to].clone().expect("the subject had one");
    let target = model.slots[to].as_mut().expect("the subject had one");
    match (target.closed, target.access, source.closed) {
        (true, _, _) => return Err(CLOSED),
        (_, Access::Read, _) => return Err(READ_ONLY),
        (_, _, true) => return Err(CLOSED),
        _ => {}
    }
    let at = target.at(destination, count, ("destination", "count"))?;
    let from = source.at(offset, count, ("source", "count"))?;
    let bytes = source.bytes(&model.file)[from..from + count as usize].to_vec();
    target.put(&mut model.file, at, &bytes);
    Ok(Value::Unit)
}

fn short(outcome: &impl std::fmt::Debug) -> String {
    let text = format!("{outcome:?}");
    text.char_indices().nth(200).map_or(text.clone(), |(end, _)| format!("{}…", &text[..end]))
}
