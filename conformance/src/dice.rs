//! [`Dice`]: the random numbers of a case, all from its seed.

/// SplitMix64: small, good enough for test data, the same on every machine.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

/// Spreads the bits of `x` over the whole number.
pub(crate) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// Up to `max` bytes, of few different values, so that prefixes and collisions are common.
    pub(crate) fn bytes(&mut self, min: usize, max: usize) -> Vec<u8> {
        const LETTERS: [u8; 6] = [0, 1, b'a', b'b', 0xFE, 0xFF];
        let len = min + self.below(max - min + 1);
        (0..len).map(|_| LETTERS[self.below(LETTERS.len())]).collect()
    }
}
