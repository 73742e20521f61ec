//! The loops that benchmarks time, the same natively and in plugins.

/// What is in no file of the benchmarks.
pub const ABSENT: &[u8] = b"\0absent\0";

/// A sum of 8-byte words in four lanes, which depends on their order within each lane: a page in the wrong place is noticed.
///
/// Parts of whole lanes, 32 bytes, give what the whole gives.
pub fn sum(mut state: Sum, bytes: &[u8]) -> Sum {
    let (rows, rest) = bytes.as_chunks::<32>();
    for row in rows {
        for (lane, word) in state.0.iter_mut().zip(row.as_chunks::<8>().0) {
            *lane = lane.wrapping_add(u64::from_le_bytes(*word)).rotate_left(7);
        }
    }
    for &byte in rest {
        state.0[0] = state.0[0].wrapping_add(u64::from(byte));
    }
    state
}

/// What [`sum`] has summed up.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sum([u64; 4]);

impl Sum {
    /// All lanes in one number.
    pub fn finish(self) -> u64 {
        self.0.iter().fold(0, |all, lane| all.rotate_left(13) ^ lane)
    }
}

/// Sums the bytes up so often.
pub fn sum_times(bytes: &[u8], count: usize) -> u64 {
    (0..count).fold(Sum::default(), |state, _| sum(state, std::hint::black_box(bytes))).finish()
}

/// Reads a byte of every page of 4 KiB.
pub fn touch(bytes: &[u8]) {
    std::hint::black_box(bytes.iter().step_by(4096).fold(0, |all, byte| all ^ byte));
}

/// Loads words of 8 bytes at random places.
pub fn random_loads(bytes: &[u8], count: usize) -> u64 {
    let words = bytes.as_chunks::<8>().0;
    let mut random = Random::new(7);
    (0..count).fold(0, |state: u64, _| {
        let word = words[random.below(words.len() as u64) as usize];
        state.wrapping_add(u64::from_le_bytes(word))
    })
}

/// Random numbers that are the same everywhere: the upper half of a linear congruential generator with Knuth's multiplier for MMIX
/// (The Art of Computer Programming, volume 2, section 3.3.4), which costs next to nothing beside what is measured.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Numbers that depend on a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number below `end`, which is at most 2^32.
    #[inline]
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 32) * end) >> 32
    }

    /// A multiple of 8 below `end` at which a word of 8 bytes ends before it.
    #[inline]
    pub fn word_below(&mut self, end: u64) -> u64 {
        self.below(end / 8) * 8
    }
}
