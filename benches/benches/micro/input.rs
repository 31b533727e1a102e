//! Inputs, the same in every run: keys in no order, values that nothing compresses.

use bytes::Bytes;
use criterion::{BatchSize, Throughput};
use statehold_core::{Address, Cell, Envelope, KeyGroup, StateId, key::EncodeKey};

/// Records of a batch.
pub(crate) const COUNTS: [usize; 4] = [1, 10, 100, 1000];
/// Bytes of a small and of a large value.
pub(crate) const VALUES: [usize; 2] = [100, 1024];
/// Records where their number is not what is varied.
pub(crate) const MANY: usize = 1000;
/// Records of a write buffer that is full: 16 MiB, half of it in one generation, of 100-byte values.
pub(crate) const FULL: usize = 30_000;

/// The state of all addresses.
pub(crate) const STATE: StateId = StateId(1);
/// Key groups, as a descriptor has them unless told otherwise.
pub(crate) const GROUPS: u16 = 128;

/// A record to be.
pub(crate) type Record = (Address, Cell);

/// splitmix64's finaliser: every number gives another.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Distinct numbers in no order.
pub(crate) fn numbers(count: usize) -> Vec<u64> {
    (0..count as u64).map(mix).collect()
}

/// Distinct names of 29 bytes, most of which are alike.
pub(crate) fn names(count: usize) -> Vec<String> {
    numbers(count).into_iter().map(|n| format!("customer/{n:020}")).collect()
}

/// Values of `size` bytes, each with memory of its own.
pub(crate) fn values(count: usize, size: usize) -> Vec<Bytes> {
    let word = |value: usize, word: usize| mix((value << 16 | word) as u64).to_le_bytes();
    (0..count).map(|v| (0..size).map(|at| word(v, at / 8)[at % 8]).collect::<Vec<u8>>().into()).collect()
}

/// The encoding of a key.
pub(crate) fn encoded(key: &(impl EncodeKey + ?Sized)) -> Bytes {
    let mut out = Vec::new();
    key.encode(&mut out);
    out.into()
}

/// Where the record of an encoded key is.
pub(crate) fn address(key: Bytes) -> Address {
    Address { group: KeyGroup::of(&key, GROUPS), state: STATE, key, sub: Bytes::new() }
}

/// Records of u64 keys with sealed values of `size` bytes, in no order.
pub(crate) fn records(count: usize, size: usize) -> Vec<Record> {
    let envelope = Envelope::of_state("values");
    let seal = |(key, value): (u64, Bytes)| {
        let at = address(encoded(&key));
        let cell = Cell::new(envelope.seal(0, &at.key, b"", None, &value));
        (at, cell)
    };
    numbers(count).into_iter().zip(values(count, size)).map(seal).collect()
}

/// Records with memory of their own: who owns them owns the last of it, as a writer does.
pub(crate) fn copied(records: &[Record]) -> Vec<Record> {
    let own = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
    let copy = |(at, cell): &Record| {
        (Address { key: own(&at.key), ..at.clone() }, Cell { value: own(&cell.value), ..cell.clone() })
    };
    records.iter().map(copy).collect()
}

/// How many iterations of `count` records are made ready at once: as many as have a thousand records between them, so
/// that the clock's own price is spread, and each finds the memory of those before instead of ever more of it.
pub(crate) fn batches(count: usize) -> BatchSize {
    BatchSize::NumIterations((MANY / count).max(1) as u64)
}

/// So many elements an iteration, and the bytes of their keys and values.
pub(crate) fn rate(elements: usize, bytes: usize) -> Throughput {
    Throughput::ElementsAndBytes { elements: elements as u64, bytes: bytes as u64 }
}

/// The rate of `records`.
pub(crate) fn rate_of(records: &[Record]) -> Throughput {
    let bytes = |(at, cell): &Record| at.key.len() + at.sub.len() + cell.value.len();
    rate(records.len(), records.iter().map(bytes).sum())
}
