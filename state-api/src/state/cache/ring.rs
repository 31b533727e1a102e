//! [`Ring`]: records one behind the other in one piece of memory, where the oldest make room for the newest.
//!
//! A clock with second chances (FIFO with reinsertion): a record that was read since it was written is moved to the
//! front once, instead of going. Key and value lie side by side, and records that were written one after the other lie
//! one after the other: a read that hits touches the index and one or two lines of memory behind it.

use bytes::Bytes;
use statehold_core::{Millis, key::same};

use super::{index::Index, memory::Memory};

/// Bytes before key, subkey and value of each record, and behind them those of its expiry, if it has one.
const HEAD: usize = 20;
const EXPIRY: usize = size_of::<u64>();
/// Where in a head the byte is that a read sets.
const TOUCHED: usize = 17;
/// Records begin at multiples of this, so that 32 bits of the index reach 16 GiB.
const ALIGN: usize = 4;
/// Records that may be moved to the front while room is made for one: it bounds what an insertion can cost.
const SPARED: usize = 16;
/// What the index may take of the bytes: one part in so many.
const INDEX: usize = 4;

/// What a record begins with.
#[derive(Clone, Copy, Default)]
struct Head {
    hash: u32,
    value: u32,
    key: u16,
    sub: u16,
    clears: u32,
    schema: u8,
    touched: bool,
    /// What fills the ring's end, where the next record did not fit.
    padding: bool,
    expires: bool,
}

impl Head {
    #[inline]
    fn of(bytes: &[u8; HEAD]) -> Self {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Self {
            hash: word(0),
            value: word(4),
            key: u16::from_le_bytes([bytes[8], bytes[9]]),
            sub: u16::from_le_bytes([bytes[10], bytes[11]]),
            clears: word(12),
            schema: bytes[16],
            touched: bytes[TOUCHED] != 0,
            padding: bytes[18] != 0,
            expires: bytes[19] != 0,
        }
    }

    fn to_bytes(self) -> [u8; HEAD] {
        let mut out = [0; HEAD];
        out[0..4].copy_from_slice(&self.hash.to_le_bytes());
        out[4..8].copy_from_slice(&self.value.to_le_bytes());
        out[8..10].copy_from_slice(&self.key.to_le_bytes());
        out[10..12].copy_from_slice(&self.sub.to_le_bytes());
        out[12..16].copy_from_slice(&self.clears.to_le_bytes());
        out[16..].copy_from_slice(&[self.schema, self.touched.into(), self.padding.into(), self.expires.into()]);
        out
    }

    /// Bytes before key, subkey and value.
    #[inline]
    fn before(self) -> usize {
        HEAD + if self.expires { EXPIRY } else { 0 }
    }

    /// Bytes of the whole record.
    #[inline]
    fn size(self) -> usize {
        let (key, sub, value) = (usize::from(self.key), usize::from(self.sub), self.value as usize);
        (self.before() + key + sub + value).next_multiple_of(ALIGN)
    }
}

/// A record to be put in.
#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) hash: u32,
    pub(super) key: &'a [u8],
    pub(super) sub: &'a [u8],
    pub(super) schema: u8,
    pub(super) payload: &'a [u8],
    pub(super) expires_at: Option<Millis>,
    /// How often the key had been cleared.
    pub(super) clears: u32,
}

impl Record<'_> {
    /// `None` if a length does not fit.
    fn head(&self, touched: bool) -> Option<Head> {
        Some(Head {
            hash: self.hash,
            value: self.payload.len().try_into().ok()?,
            key: self.key.len().try_into().ok()?,
            sub: self.sub.len().try_into().ok()?,
            clears: self.clears,
            schema: self.schema,
            touched,
            padding: false,
            expires: self.expires_at.is_some(),
        })
    }
}

/// A record found.
pub(super) struct Found {
    pub(super) schema: u8,
    pub(super) payload: Bytes,
    pub(super) expires_at: Option<Millis>,
    pub(super) clears: u32,
}

/// See the module's text.
pub(super) struct Ring {
    /// None until the first record comes.
    bytes: Memory,
    size: usize,
    /// Where the next record begins, and the oldest, counted on and on.
    head: u64,
    tail: u64,
    /// Where in `bytes` records begin, in units of [`ALIGN`]. What it does not name is dead.
    index: Index,
    /// The most that `index` may hold.
    most: usize,
}

impl Ring {
    /// At most about `bytes`, the index included.
    pub(super) fn new(bytes: usize) -> Self {
        let most = Index::most(bytes / INDEX);
        let size = (bytes - Index::bytes_of(most)).min(u32::MAX as usize * ALIGN) / ALIGN * ALIGN;
        Self { bytes: Memory::default(), size, head: 0, tail: 0, index: Index::default(), most }
    }

    /// Bytes in use.
    pub(super) fn used(&self) -> usize {
        (self.head - self.tail) as usize + self.index.bytes()
    }

    pub(super) fn clear(&mut self) {
        (self.bytes, self.index) = (Memory::default(), Index::default());
        (self.head, self.tail) = (0, 0);
    }

    #[inline]
    fn head_at(&self, at: usize) -> Option<Head> {
        self.bytes.get(at..at + HEAD)?.try_into().ok().map(Head::of)
    }

    /// Where the record of (key, sub) begins, and its head.
    #[inline]
    fn find(&self, hash: u32, key: &[u8], sub: &[u8]) -> Option<(usize, Head)> {
        let mut found = None;
        self.index.find(hash, |place| {
            let at = place as usize * ALIGN;
            let Some(head) = self.head_at(at).filter(|head| head.hash == hash) else { return false };
            let keys = at + head.before();
            let subs = keys + key.len();
            let found_it = usize::from(head.key) == key.len()
                && usize::from(head.sub) == sub.len()
                && self.bytes.get(keys..subs).is_some_and(|found| same(found, key))
                && self.bytes.get(subs..subs + sub.len()).is_some_and(|found| same(found, sub));
            if found_it {
                found = Some((at, head));
            }
            found_it
        })?;
        found
    }

    #[inline]
    pub(super) fn get(&mut self, hash: u32, key: &[u8], sub: &[u8]) -> Option<Found> {
        let (at, head) = self.find(hash, key, sub)?;
        if !head.touched {
            self.bytes[at + TOUCHED] = 1;
        }
        let from = at + head.before() + key.len() + sub.len();
        let expiry = |at: &[u8; EXPIRY]| Millis(u64::from_le_bytes(*at));
        Some(Found {
            schema: head.schema,
            payload: Bytes::copy_from_slice(self.bytes.get(from..from + head.value as usize)?),
            expires_at: if head.expires { self.bytes[at + HEAD..].first_chunk().map(expiry) } else { None },
            clears: head.clears,
        })
    }

    /// Puts a record in, over the one before. Where it would take another's place it goes in only if `admit`.
    pub(super) fn put(&mut self, record: &Record<'_>, admit: bool) {
        let old = self.find(record.hash, record.key, record.sub);
        let Some(head) = record.head(old.is_some()) else { return self.remove(record.hash, record.key, record.sub) };
        if let Some((at, before)) = old {
            if before.size() == head.size() && before.expires == head.expires {
                return self.overwrite(at, head, record);
            }
            self.unlink(record.hash, at);
        }
        // Half the ring: a record must find room in one piece wherever the front is.
        if head.size() > self.size / 2 || self.most == 0 {
            return;
        }
        if self.bytes.is_empty() {
            self.bytes = Memory::of(self.size);
            if self.bytes.is_empty() {
                return;
            }
        }
        if !self.has_room(head.size()) {
            if admit || old.is_some() {
                self.make_room(head.size(), SPARED);
            } else {
                self.sweep();
                if !self.has_room(head.size()) {
                    return;
                }
            }
        }
        let at = self.advance(head.size());
        self.write(at, head, record);
        self.link(record.hash, at);
    }

    pub(super) fn remove(&mut self, hash: u32, key: &[u8], sub: &[u8]) {
        if let Some((at, _)) = self.find(hash, key, sub) {
            self.unlink(hash, at);
        }
    }

    fn write(&mut self, at: usize, head: Head, record: &Record<'_>) {
        let mut from = at + head.before();
        for part in [record.key, record.sub] {
            self.bytes[from..from + part.len()].copy_from_slice(part);
            from += part.len();
        }
        self.overwrite(at, head, record);
    }

    /// Writes what a record of the same key and subkey need not have.
    fn overwrite(&mut self, at: usize, head: Head, record: &Record<'_>) {
        let bytes = &mut self.bytes[at..at + head.size()];
        bytes[..HEAD].copy_from_slice(&head.to_bytes());
        if let Some(expires_at) = record.expires_at {
            bytes[HEAD..HEAD + EXPIRY].copy_from_slice(&expires_at.0.to_le_bytes());
        }
        let from = head.before() + record.key.len() + record.sub.len();
        bytes[from..from + record.payload.len()].copy_from_slice(record.payload);
    }

    fn link(&mut self, hash: u32, at: usize) {
        // Without memory for its index a record is dead.
        self.index.insert(hash, (at / ALIGN) as u32);
    }

    /// Whether the index names a record that begins at `at`.
    fn names(&self, hash: u32, at: usize) -> bool {
        self.index.find(hash, |place| place as usize * ALIGN == at).is_some()
    }

    /// Whether the index named a record that begins at `at`: it does no more.
    fn unlink(&mut self, hash: u32, at: usize) -> bool {
        self.index.remove(hash, (at / ALIGN) as u32)
    }

    fn place(&self, position: u64) -> usize {
        (position % self.size as u64) as usize
    }

    /// What is left unused at the ring's end before a record of `size` bytes.
    fn padding(&self, size: usize) -> usize {
        let left = self.size - self.place(self.head);
        if left < size { left } else { 0 }
    }

    fn has_room(&self, size: usize) -> bool {
        let free = self.size - (self.head - self.tail) as usize;
        free >= self.padding(size) + size && self.index.len() < self.most
    }

    /// Where the next record of `size` bytes goes, for which there is room.
    fn advance(&mut self, size: usize) -> usize {
        let (padding, at) = (self.padding(size), self.place(self.head));
        // What is shorter than a head is padding without saying so.
        if let Some(head) = self.bytes.get_mut(at..at + HEAD).filter(|_| padding >= HEAD) {
            head.copy_from_slice(&Head { padding: true, ..Head::default() }.to_bytes());
        }
        let at = self.place(self.head + padding as u64);
        self.head += (padding + size) as u64;
        at
    }

    /// Lets the oldest go that are dead.
    fn sweep(&mut self) {
        for _ in 0..SPARED {
            let at = self.place(self.tail);
            match self.head_at(at).filter(|head| !head.padding) {
                _ if self.tail == self.head => return,
                None => self.tail += (self.size - at) as u64,
                Some(head) if self.names(head.hash, at) => return,
                Some(head) => self.tail += head.size() as u64,
            }
        }
    }

    /// Lets the oldest go until there is room for a record of `size` bytes, and up to `spare` of them stay.
    fn make_room(&mut self, size: usize, mut spare: usize) {
        while !self.has_room(size) && self.tail < self.head {
            let at = self.place(self.tail);
            let Some(head) = self.head_at(at).filter(|head| !head.padding) else {
                self.tail += (self.size - at) as u64;
                continue;
            };
            self.tail += head.size() as u64;
            if !self.unlink(head.hash, at) || !head.touched || spare == 0 {
                continue;
            }
            spare -= 1;
            let to = if self.padding(head.size()) == 0 {
                // There is room for it: its own at least.
                let to = self.advance(head.size());
                self.bytes.copy_within(at..at + head.size(), to);
                to
            } else {
                // Beyond the ring's end there may be none yet.
                let record = self.bytes[at..at + head.size()].to_vec();
                self.make_room(record.len(), 0);
                let to = self.advance(record.len());
                self.bytes[to..to + record.len()].copy_from_slice(&record);
                to
            };
            self.bytes[to + TOUCHED] = 0;
            self.link(head.hash, to);
        }
    }
}

#[cfg(test)]
mod tests;
