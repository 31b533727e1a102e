//! Random operations on all three models against maps of the standard library.

use std::{collections::BTreeMap, fmt::Debug};

use futures::TryStreamExt;
use proptest::{prelude::*, test_runner::TestRunner};
use statehold::{
    KeyListState, KeyMapState, KeyValueState, ScanOrder, StateManager, WriteBatch,
    archive::{CheckpointId, Metadata},
};

use crate::support::{Place, SIZES};

#[derive(Debug, Clone)]
enum Action {
    Put(u8, u32),
    Delete(u8),
    Update(u8),
    PutMany(Vec<(u8, u32)>),
    PutIfAbsent(u8, u32),
    Append(u8, Vec<u32>),
    Replace(u8, Vec<u32>),
    Pop(u8),
    PutEntry(u8, u8, u32),
    RemoveEntry(u8, u8),
    RemoveKey(u8),
    Batch(u8, u32, bool),
    Finish,
    Compact,
    Reopen,
    Archive,
    Recover,
}

fn action() -> impl Strategy<Value = Action> {
    use Action::*;
    let (key, sub, value) = (|| 0..12_u8, || 0..6_u8, any::<u32>);
    let values = || prop::collection::vec(any::<u32>(), 0..5);
    prop_oneof![
        6 => (key(), value()).prop_map(|(k, v)| Put(k, v)),
        3 => key().prop_map(Delete),
        4 => key().prop_map(Update),
        2 => prop::collection::vec((key(), value()), 0..8).prop_map(PutMany),
        2 => (key(), value()).prop_map(|(k, v)| PutIfAbsent(k, v)),
        5 => (key(), values()).prop_map(|(k, v)| Append(k, v)),
        2 => (key(), values()).prop_map(|(k, v)| Replace(k, v)),
        4 => key().prop_map(Pop),
        6 => (key(), sub(), value()).prop_map(|(k, s, v)| PutEntry(k, s, v)),
        3 => (key(), sub()).prop_map(|(k, s)| RemoveEntry(k, s)),
        1 => key().prop_map(RemoveKey),
        3 => (key(), value(), any::<bool>()).prop_map(|(k, v, d)| Batch(k, v, d)),
        3 => Just(Finish),
        1 => Just(Compact),
        1 => Just(Reopen),
        1 => Just(Archive),
        1 => Just(Recover),
    ]
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    kv: BTreeMap<u8, u32>,
    versioned: BTreeMap<u8, u32>,
    list: BTreeMap<u8, Vec<u32>>,
    map: BTreeMap<(u8, u8), u32>,
}

struct Opened {
    manager: StateManager,
    kv: KeyValueState<u8, u32>,
    versioned: KeyValueState<u8, u32>,
    list: KeyListState<u8, u32>,
    map: KeyMapState<u8, u8, u32>,
}

impl Opened {
    async fn of(manager: StateManager) -> Self {
        Self {
            kv: manager.key_value("kv").await.unwrap(),
            versioned: manager.key_value("versioned").await.unwrap(),
            list: manager.key_list("list").await.unwrap(),
            map: manager.key_map("map").await.unwrap(),
            manager,
        }
    }

    async fn contents(&self) -> Model {
        let mut list: BTreeMap<u8, Vec<u32>> = BTreeMap::new();
        let elements: Vec<(u8, u32)> = self.list.scan(ScanOrder::Group).try_collect().await.unwrap();
        elements.into_iter().for_each(|(key, element)| list.entry(key).or_default().push(element));
        let entries: Vec<(u8, u8, u32)> = self.map.scan(ScanOrder::Key).try_collect().await.unwrap();
        Model {
            kv: self.kv.scan(ScanOrder::Key).try_collect().await.unwrap(),
            versioned: self.versioned.scan(ScanOrder::Group).try_collect().await.unwrap(),
            list,
            map: entries.into_iter().map(|(k, s, v)| ((k, s), v)).collect(),
        }
    }
}

/// Applies one action to both sides; what it answers must be the same.
async fn apply(opened: &Opened, model: &mut Model, action: &Action) {
    let Opened { kv, versioned, list, map, .. } = opened;
    match action.clone() {
        Action::Put(k, v) => {
            kv.put(&k, v).await.unwrap();
            model.kv.insert(k, v);
        }
        Action::Delete(k) => {
            kv.delete(&k).await.unwrap();
            model.kv.remove(&k);
        }
        Action::Update(k) => {
            for (state, model) in [(kv, &mut model.kv), (versioned, &mut model.versioned)] {
                state.update(&k, |v| Ok(v.unwrap_or(0).wrapping_add(1))).await.unwrap();
                let v = model.entry(k).or_default();
                *v = v.wrapping_add(1);
                assert_eq!(state.get(&k).await.unwrap(), Some(*v));
            }
        }
        Action::PutMany(entries) => {
            kv.put_many(entries.clone()).await.unwrap();
            model.kv.extend(entries);
        }
        Action::PutIfAbsent(k, v) => {
            assert_eq!(kv.put_if_absent(&k, v).await.unwrap(), !model.kv.contains_key(&k));
            model.kv.entry(k).or_insert(v);
        }
        Action::Append(k, values) => {
            list.append_all(&k, values.clone()).await.unwrap();
            model.list.entry(k).or_default().extend(values);
        }
        Action::Replace(k, values) => {
            list.put(&k, values.clone()).await.unwrap();
            model.list.insert(k, values);
        }
        Action::Pop(k) => {
            let elements = model.list.entry(k).or_default();
            let expected = (!elements.is_empty()).then(|| elements.remove(0));
            assert_eq!(list.pop_front(&k).await.unwrap(), expected);
            assert_eq!(&list.get(&k).await.unwrap(), elements);
        }
        Action::PutEntry(k, s, v) => {
            map.put(&k, &s, v).await.unwrap();
            model.map.insert((k, s), v);
            assert_eq!(map.get(&k, &s).await.unwrap(), Some(v));
        }
        Action::RemoveEntry(k, s) => {
            map.remove(&k, &s).await.unwrap();
            model.map.remove(&(k, s));
        }
        Action::RemoveKey(k) => {
            map.remove_key(&k).await.unwrap();
            model.map.retain(|(key, _), _| *key != k);
            assert_eq!(map.entries(&k).await.unwrap(), []);
        }
        Action::Batch(k, v, direct) => {
            let mut batch = WriteBatch::new();
            batch.put(kv, &k, v).unwrap();
            batch.append(list, &k, v).unwrap();
            batch.remove_entry(map, &k, &0).unwrap();
            batch.put_entry(map, &k, &1, v).unwrap();
            if direct {
                batch.put(versioned, &k, v).unwrap();
                model.versioned.insert(k, v);
            }
            batch.commit().await.unwrap();
            model.kv.insert(k, v);
            model.list.entry(k).or_default().push(v);
            model.map.remove(&(k, 0));
            model.map.insert((k, 1), v);
        }
        Action::Finish => drop(opened.manager.finish().await.unwrap()),
        Action::Compact => drop(opened.manager.compact().await.unwrap()),
        Action::Reopen | Action::Archive | Action::Recover => unreachable!("the driver's"),
    }
    model.list.retain(|_, elements| !elements.is_empty());
}

async fn run(place: &Place, (buffer, cache): (usize, usize), actions: &[Action]) {
    let descriptor = place.sized(buffer, cache);
    let mut opened = Opened::of(place.open(descriptor.clone()).await).await;
    let (mut model, mut archived, mut id) = (Model::default(), None, 0);
    for action in actions {
        match action {
            Action::Reopen => {
                opened.manager.close().await.unwrap();
                opened = Opened::of(place.open(descriptor.clone()).await).await;
            }
            Action::Archive => {
                id += 1;
                opened.manager.archive(CheckpointId(id), &Metadata::new()).await.unwrap();
                archived = Some((id, model.clone()));
            }
            Action::Recover => {
                if let Some((id, then)) = &archived {
                    opened.manager.recover(CheckpointId(*id)).await.unwrap();
                    opened = Opened::of(opened.manager).await;
                    model = then.clone();
                }
            }
            action => apply(&opened, &mut model, action).await,
        }
        if matches!(action, Action::Reopen | Action::Recover | Action::Compact | Action::Batch(..)) {
            assert_eq!(opened.contents().await, model, "after {action:?}");
        }
    }
    assert_eq!(opened.contents().await, model, "in the end");
    opened.manager.close().await.unwrap();
}

/// Runs random actions over buffers and caches of all sizes. Prints what fails, shrunk; `PROPTEST_RNG_SEED` repeats a
/// run.
pub(crate) fn agrees<A: Debug>(
    kind: &'static str,
    cases: u32,
    action: impl Strategy<Value = A>,
    run: &impl AsyncFn(&Place, (usize, usize), &[A]),
) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config =
        ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() };
    let strategy = (0..SIZES.len(), prop::collection::vec(action, 1..120));
    let outcome = TestRunner::new(config).run(&strategy, |(size, actions)| {
        let place = Place::new(kind);
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(run(&place, SIZES[size], &actions));
        }));
        ran.map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            TestCaseError::fail(text.unwrap_or_else(|| "a panic".into()))
        })
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn kv_list_map_random_actions_agree_with_the_model_memory() {
    agrees("memory", 64, action(), &run);
}

#[cfg(feature = "rocksdb")]
#[test]
fn kv_list_map_random_actions_agree_with_the_model_rocksdb() {
    agrees("rocksdb", 32, action(), &run);
}
