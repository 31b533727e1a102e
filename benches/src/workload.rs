//! The streaming-state workload's inputs: deterministic, so that two programs can prove by equal checksums that
//! they did the same work. Arithmetic is on 64-bit words and wraps.

use bytes::Bytes;

/// splitmix64's finaliser.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// splitmix64.
pub(crate) struct Generator(u64);

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }
}

const POOL: usize = 1 << 20;
const VALUE: usize = 100;

/// The values: slices of one pool of random bytes.
pub(crate) struct Values(Bytes);

impl Values {
    pub(crate) fn new() -> Self {
        let mut generator = Generator::new(7);
        Self((0..POOL / 8).flat_map(|_| generator.next().to_le_bytes()).collect())
    }

    pub(crate) fn of(&self, key: u64, version: u64) -> Bytes {
        let at = mix(key.wrapping_mul(31).wrapping_add(version)) as usize % (POOL - VALUE);
        // A copy of its own, as an application's values are.
        Bytes::copy_from_slice(self.0.get(at..at + VALUE).unwrap_or_default())
    }
}

/// What a value adds to a checksum: its first 8 bytes, little-endian.
pub(crate) fn head(value: &[u8]) -> u64 {
    value.first_chunk().map_or(0, |head| u64::from_le_bytes(*head))
}

/// A permutation of `0..n` by Fisher–Yates over `G(42)`.
pub(crate) fn permutation(n: u64) -> Vec<u64> {
    let mut order: Vec<u64> = (0..n).collect();
    let mut generator = Generator::new(42);
    for i in (1..order.len()).rev() {
        let j = (generator.next() % (i as u64 + 1)) as usize;
        order.swap(i, j);
    }
    order
}

/// `count` keys below `n`, uniformly.
pub(crate) fn uniform(n: u64, count: usize, seed: u64) -> Vec<u64> {
    let mut generator = Generator::new(seed);
    (0..count).map(|_| generator.next() % n).collect()
}

/// `count` keys by YCSB's zipfian with θ = 0.99, rank r being key `order[r]`
/// (Gray et al., "Quickly generating billion-record synthetic databases", 1994).
pub(crate) fn zipf(order: &[u64], count: usize, seed: u64) -> Vec<u64> {
    const THETA: f64 = 0.99;
    let n = order.len();
    let zeta = |n: usize| (1..=n).map(|i| 1.0 / (i as f64).powf(THETA)).sum::<f64>();
    let (zeta_n, zeta_2) = (zeta(n), zeta(2));
    let alpha = 1.0 / (1.0 - THETA);
    let eta = (1.0 - (2.0 / n as f64).powf(1.0 - THETA)) / (1.0 - zeta_2 / zeta_n);
    let mut generator = Generator::new(seed);
    let rank = |u: f64| {
        let uz = u * zeta_n;
        if uz < 1.0 {
            0
        } else if uz < 1.0 + 0.5_f64.powf(THETA) {
            1
        } else {
            ((n as f64) * (eta * u - eta + 1.0).powf(alpha)) as usize
        }
    };
    (0..count)
        .map(|_| {
            let u = (generator.next() >> 11) as f64 * 2.0_f64.powi(-53);
            order.get(rank(u).min(n - 1)).copied().unwrap_or_default()
        })
        .collect()
}
