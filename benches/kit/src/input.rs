//! The streaming-state workload's inputs: deterministic, so that two programs can prove by equal checksums that
//! they did the same work. Arithmetic is on 64-bit words and wraps.

use bytes::Bytes;

/// splitmix64's finaliser (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
#[must_use]
pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// splitmix64.
#[derive(Debug)]
pub struct Generator(u64);

impl Generator {
    /// The generator that begins at `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    #[allow(clippy::should_implement_trait, reason = "it has no end")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }
}

const POOL: usize = 1 << 20;

/// The values: slices of one pool of random bytes.
#[derive(Debug, Clone)]
pub struct Values {
    pool: Bytes,
    size: usize,
}

impl Values {
    /// Values of `size` bytes, at most a mebibyte.
    #[must_use]
    pub fn new(size: usize) -> Self {
        let mut generator = Generator::new(7);
        let pool = (0..POOL / 8).flat_map(|_| generator.next().to_le_bytes()).collect();
        Self { pool, size: size.min(POOL - 1) }
    }

    /// The value that `key` has in `version`.
    #[must_use]
    pub fn of(&self, key: u64, version: u64) -> Bytes {
        let at = mix(key.wrapping_mul(31).wrapping_add(version)) as usize % (POOL - self.size);
        // A copy of its own, as an application's values are.
        Bytes::copy_from_slice(self.pool.get(at..at + self.size).unwrap_or_default())
    }
}

/// A permutation of `0..n` by Fisher–Yates over `G(42)`.
#[must_use]
pub fn permutation(n: u64) -> Vec<u64> {
    let mut order: Vec<u64> = (0..n).collect();
    let mut generator = Generator::new(42);
    for i in (1..order.len()).rev() {
        let j = (generator.next() % (i as u64 + 1)) as usize;
        order.swap(i, j);
    }
    order
}

/// `count` keys below `n`, uniformly.
#[must_use]
pub fn uniform(n: u64, count: usize, seed: u64) -> Vec<u64> {
    let mut generator = Generator::new(seed);
    (0..count).map(|_| generator.next() % n).collect()
}

/// YCSB's zipfian over ranks with θ = 0.99
/// (Gray et al., "Quickly generating billion-record synthetic databases", 1994).
#[derive(Debug)]
pub struct Zipfian {
    n: u64,
    zeta: f64,
    alpha: f64,
    eta: f64,
    generator: Generator,
}

const THETA: f64 = 0.99;

impl Zipfian {
    /// Ranks below `n`, from `seed`.
    #[must_use]
    pub fn new(n: u64, seed: u64) -> Self {
        let sum = |n: u64| (1..=n).map(|i| 1.0 / (i as f64).powf(THETA)).sum::<f64>();
        let (zeta, zeta_2) = (sum(n), sum(2));
        let eta = (1.0 - (2.0 / n as f64).powf(1.0 - THETA)) / (1.0 - zeta_2 / zeta);
        Self { n, zeta, alpha: 1.0 / (1.0 - THETA), eta, generator: Generator::new(seed) }
    }

    /// The next rank; 0 is the most frequent.
    pub fn rank(&mut self) -> u64 {
        let u = (self.generator.next() >> 11) as f64 * 2.0_f64.powi(-53);
        let uz = u * self.zeta;
        let rank = if uz < 1.0 {
            0
        } else if uz < 1.0 + 0.5_f64.powf(THETA) {
            1
        } else {
            ((self.n as f64) * (self.eta * u - self.eta + 1.0).powf(self.alpha)) as u64
        };
        rank.min(self.n - 1)
    }
}

/// `count` keys by [`Zipfian`], rank r being key `order[r]`.
#[must_use]
pub fn zipf(order: &[u64], count: usize, seed: u64) -> Vec<u64> {
    let mut zipfian = Zipfian::new(order.len() as u64, seed);
    (0..count).map(|_| order.get(zipfian.rank() as usize).copied().unwrap_or_default()).collect()
}
