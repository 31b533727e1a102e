//! Multi-key writes: split where they must be, saying what is in when they fail.

use statehold_core::{Address, AtomicScope, Batch, Cell, Error, Mutation, Result};

use super::core::{StateCore, bytes_of};

/// Records staged under one lock, or committed at once.
const PART: usize = 512;

/// Bits for a record's place in its part, below 16 of its group and 64 of its key.
const INDEX_BITS: u32 = 48;

type Record = (Address, Option<Cell>);

/// All of `items`, or the first error. `collect` would begin with room for four: behind a `Result` it trusts no
/// length.
pub(super) fn all<T>(items: impl Iterator<Item = Result<T>>) -> Result<Vec<T>> {
    let mut out = Vec::with_capacity(items.size_hint().0.min(PART));
    for item in items {
        out.push(item?);
    }
    Ok(out)
}

/// Writes records part by part: not a batch (contract BATCH-1).
pub(super) async fn set_many(core: &StateCore, mut records: Vec<Record>) -> Result<()> {
    let store = &core.runtime.store;
    let narrow = core.direct && store.capabilities().scope == AtomicScope::KeyGroup;
    if narrow {
        // Stable: of two changes to one record the last counts.
        records.sort_by_key(|(at, _)| at.group);
    }
    let total = records.len();
    let parts = parts_of(&records, narrow, store.limits().batch);
    let mut rest = records.into_iter();
    let mut done = 0;
    for (count, size) in parts {
        let part: Vec<Record> = rest.by_ref().take(count).collect();
        write(core, part, size).await.map_err(|e| {
            let kind = e.kind();
            let advice = e.advice().unwrap_or_default().to_owned();
            Error::new(kind, format!("{done} of {total} entries are in, then: {}", e.message()))
                .in_store(&core.runtime.name)
                .in_state(&core.spec.name)
                .advise(advice)
                .because(e)
        })?;
        done += count;
    }
    Ok(())
}

/// Records and bytes of each part. A `narrow` part stays within one key group.
fn parts_of(records: &[Record], narrow: bool, limit: usize) -> Vec<(usize, usize)> {
    let mut parts: Vec<(usize, usize)> = Vec::with_capacity(1);
    let mut group = None;
    for (at, cell) in records {
        let bytes = bytes_of(at, cell.as_ref());
        match parts.last_mut() {
            Some((count, size)) if *count < PART && *size + bytes <= limit && (!narrow || group == Some(at.group)) => {
                *count += 1;
                *size += bytes;
            }
            _ => parts.push((1, bytes)),
        }
        group = Some(at.group);
    }
    parts
}

/// One change a record, sorted as a batch wants them: of two to one record the last counts.
fn folded(part: Vec<Record>) -> Vec<Mutation> {
    // Numbers are sorted, not the records: group, first bytes of the key, place in `part`.
    let mut order: Vec<u128> = Vec::with_capacity(part.len());
    let mut mutations: Vec<Option<Mutation>> = Vec::with_capacity(part.len());
    for (index, (at, cell)) in part.into_iter().enumerate() {
        let (group, key) = (u128::from(at.group.0), u128::from(first_bytes(&at.key)));
        order.push(group << (64 + INDEX_BITS) | key << INDEX_BITS | index as u128);
        mutations.push(Some(match cell {
            Some(cell) => Mutation::Put(at, cell),
            None => Mutation::Delete(at),
        }));
    }
    order.sort_unstable();
    // The index was put in with as many bits.
    let index = |number: u128| (number & ((1 << INDEX_BITS) - 1)) as usize;
    let address = |number: u128| mutations.get(index(number)).and_then(Option::as_ref).map(Mutation::at);
    for alike in order.chunk_by_mut(|x, y| x >> INDEX_BITS == y >> INDEX_BITS).filter(|alike| alike.len() > 1) {
        // The later of equals comes first, and stays.
        alike.sort_unstable_by(|x, y| address(*x).cmp(&address(*y)).then(y.cmp(x)));
    }
    order.dedup_by(|x, y| *x >> INDEX_BITS == *y >> INDEX_BITS && address(*x) == address(*y));
    order.into_iter().filter_map(|number| mutations.get_mut(index(number)).and_then(Option::take)).collect()
}

/// As many bytes of `key` as a number holds; its order is the keys' as far as they go.
fn first_bytes(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let count = key.len().min(8);
    bytes[..count].copy_from_slice(&key[..count]);
    u64::from_be_bytes(bytes)
}

async fn write(core: &StateCore, mut part: Vec<Record>, size: usize) -> Result<()> {
    if core.direct {
        let mutations = folded(part);
        return core.runtime.commit(Batch { mutations, ..Batch::default() }).finish().await.map(drop);
    }
    let stage = |stage: &mut crate::runtime::Stage<'_>| {
        for (at, cell) in part.drain(..) {
            core.change(stage, at, cell, false);
        }
    };
    core.stage(&[], size, stage).finish().await.map(drop)
}
