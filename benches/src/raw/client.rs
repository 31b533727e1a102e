//! [`Rocks`]: operations on one database.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use rocksdb::{DB, DBPinnableSlice, ReadOptions, WriteBatch, WriteOptions};
use statehold::Result;
use statehold_bench_kit::{
    Client, Op,
    op::{head, modified},
};

use super::failed;
use crate::sides::{GROUPS, State, count_of, group_of, missing, payload, raw_value};

/// Group and table before each key: what our layout writes.
const PREFIX: usize = 6;

/// A key as long as ours.
pub(super) fn key_of(state: State, key: u64, sub: Option<u64>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(PREFIX + 16);
    bytes.extend_from_slice(&u16::from(group_of(key)).to_be_bytes());
    bytes.extend_from_slice(&(state as u32).to_be_bytes());
    bytes.extend_from_slice(&key.to_be_bytes());
    if let Some(sub) = sub {
        bytes.extend_from_slice(&sub.to_be_bytes());
    }
    bytes
}

/// A handle.
#[derive(Clone)]
pub struct Rocks {
    pub(super) db: Arc<DB>,
    wal: bool,
    /// Of list elements.
    ordinals: Arc<AtomicU64>,
}

fn sub_of(key: &[u8]) -> u64 {
    key.last_chunk().map_or(0, |sub| u64::from_be_bytes(*sub))
}

impl Rocks {
    pub(super) fn new(db: Arc<DB>, wal: bool) -> Self {
        Self { db, wal, ordinals: Arc::default() }
    }

    fn options(&self) -> WriteOptions {
        let mut options = WriteOptions::default();
        options.disable_wal(!self.wal);
        options
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<u64> {
        self.db.put_opt(key, raw_value(value), &self.options()).map(|()| 0).map_err(failed)
    }

    fn find(&self, key: &[u8]) -> Result<Option<DBPinnableSlice<'_>>> {
        self.db.get_pinned(key).map_err(failed)
    }

    fn write(&self, batch: WriteBatch) -> Result<u64> {
        self.db.write_opt(batch, &self.options()).map(|()| 0).map_err(failed)
    }

    fn ordinal(&self) -> u64 {
        self.ordinals.fetch_add(1, Ordering::Relaxed)
    }

    /// Adds up what `each` makes of the rows from `from` to the end of `prefix`.
    fn over(
        &self,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
        each: impl Fn(&[u8], &[u8]) -> Result<u64>,
    ) -> Result<u64> {
        let mut until = prefix.to_vec();
        until.push(u8::MAX);
        until.extend_from_slice(&[u8::MAX; 8]);
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(until);
        let mut rows = self.db.raw_iterator_opt(options);
        rows.seek(from);
        let mut sum = 0_u64;
        let mut seen = 0;
        while let (true, Some((key, value))) = (seen < limit, rows.item()) {
            sum = sum.wrapping_add(each(key, value)?);
            seen += 1;
            rows.next();
        }
        rows.status().map(|()| sum).map_err(failed)
    }

    fn count_keys(&self) -> Result<u64> {
        let mut count = 0_u64;
        for group in 0..GROUPS as u16 {
            let prefix = [&group.to_be_bytes()[..], &(State::Values as u32).to_be_bytes()].concat();
            count += self.over(&prefix, &prefix, usize::MAX, |_, _| Ok(1))?;
        }
        Ok(count)
    }

    fn get_many(&self, keys: &[u64]) -> Result<u64> {
        let found = self.db.multi_get(keys.iter().map(|key| key_of(State::Values, *key, None)));
        found.into_iter().try_fold(0_u64, |sum, value| {
            let value = value.map_err(failed)?;
            Ok(sum.wrapping_add(head(payload(value.as_ref())?)))
        })
    }

    fn replace(&self, key: u64, values: &[bytes::Bytes]) -> Result<u64> {
        let mut batch = WriteBatch::default();
        batch.delete_range(key_of(State::Lists, key, Some(0)), key_of(State::Lists, key, Some(u64::MAX)));
        for value in values {
            batch.put(key_of(State::Lists, key, Some(self.ordinal())), raw_value(value));
        }
        self.write(batch)
    }
}

impl Client for Rocks {
    #[inline]
    async fn apply(&mut self, op: &mut Op) -> Result<u64> {
        use State::{Counts, Lists, Maps, Values};
        let value = |value: &[u8]| Ok(head(payload(Some(&value))?));
        match op.take() {
            Op::Put(key, value) => self.put(&key_of(Values, key, None), &value),
            Op::Get(key) => value(&self.find(&key_of(Values, key, None))?.ok_or_else(missing)?),
            Op::GetAbsent(key) => Ok(u64::from(self.find(&key_of(Values, key, None))?.is_none())),
            Op::Modify(key) => {
                let place = key_of(Values, key, None);
                let old = self.find(&place)?;
                let old = payload(old.as_ref())?;
                self.put(&place, &modified(old))?;
                Ok(head(old))
            }
            Op::Increment(key) => {
                let place = key_of(Counts, key, None);
                let count = count_of(self.find(&place)?.as_deref()) + 1;
                self.put(&place, &count.to_le_bytes())?;
                Ok(count)
            }
            Op::PutMany(rows) => {
                let mut batch = WriteBatch::default();
                rows.iter().for_each(|(key, value)| batch.put(key_of(Values, *key, None), raw_value(value)));
                self.write(batch)
            }
            Op::GetMany(keys) => self.get_many(&keys),
            Op::CountKeys => self.count_keys(),
            Op::PutEntry(key, sub, value) => self.put(&key_of(Maps, key, Some(sub)), &value),
            Op::GetEntry(key, sub) => value(&self.find(&key_of(Maps, key, Some(sub)))?.ok_or_else(missing)?),
            Op::EntryAbsent(key, sub) => Ok(u64::from(self.find(&key_of(Maps, key, Some(sub)))?.is_none())),
            Op::Entries(key) => {
                let prefix = key_of(Maps, key, None);
                self.over(&prefix, &prefix, usize::MAX, |key, found| Ok(value(found)?.wrapping_add(sub_of(key))))
            }
            Op::Page(key, from, limit) => {
                let prefix = key_of(Maps, key, None);
                self.over(&prefix, &key_of(Maps, key, Some(from)), limit, |_, found| value(found))
            }
            Op::Append(key, value) => self.put(&key_of(Lists, key, Some(self.ordinal())), &value),
            Op::Replace(key, values) => self.replace(key, &values),
            Op::Elements(key) => {
                let prefix = key_of(Lists, key, None);
                self.over(&prefix, &prefix, usize::MAX, |_, found| value(found))
            }
        }
    }
}
