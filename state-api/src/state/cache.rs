//! [`HotCache`]: hot values of one state as they are encoded, bounded (contract OWN-7, decision 30).

mod index;
mod memory;
mod ring;

use std::{
    hash::{BuildHasher, Hasher},
    num::NonZero,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
};

use parking_lot::Mutex;
use statehold_core::{Address, Cell, Envelope, Millis, Opened};

use ring::{Record, Ring};

/// Bytes of a shard, unless that makes more than [`SHARDS`], or more than two for each processor: the fewer there are,
/// the more of their memory lies in huge pages.
const SHARD: usize = 4 << 20;
const SHARDS: usize = 16;
/// Counts of cleared keys; two keys that share one cost each other's entries.
const CLEARS: usize = 1024;

/// On lines of its own, so that a processor that locks one shard does not slow another.
#[repr(align(128))]
struct Shard(Mutex<Ring>);

/// Payloads by encoded key and subkey. Which writes it follows is the caller's care: it is changed under the lock
/// that orders them.
pub(crate) struct HotCache {
    shards: Box<[Shard]>,
    hasher: foldhash::fast::RandomState,
    clears: Box<[AtomicU32]>,
    /// A key was cleared: until then no count needs a look.
    cleared: AtomicBool,
}

impl HotCache {
    pub(crate) fn new(bytes: usize) -> Self {
        let most = 2 * thread::available_parallelism().map_or(1, NonZero::get).next_power_of_two();
        let shards = 1 << (bytes / SHARD).clamp(1, SHARDS.min(most)).ilog2();
        Self {
            shards: (0..shards).map(|_| Shard(Mutex::new(Ring::new(bytes / shards)))).collect(),
            hasher: foldhash::fast::RandomState::default(),
            clears: (0..CLEARS).map(|_| AtomicU32::new(0)).collect(),
            cleared: AtomicBool::new(false),
        }
    }

    /// The shard of a record, and its hash there.
    #[inline]
    fn shard(&self, key: &[u8], sub: &[u8]) -> Option<(&Mutex<Ring>, u32)> {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        if !sub.is_empty() {
            hasher.write(sub);
        }
        let hash = hasher.finish();
        let shard = self.shards.get(hash as usize & (self.shards.len() - 1))?;
        Some((&shard.0, (hash >> 32) as u32))
    }

    #[inline]
    fn clears(&self, key: &[u8]) -> Option<&AtomicU32> {
        self.clears.get(self.hasher.hash_one(key) as usize % CLEARS)
    }

    #[inline]
    fn clears_of(&self, key: &[u8]) -> u32 {
        if !self.cleared.load(Ordering::Acquire) {
            return 0;
        }
        self.clears(key).map_or(0, |count| count.load(Ordering::Acquire))
    }

    /// The value, unless it has expired by `now`.
    #[inline]
    pub(crate) fn get(&self, key: &[u8], sub: &[u8], now: impl FnOnce() -> Millis) -> Option<Opened> {
        let (shard, hash) = self.shard(key, sub)?;
        let found = shard.lock().get(hash, key, sub)?;
        if found.expires_at.is_some_and(|at| now() >= at) || found.clears != self.clears_of(key) {
            // Or reading it would keep it. Whoever has put another meanwhile loses that.
            shard.lock().remove(hash, key, sub);
            return None;
        }
        Some(Opened { schema_version: found.schema, payload: found.payload })
    }

    /// Takes in what was read.
    #[inline]
    pub(crate) fn insert(&self, at: &Address, opened: &Opened, expires_at: Option<Millis>) {
        self.put(at, opened.schema_version, &opened.payload, expires_at, true);
    }

    /// Follows a write. A new record comes in only where there is room, or with `admit`: what nobody has read lately
    /// is not worth another's place.
    #[inline]
    pub(crate) fn follow(&self, at: &Address, cell: &Cell, admit: bool) {
        match cell.value.split_first_chunk::<{ Envelope::BYTES }>() {
            Some((&[schema, ..], payload)) => self.put(at, schema, payload, cell.expires_at, admit),
            None => self.remove(at),
        }
    }

    fn put(&self, at: &Address, schema: u8, payload: &[u8], expires_at: Option<Millis>, admit: bool) {
        let Some((shard, hash)) = self.shard(&at.key, &at.sub) else { return };
        let clears = self.clears_of(&at.key);
        let record = Record { hash, key: &at.key, sub: &at.sub, schema, payload, expires_at, clears };
        shard.lock().put(&record, admit);
    }

    #[inline]
    pub(crate) fn remove(&self, at: &Address) {
        if let Some((shard, hash)) = self.shard(&at.key, &at.sub) {
            shard.lock().remove(hash, &at.key, &at.sub);
        }
    }

    /// Forgets all subkeys of a key.
    pub(crate) fn clear_key(&self, key: &[u8]) {
        self.cleared.store(true, Ordering::Release);
        let Some(count) = self.clears(key) else { return };
        if count.fetch_add(1, Ordering::AcqRel) == u32::MAX {
            // It begins anew, and so must what remembers it.
            self.clear();
        }
    }

    /// Forgets everything, and gives the memory back.
    pub(crate) fn clear(&self) {
        self.shards.iter().for_each(|shard| shard.0.lock().clear());
    }

    /// Bytes charged.
    pub(crate) fn bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.0.lock().used() as u64).sum()
    }
}
