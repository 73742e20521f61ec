//! Random sequences.

use std::io::SeekFrom;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use wasi_mmap_core::{Access, Advice, FlushFlags, MapFlags, MapOptions, Slice};

use super::play::play;
use super::{PAGE, SLOTS, Sequence, Step, granularity};
use crate::case::Backend;
use crate::is_long;
use crate::op::{Op, Subject};

/// Returns numbers that are likely to be within the mapping, at an edge, or far outside.
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
        1 => prop_oneof![
            Just(Op::Len),
            Just(Op::Size),
            Just(Op::Access),
            Just(Op::Tell),
            Just(Op::IsClosed),
            Just(Op::Refresh)
        ],
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
        2 => (bytes(4), maybe(signed()), maybe(signed()))
            .prop_map(|(needle, start, end)| Op::Rfind(needle, start, end)),
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
        match dice {
            0 if private => options.flags(MapFlags::PRIVATE),
            1 | 2 => options.flags(MapFlags::WIDEST_ACCESS),
            3 if !windows => options.flags(MapFlags::BEYOND_END),
            _ => options,
        }
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

/// A run of random sequences.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// The seed of the random numbers.
    pub seed: u64,
    /// The number of operations, at least.
    pub operations: usize,
    /// True if the backend can keep writes in a mapping.
    pub private: bool,
    /// True if the backend has the rules of Windows.
    pub windows: bool,
}

/// Seeds that once led to a difference, and what it was. They run before all others.
pub const SEEDS: [u64; 6] = [
    // A range that was cut short to have a 64-bit end blamed the wrong argument of a copy; a private mapping that was
    // shrunk and grown again showed its former bytes.
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

/// Returns the runs of a test: one for each of [`SEEDS`], and another one, which is longer in the long form and then
/// has a new seed each time.
pub fn runs(backend: Backend) -> Vec<Run> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (seed, operations) = if is_long() { (now, 1_000_000) } else { (0, 20_000) };
    let run = |seed, operations| Run { seed, operations, private: true, windows: backend == Backend::Windows };
    SEEDS.iter().map(|&seed| run(seed, 5_000)).chain([run(seed, operations)]).collect()
}

/// The largest number of steps of a sequence, which has half as many on average.
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
