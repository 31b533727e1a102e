//! [`Typed`]: statehold's typed states.

use std::mem::take;

use bytes::Bytes;
use futures::{StreamExt, pin_mut};
use statehold::{
    Descriptor, Durability, KeyListState, KeyMapState, KeyValueState, MapCursor, RecoverFrom, Result, ScanOrder,
    StateManager, ValueType,
    archive::{CheckpointForm, CheckpointId, Metadata},
};
use statehold_bench_kit::{
    Access, Client, Op,
    case::Open,
    op::{Step, head, modified},
};

use super::{
    descriptor::{self, STORE, stages},
    missing,
};

/// A manager, or two that share the key groups.
pub(super) struct Typed {
    open: Open,
    direct: bool,
    managers: Vec<StateManager>,
    /// Stores that were opened in the place so far.
    opened: usize,
    durability: String,
    engine: Option<String>,
}

fn words(level: Durability, staged: bool) -> String {
    match (level, staged) {
        // Nothing is promised of single writes either way.
        (Durability::Visible, _) | (_, false) => level.as_str().to_owned(),
        (_, true) => format!("{} once finished", level.as_str()),
    }
}

impl Typed {
    pub(super) async fn open(open: &Open, direct: bool) -> Result<Self> {
        let mut typed = Self {
            open: open.clone(),
            direct,
            managers: Vec::new(),
            opened: 0,
            durability: String::new(),
            engine: None,
        };
        let descriptor = typed.descriptor()?;
        // A server has what it was sent even if the process is killed; what is staged it has not.
        let served = open.place.url.is_some() && stages(&descriptor);
        typed.durability = match (descriptor::durability(open)?, served) {
            (Durability::Visible, true) => "staged".to_owned(),
            (level, _) => words(level, stages(&descriptor)),
        };
        let manager = StateManager::builder(descriptor).open().await?;
        typed.engine = manager.store(STORE)?.engine_version().await?;
        typed.managers.push(manager);
        Ok(typed)
    }

    /// The next store's.
    fn descriptor(&mut self) -> Result<Descriptor> {
        self.opened += 1;
        let native = self.open.kind == "rocksdb";
        let form = if native { CheckpointForm::Native } else { CheckpointForm::Portable };
        Ok(descriptor::descriptor(&self.open, self.direct, self.opened)?.checkpoint_form(form))
    }

    async fn restored(&mut self, id: u64, groups: std::ops::Range<u16>) -> Result<()> {
        let builder = StateManager::builder(self.descriptor()?).groups(groups);
        self.managers.push(builder.recover(RecoverFrom::Id(CheckpointId(id))).open().await?);
        Ok(())
    }

    fn first(&self) -> Result<&StateManager> {
        self.managers.first().ok_or_else(|| statehold::Error::internal("there is no manager"))
    }
}

const ALL: u16 = Descriptor::DEFAULT_KEY_GROUPS;

impl Access for Typed {
    type Client = States;

    async fn client(&mut self) -> Result<States> {
        let manager = self.first()?;
        Ok(States {
            values: manager.key_value_of("values", ValueType::bytes()).await?,
            maps: manager.key_map_of("maps", ValueType::bytes()).await?,
            lists: manager.key_list_of("lists", ValueType::bytes()).await?,
            counts: manager.key_value("counts").await?,
        })
    }

    async fn ready(&mut self, step: Step) -> Result<()> {
        if matches!(step, Step::Restore(_) | Step::Split(_) | Step::Join(_)) {
            for manager in self.managers.drain(..) {
                manager.close().await?;
            }
        }
        Ok(())
    }

    async fn step(&mut self, step: Step) -> Result<()> {
        let nothing = Metadata::new();
        match step {
            Step::Checkpoint(id) => self.first()?.archive(CheckpointId(id), &nothing).await.map(drop),
            Step::Savepoint(id) => self.first()?.savepoint(CheckpointId(id), &nothing).await.map(drop),
            Step::Restore(id) | Step::Join(id) => self.restored(id, 0..ALL).await,
            Step::Split(id) => {
                self.restored(id, 0..ALL / 2).await?;
                self.restored(id, ALL / 2..ALL).await
            }
            Step::CheckpointHalves(id) => {
                for manager in &self.managers {
                    manager.prepare(CheckpointId(id)).await?;
                }
                self.first()?.checkpoints()?.complete(CheckpointId(id), &nothing).await.map(drop)
            }
        }
    }

    fn durability(&self) -> String {
        self.durability.clone()
    }

    fn engine(&self) -> Option<String> {
        self.engine.clone()
    }

    async fn close(self) -> Result<()> {
        for manager in self.managers {
            manager.close().await?;
        }
        Ok(())
    }
}

/// Handles of all states.
pub(super) struct States {
    values: KeyValueState<u64, Bytes>,
    maps: KeyMapState<u64, u64, Bytes>,
    lists: KeyListState<u64, Bytes>,
    counts: KeyValueState<u64, u64>,
}

impl States {
    async fn modify(&self, key: u64) -> Result<u64> {
        let mut read = 0;
        let change = |old: Option<Bytes>| {
            let old = old.ok_or_else(missing)?;
            read = head(&old);
            Ok(modified(old))
        };
        self.values.update(&key, change).await?;
        Ok(read)
    }

    async fn increment(&self, key: u64) -> Result<u64> {
        let mut count = 0;
        let change = |old: Option<u64>| {
            count = old.unwrap_or(0) + 1;
            Ok(count)
        };
        self.counts.update(&key, change).await?;
        Ok(count)
    }

    async fn count_keys(&self) -> Result<u64> {
        let keys = self.values.keys(ScanOrder::Group);
        pin_mut!(keys);
        let mut count = 0;
        while let Some(key) = keys.next().await {
            key?;
            count += 1;
        }
        Ok(count)
    }

    async fn page(&self, key: u64, from: u64, limit: usize) -> Result<u64> {
        let cursor = from.checked_sub(1).map(|before| MapCursor::after(&before));
        let (page, _) = self.maps.page(&key, cursor.as_ref(), limit).await?;
        Ok(page.iter().fold(0, |sum, (_, value)| sum.wrapping_add(head(value))))
    }
}

impl Client for States {
    #[inline]
    async fn apply(&mut self, op: &mut Op) -> Result<u64> {
        match op {
            Op::Put(key, value) => self.values.put(&*key, take(value)).await.map(|()| 0),
            &mut Op::Get(key) => self.values.get(&key).await?.map(|value| head(&value)).ok_or_else(missing),
            &mut Op::GetAbsent(key) => Ok(u64::from(self.values.get(&key).await?.is_none())),
            &mut Op::Modify(key) => self.modify(key).await,
            &mut Op::Increment(key) => self.increment(key).await,
            Op::PutMany(rows) => self.values.put_many(take(rows)).await.map(|()| 0),
            Op::GetMany(keys) => {
                let found = self.values.get_many(keys).await?;
                found.iter().try_fold(0_u64, |sum, value| {
                    value.as_ref().map(|value| sum.wrapping_add(head(value))).ok_or_else(missing)
                })
            }
            Op::CountKeys => self.count_keys().await,
            Op::PutEntry(key, sub, value) => self.maps.put(&*key, &*sub, take(value)).await.map(|()| 0),
            &mut Op::GetEntry(key, sub) => {
                self.maps.get(&key, &sub).await?.map(|value| head(&value)).ok_or_else(missing)
            }
            &mut Op::EntryAbsent(key, sub) => Ok(u64::from(!self.maps.contains(&key, &sub).await?)),
            &mut Op::Entries(key) => {
                let entries = self.maps.entries(&key).await?;
                Ok(entries.iter().fold(0, |sum, (sub, value)| sum.wrapping_add(head(value)).wrapping_add(*sub)))
            }
            &mut Op::Page(key, from, limit) => self.page(key, from, limit).await,
            Op::Append(key, value) => self.lists.append(&*key, take(value)).await.map(|()| 0),
            Op::Replace(key, values) => self.lists.put(&*key, take(values)).await.map(|()| 0),
            &mut Op::Elements(key) => {
                Ok(self.lists.get(&key).await?.iter().fold(0, |sum, value| sum.wrapping_add(head(value))))
            }
        }
    }
}
