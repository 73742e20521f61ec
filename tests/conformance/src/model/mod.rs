//! Random sequences of operations, against a model that is too simple to be wrong.
//!
//! The model is a vector for the file, and for each mapping a start, a length, a cursor and the pages it has to itself.
//! It shares no code with `core`. [`run`] chooses sequences at random, and makes those shorter that differ;
//! [`play_bytes`] lets a fuzzer's bytes choose.

mod decoded;
mod mapping;
mod play;
mod random;

use wasi_mmap_core::MapOptions;

use crate::op::{Op, Refusal, Value};

pub use play::{play_bytes, play_with_faults};
pub use random::{Run, SEEDS, run, runs};

type Outcome = std::result::Result<Value, Refusal>;

/// The page of the model. Cases choose their offsets as multiples of it.
const PAGE: usize = 4096;
/// The granularity of offsets of a mapping on Windows; elsewhere it is the page.
const WINDOWS_GRANULARITY: u64 = 65_536;
/// The number of mappings at a time.
const SLOTS: usize = 2;

/// One step of a sequence.
#[derive(Debug, Clone)]
enum Step {
    /// Maps the file again in a slot.
    Map { slot: usize, options: MapOptions },
    /// Operates on the mapping in a slot.
    Do { slot: usize, op: Op },
    /// Copies from one slot to the other: destination, offset, count.
    Copy { to: usize, destination: u64, offset: u64, count: u64 },
    /// Another process changes the length of the file while the mappings are read.
    Fault { len: u64, looks: Vec<(usize, Op)> },
}

/// The file's length at the start, and what is done then.
#[derive(Debug, Clone)]
struct Sequence {
    len: usize,
    steps: Vec<Step>,
}

fn granularity(windows: bool) -> u64 {
    if windows { WINDOWS_GRANULARITY } else { PAGE as u64 }
}
