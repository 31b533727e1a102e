//! Numbers of 64 bits as `bigint` holds them: the first bit flipped, so that their order stays.

use statehold_core::Millis;

/// As the server holds it.
pub(crate) fn flip(number: u64) -> i64 {
    (number ^ (1 << 63)) as i64
}

/// What [`flip`] made.
pub(crate) fn flop(held: i64) -> u64 {
    (held as u64) ^ (1 << 63)
}

pub(crate) fn expiry(at: Option<Millis>) -> Option<i64> {
    at.map(|at| flip(at.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_stays_and_every_number_comes_back() {
        let numbers = [0, 1, (1 << 63) - 1, 1 << 63, u64::MAX - 1, u64::MAX];
        assert!(numbers.windows(2).all(|pair| flip(pair[0]) < flip(pair[1])));
        assert!(numbers.iter().all(|n| flop(flip(*n)) == *n));
    }
}
