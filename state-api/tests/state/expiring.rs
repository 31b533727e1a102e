//! Random operations on states with a TTL against maps of the standard library, while time passes and answers of
//! flushes are lost.

use std::{collections::BTreeMap, sync::Arc};

use futures::TryStreamExt;
use proptest::prelude::*;
use statehold::{
    Descriptor, KeyListState, KeyMapState, KeyValueState, Model, ScanOrder, StateDescriptor, StateManager, WriteBatch,
    archive::{CheckpointId, Metadata},
    core::{Clock as _, Millis},
    testing::{Fault, ManualClock},
};

use crate::{model::agrees, support::Place};

const START: u64 = 1_000_000;
const TTL: u64 = 100;

#[derive(Debug, Clone)]
enum Action {
    Put(u8, u8),
    PutMany(Vec<(u8, u8)>),
    Delete(u8),
    Update(u8),
    PutIfAbsent(u8, u8),
    Replace(u8, u8, u8),
    DeleteIf(u8, u8),
    Append(u8, Vec<u8>),
    ReplaceList(u8, Vec<u8>),
    Pop(u8),
    PutEntry(u8, u8, u8),
    UpdateEntry(u8, u8),
    RemoveKey(u8),
    Batch(u8, u8),
    Advance(u64),
    Finish { answer_is_lost: bool },
    Compact,
    Drop,
    Reopen,
    Archive,
    Recover,
}

fn action() -> impl Strategy<Value = Action> {
    use Action::*;
    // Few values, so that what is expected is there now and then.
    let (key, sub, value) = (|| 0..8_u8, || 0..4_u8, || 0..3_u8);
    let values = || prop::collection::vec(0..3_u8, 0..4);
    prop_oneof![
        6 => (key(), value()).prop_map(|(k, v)| Put(k, v)),
        2 => prop::collection::vec((key(), value()), 0..6).prop_map(PutMany),
        2 => key().prop_map(Delete),
        4 => key().prop_map(Update),
        3 => (key(), value()).prop_map(|(k, v)| PutIfAbsent(k, v)),
        3 => (key(), value(), value()).prop_map(|(k, v, w)| Replace(k, v, w)),
        3 => (key(), value()).prop_map(|(k, v)| DeleteIf(k, v)),
        5 => (key(), values()).prop_map(|(k, v)| Append(k, v)),
        2 => (key(), values()).prop_map(|(k, v)| ReplaceList(k, v)),
        3 => key().prop_map(Pop),
        5 => (key(), sub(), value()).prop_map(|(k, s, v)| PutEntry(k, s, v)),
        3 => (key(), sub()).prop_map(|(k, s)| UpdateEntry(k, s)),
        1 => key().prop_map(RemoveKey),
        2 => (key(), value()).prop_map(|(k, v)| Batch(k, v)),
        6 => (1..TTL * 7 / 10).prop_map(Advance),
        3 => any::<bool>().prop_map(|answer_is_lost| Finish { answer_is_lost }),
        1 => Just(Compact),
        1 => Just(Drop),
        1 => Just(Reopen),
        1 => Just(Archive),
        1 => Just(Recover),
    ]
}

fn name(key: u8) -> String {
    format!("key {key}")
}

/// Each with the instant at which it is gone.
#[derive(Debug, Clone, Default, PartialEq)]
struct Expected {
    kv: BTreeMap<String, (u8, u64)>,
    list: BTreeMap<String, (Vec<u8>, u64)>,
    map: BTreeMap<(String, u8), (u8, u64)>,
}

impl Expected {
    fn expire(&mut self, now: u64) {
        self.kv.retain(|_, (_, until)| *until > now);
        self.list.retain(|_, (elements, until)| *until > now && !elements.is_empty());
        self.map.retain(|_, (_, until)| *until > now);
    }

    fn shown(&self) -> Shown {
        Shown {
            kv: self.kv.iter().map(|(key, (value, _))| (key.clone(), *value)).collect(),
            list: self.list.iter().map(|(key, (elements, _))| (key.clone(), elements.clone())).collect(),
            map: self.map.iter().map(|(at, (value, _))| (at.clone(), *value)).collect(),
        }
    }
}

/// What reads show.
#[derive(Debug, PartialEq)]
struct Shown {
    kv: BTreeMap<String, u8>,
    list: BTreeMap<String, Vec<u8>>,
    map: BTreeMap<(String, u8), u8>,
}

struct Opened {
    manager: StateManager,
    kv: KeyValueState<String, u8>,
    list: KeyListState<String, u8>,
    map: KeyMapState<String, u8, u8>,
}

impl Opened {
    async fn of(manager: StateManager) -> Self {
        Self {
            kv: manager.key_value("kv").await.unwrap(),
            list: manager.key_list("list").await.unwrap(),
            map: manager.key_map("map").await.unwrap(),
            manager,
        }
    }

    async fn shown(&self) -> Shown {
        let mut list: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let elements: Vec<(String, u8)> = self.list.scan(ScanOrder::Group).try_collect().await.unwrap();
        elements.into_iter().for_each(|(key, element)| list.entry(key).or_default().push(element));
        let entries: Vec<(String, u8, u8)> = self.map.scan(ScanOrder::Key).try_collect().await.unwrap();
        Shown {
            kv: self.kv.scan(ScanOrder::Key).try_collect().await.unwrap(),
            list,
            map: entries.into_iter().map(|(k, s, v)| ((k, s), v)).collect(),
        }
    }

    /// One by one, as scans show them too.
    async fn check(&self, expected: &Expected) {
        for key in (0..8).map(name) {
            assert_eq!(self.kv.get(&key).await.unwrap(), expected.kv.get(&key).map(|(v, _)| *v), "`{key}`");
            let elements = expected.list.get(&key).map(|(e, _)| e.clone()).unwrap_or_default();
            assert_eq!(self.list.get(&key).await.unwrap(), elements, "the list `{key}`");
            for sub in 0..4 {
                let value = expected.map.get(&(key.clone(), sub)).map(|(v, _)| *v);
                assert_eq!(self.map.get(&key, &sub).await.unwrap(), value, "`{key}`, {sub}");
            }
        }
    }
}

/// Applies one action to both sides; what it answers must be the same.
async fn apply(opened: &Opened, expected: &mut Expected, now: u64, action: &Action) {
    let Opened { kv, list, map, .. } = opened;
    let until = now + TTL;
    match action.clone() {
        Action::Put(k, v) => {
            kv.put(&name(k), v).await.unwrap();
            expected.kv.insert(name(k), (v, until));
        }
        Action::PutMany(entries) => {
            kv.put_many(entries.iter().map(|(k, v)| (name(*k), *v))).await.unwrap();
            expected.kv.extend(entries.into_iter().map(|(k, v)| (name(k), (v, until))));
        }
        Action::Delete(k) => {
            kv.delete(&name(k)).await.unwrap();
            expected.kv.remove(&name(k));
        }
        Action::Update(k) => {
            kv.update(&name(k), |v| Ok(v.map_or(0, |v| (v + 1) % 3))).await.unwrap();
            let next = expected.kv.get(&name(k)).map_or(0, |(v, _)| (v + 1) % 3);
            expected.kv.insert(name(k), (next, until));
        }
        Action::PutIfAbsent(k, v) => {
            let absent = !expected.kv.contains_key(&name(k));
            assert_eq!(kv.put_if_absent(&name(k), v).await.unwrap(), absent);
            expected.kv.entry(name(k)).or_insert((v, until));
        }
        Action::Replace(k, old, new) => {
            let as_expected = expected.kv.get(&name(k)).is_some_and(|(v, _)| *v == old);
            assert_eq!(kv.replace(&name(k), &old, new).await.unwrap(), as_expected);
            if as_expected {
                expected.kv.insert(name(k), (new, until));
            }
        }
        Action::DeleteIf(k, old) => {
            let as_expected = expected.kv.get(&name(k)).is_some_and(|(v, _)| *v == old);
            assert_eq!(kv.delete_if(&name(k), &old).await.unwrap(), as_expected);
            if as_expected {
                expected.kv.remove(&name(k));
            }
        }
        Action::Append(k, values) => {
            list.append_all(&name(k), values.clone()).await.unwrap();
            if !values.is_empty() {
                let (elements, expiry) = expected.list.entry(name(k)).or_default();
                elements.extend(values);
                *expiry = until;
            }
        }
        Action::ReplaceList(k, values) => {
            list.put(&name(k), values.clone()).await.unwrap();
            expected.list.insert(name(k), (values, until));
        }
        Action::Pop(k) => {
            let first = expected.list.get_mut(&name(k)).map(|(elements, _)| elements.remove(0));
            assert_eq!(list.pop_front(&name(k)).await.unwrap(), first);
        }
        Action::PutEntry(k, s, v) => {
            map.put(&name(k), &s, v).await.unwrap();
            expected.map.insert((name(k), s), (v, until));
        }
        Action::UpdateEntry(k, s) => {
            map.update(&name(k), &s, |v| Ok(v.map_or(0, |v| (v + 1) % 3))).await.unwrap();
            let next = expected.map.get(&(name(k), s)).map_or(0, |(v, _)| (v + 1) % 3);
            expected.map.insert((name(k), s), (next, until));
        }
        Action::RemoveKey(k) => {
            map.remove_key(&name(k)).await.unwrap();
            expected.map.retain(|(key, _), _| *key != name(k));
        }
        Action::Batch(k, v) => {
            let mut batch = WriteBatch::new();
            batch.put(kv, &name(k), v).unwrap();
            batch.put_entry(map, &name(k), &0, v).unwrap();
            batch.append(list, &name(k), v).unwrap();
            batch.commit().await.unwrap();
            expected.kv.insert(name(k), (v, until));
            expected.map.insert((name(k), 0), (v, until));
            let (elements, expiry) = expected.list.entry(name(k)).or_default();
            elements.push(v);
            *expiry = until;
        }
        Action::Compact => drop(opened.manager.compact().await.unwrap()),
        Action::Advance(_)
        | Action::Finish { .. }
        | Action::Drop
        | Action::Reopen
        | Action::Archive
        | Action::Recover => unreachable!("the driver's"),
    }
    expected.expire(now);
}

/// States with a TTL; few key groups, so that scans and pages see several keys of one.
fn descriptor(place: &Place, (buffer, cache): (usize, usize)) -> Descriptor {
    let lived = |model| StateDescriptor::new(model).ttl(TTL);
    let mut descriptor = place
        .sized(buffer, cache)
        .state("kv", lived(Model::Kv))
        .state("list", lived(Model::List))
        .state("map", lived(Model::Map));
    descriptor.key_groups = 4;
    descriptor
}

async fn run(place: &Place, size: (usize, usize), actions: &[Action]) {
    let clock = Arc::new(ManualClock::new(Millis(START)));
    let open = async || place.builder(descriptor(place, size)).clock(clock.clone()).open().await.unwrap();
    let mut opened = Opened::of(open().await).await;
    let (mut expected, mut archived, mut id) = (Expected::default(), None, 0);
    for action in actions {
        match action {
            Action::Advance(by) => clock.advance(*by),
            Action::Finish { answer_is_lost } => {
                if *answer_is_lost {
                    place.faults.fail_commit(0, Fault::AnswerLost);
                }
                opened.manager.finish().await.unwrap();
                // Nothing may have been staged.
                place.faults.mend();
            }
            Action::Drop => {
                for state in ["kv", "list", "map"] {
                    opened.manager.drop_state(state).await.unwrap();
                }
                opened = Opened::of(opened.manager).await;
                expected = Expected::default();
            }
            Action::Reopen => {
                opened.manager.close().await.unwrap();
                opened = Opened::of(open().await).await;
            }
            Action::Archive => {
                id += 1;
                opened.manager.archive(CheckpointId(id), &Metadata::new()).await.unwrap();
                archived = Some((id, expected.clone()));
            }
            Action::Recover => {
                if let Some((id, then)) = &archived {
                    opened.manager.recover(CheckpointId(*id)).await.unwrap();
                    opened = Opened::of(opened.manager).await;
                    expected = then.clone();
                }
            }
            action => apply(&opened, &mut expected, clock.now().0, action).await,
        }
        expected.expire(clock.now().0);
        let looks = matches!(action, Action::Advance(_) | Action::Compact | Action::Drop | Action::Reopen);
        if looks || matches!(action, Action::Recover | Action::Batch(..)) {
            assert_eq!(opened.shown().await, expected.shown(), "after {action:?}");
            opened.check(&expected).await;
        }
    }
    opened.check(&expected).await;
    assert_eq!(opened.shown().await, expected.shown(), "in the end");
    opened.manager.close().await.unwrap();
}

#[test]
fn kv_6_random_actions_while_time_passes_agree_with_the_model_memory() {
    agrees("memory", 64, action(), &run);
}

#[cfg(feature = "rocksdb")]
#[test]
fn kv_6_random_actions_while_time_passes_agree_with_the_model_rocksdb() {
    agrees("rocksdb", 32, action(), &run);
}
