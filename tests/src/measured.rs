//! The loops that benchmarks time, the same natively and in plugins.

/// What is in no file of the benchmarks.
pub const ABSENT: &[u8] = b"\0absent\0";

/// A sum of 8-byte words that depends on their order, so that a page in the wrong place is noticed.
///
/// Parts of whole words give what the whole gives.
pub fn sum(state: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let state = words.iter().fold(state, |state, word| state.wrapping_add(u64::from_le_bytes(*word)).rotate_left(7));
    rest.iter().fold(state, |state, &byte| state.wrapping_add(u64::from(byte)))
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

/// Random numbers that are the same everywhere: xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift
/// generators, scrambled", 2016).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Numbers that depend on a seed, which is not 0.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number below `end`, which is at most 2^32.
    #[inline]
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        (high * end) >> 32
    }

    /// A multiple of 8 below `end` at which a word of 8 bytes ends before it.
    #[inline]
    pub fn word_below(&mut self, end: u64) -> u64 {
        self.below(end / 8) * 8
    }
}
