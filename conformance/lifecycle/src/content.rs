//! [`Content`]: what a job's states hold, as a plain function of the writes it made.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use statehold::{Descriptor, KeyGroup, Model, Result, ScanOrder, StateDescriptor, StateManager};

/// Key groups of the namespace.
pub(crate) const GROUPS: u16 = 16;
const KEYS: u64 = 200;
/// Entries that one write puts.
const PUTS: u64 = 30;

/// What the states hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Content {
    kv: BTreeMap<u64, u64>,
    lists: BTreeMap<u64, Vec<u64>>,
    maps: BTreeMap<u64, BTreeMap<u64, u64>>,
}

/// What write `n` puts, as noise that no engine makes smaller.
fn puts(n: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..PUTS).map(move |i| ((n * 13 + i) % KEYS, (n * 1000 + i).wrapping_mul(0x9E37_79B9_7F4A_7C15)))
}

fn deleted(n: u64) -> u64 {
    n * 31 % KEYS
}

impl Content {
    /// What these writes leave, in this order.
    pub(crate) fn of(writes: &[u64]) -> Self {
        let mut content = Self::default();
        for n in writes {
            content.kv.extend(puts(*n));
            content.kv.remove(&deleted(*n));
            content.lists.entry(n % 3).or_default().push(*n);
            content.maps.entry(n % 5).or_default().insert(n % 7, *n);
        }
        content
    }

    /// What the managers hold together.
    pub(crate) async fn read(managers: &[StateManager]) -> Result<Self> {
        let mut content = Self::default();
        for manager in managers {
            let kv = manager.key_value::<u64, u64>("kv").await?;
            content.kv.extend(kv.scan(ScanOrder::Key).try_collect::<Vec<_>>().await?);
            let lists = manager.key_list::<u64, u64>("list").await?;
            let mut elements = lists.scan(ScanOrder::Key);
            while let Some((key, element)) = elements.try_next().await? {
                content.lists.entry(key).or_default().push(element);
            }
            let maps = manager.key_map::<u64, u64, u64>("map").await?;
            let mut entries = maps.scan(ScanOrder::Key);
            while let Some((key, sub, value)) = entries.try_next().await? {
                content.maps.entry(key).or_default().insert(sub, value);
            }
        }
        Ok(content)
    }
}

/// The states of [`Content`].
pub(crate) fn with_states(descriptor: Descriptor) -> Descriptor {
    let mut descriptor = descriptor
        .state("kv", StateDescriptor::new(Model::Kv))
        .state("list", StateDescriptor::new(Model::List))
        .state("map", StateDescriptor::new(Model::Map));
    descriptor.key_groups = GROUPS;
    descriptor
}

/// Makes write `n`, each entry at its owner, and makes it durable.
pub(crate) async fn write(managers: &[StateManager], n: u64) -> Result<()> {
    for manager in managers {
        let owns = |key: u64| manager.groups().contains(KeyGroup::of(&key.to_be_bytes(), GROUPS));
        let kv = manager.key_value::<u64, u64>("kv").await?;
        kv.put_many(puts(n).filter(|(key, _)| owns(*key))).await?;
        if owns(deleted(n)) {
            kv.delete(&deleted(n)).await?;
        }
        if owns(n % 3) {
            manager.key_list::<u64, u64>("list").await?.append(&(n % 3), n).await?;
        }
        if owns(n % 5) {
            manager.key_map::<u64, u64, u64>("map").await?.put(&(n % 5), &(n % 7), n).await?;
        }
        manager.finish().await?;
    }
    Ok(())
}
