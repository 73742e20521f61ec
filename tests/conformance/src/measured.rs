//! The loops that benchmarks time, the same natively and in plugins.

/// A needle that occurs in no file of the benchmarks.
pub const ABSENT: &[u8] = b"\0absent\0";

/// A sum of 8-byte words in four lanes, which are rotated after each row of 256 bytes: a page in the wrong place is
/// noticed, and there is so little to compute that memory is what is measured.
///
/// Parts of whole rows give what the whole gives. In a sandbox it has vectors of 128 bits, as every native program has
/// here.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
pub fn sum(state: Sum, bytes: &[u8]) -> Sum {
    let Sum([mut one, mut two, mut three, mut four]) = state;
    let (rows, rest) = bytes.as_chunks::<256>();
    for row in rows {
        for [a, b, c, d] in row.as_chunks::<8>().0.as_chunks::<4>().0 {
            one = one.wrapping_add(u64::from_le_bytes(*a));
            two = two.wrapping_add(u64::from_le_bytes(*b));
            three = three.wrapping_add(u64::from_le_bytes(*c));
            four = four.wrapping_add(u64::from_le_bytes(*d));
        }
        [one, two, three, four] = [one, two, three, four].map(|lane| lane.rotate_left(7));
    }
    for &byte in rest {
        one = one.wrapping_add(u64::from(byte));
    }
    Sum([one, two, three, four])
}

/// The state of [`sum`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Sum([u64; 4]);

impl Sum {
    /// Combines the lanes into one number.
    pub fn finish(self) -> u64 {
        self.0.iter().fold(0, |all, lane| all.rotate_left(13) ^ lane)
    }
}

/// Sums the bytes up `count` times.
pub fn sum_times(bytes: &[u8], count: usize) -> u64 {
    (0..count).fold(Sum::default(), |state, _| sum(state, std::hint::black_box(bytes))).finish()
}

/// Reads a byte of every page of 4 KiB.
pub fn touch(bytes: &[u8]) {
    std::hint::black_box(bytes.iter().step_by(4096).fold(0, |all, byte| all ^ byte));
}

/// Loads `count` words of 8 bytes at random offsets.
pub fn random_loads(bytes: &[u8], count: usize) -> u64 {
    let words = bytes.as_chunks::<8>().0;
    let mut random = Random::new(7);
    (0..count).fold(0, |state: u64, _| {
        let word = words[random.below(words.len() as u64) as usize];
        state.wrapping_add(u64::from_le_bytes(word))
    })
}

/// Random numbers that are the same everywhere: the upper half of a linear congruential generator with Knuth's
/// multiplier for MMIX (The Art of Computer Programming, volume 2, section 3.3.4), which costs next to nothing beside
/// what is measured.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Makes a generator from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number below `end`, which is at most 2^32.
    #[inline]
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 32) * end) >> 32
    }

    /// Returns a random multiple of 8 at which a word of 8 bytes lies before `end`.
    #[inline]
    pub fn word_below(&mut self, end: u64) -> u64 {
        self.below(end / 8) * 8
    }
}
