//! The streaming-state workload over the typed API: value, map and list rows.

use std::path::Path;

use bytes::Bytes;
use futures::{StreamExt, pin_mut};
use statehold::{
    Descriptor, Durability, Error, KeyListState, KeyMapState, KeyValueState, MemoryDescriptor, Model, Result,
    ScanOrder, StateDescriptor, StateManager, StoreDescriptor, ValueType,
};
use statehold_bench_kit::{
    input::{Values, permutation, uniform, zipf},
    op::head,
};

use crate::rows::Rows;

/// What the rows must read for n = 1,000,000.
pub(crate) const CHECKSUMS: &[(&str, u64)] = &[
    ("value_get_uniform", 0x94fc_9fba_0512_6816),
    ("value_get_zipf", 0x6193_7438_0791_30f1),
    ("value_get_absent", 500_000),
    ("value_rmw_uniform", 0x678d_63ab_56a8_01c4),
    ("value_rmw_zipf", 0x7c48_a9fa_a1c4_0e42),
    ("value_get_uniform_after_updates", 0x995d_f769_2aaa_09b6),
    ("value_scan_keys", 1_000_000),
    ("map_get_uniform", 0x99cb_a845_9763_4d93),
    ("map_contains_absent", 500_000),
    ("map_iterate_entries", 0xafa0_9b90_a9c0_009a),
    ("list_get_iterate_elems", 0x002a_66b8_0ef2_36ea),
    ("list_hot_get_1key", 0xd54e_1045_fcf1_a727),
];

/// Memory that the workload gives: half to the engine, the rest to staged rows and hot values.
pub(crate) const MEMORY: usize = 512 << 20;

/// A store of `kind` in `folder` with states for all rows.
pub(crate) fn descriptor(kind: &str, folder: &Path, memory: MemoryDescriptor) -> Descriptor {
    let mut store = StoreDescriptor::new(kind).durability(Durability::Visible);
    if kind == "rocksdb" {
        store = store.option("path", folder.join("store").to_string_lossy().into_owned());
    }
    let bytes = |model| StateDescriptor::new(model).codec("bytes");
    Descriptor::new("bench")
        .archive(&format!("file://{}", folder.join("archive").display()))
        .memory(memory)
        .store("store", store)
        .state("values", bytes(Model::Kv))
        .state("maps", bytes(Model::Map))
        .state("lists", bytes(Model::List))
        .state("hot", bytes(Model::List))
}

async fn get_all(state: &KeyValueState<u64, Bytes>, keys: &[u64]) -> Result<Option<u64>> {
    let mut sum = 0_u64;
    for key in keys {
        if let Some(value) = state.get(key).await? {
            sum = sum.wrapping_add(head(&value));
        }
    }
    Ok(Some(sum))
}

async fn read_modify_write(state: &KeyValueState<u64, Bytes>, keys: &[u64]) -> Result<Option<u64>> {
    let mut sum = 0_u64;
    for key in keys {
        let mut read = 0;
        state
            .update(key, |old| {
                let old = old.ok_or_else(|| Error::corrupt("a key of the workload is missing"))?;
                read = head(&old);
                let mut new = Vec::from(old);
                if let Some(last) = new.last_mut() {
                    *last = last.wrapping_add(1);
                }
                Ok(Bytes::from(new))
            })
            .await?;
        sum = sum.wrapping_add(read);
    }
    Ok(Some(sum))
}

/// Runs the value rows with `n` keys.
pub(crate) async fn values(manager: &StateManager, n: u64, rows: &mut Rows) -> Result<()> {
    let state = manager.key_value_of::<u64, Bytes>("values", ValueType::bytes()).await?;
    let values = Values::new(100);
    let order = permutation(n);
    let m = n as usize;
    let some = uniform(n, m, 1);
    let popular = zipf(&order, m, 4);
    let absent: Vec<u64> = some.iter().take(m / 2).map(|k| n + k).collect();

    let put_all = |keys: Vec<u64>, version: u64| {
        let (state, values) = (&state, &values);
        async move {
            for key in keys {
                state.put(&key, values.of(key, version)).await?;
            }
            Ok::<_, Error>(None)
        }
    };
    rows.time("value_insert", n, put_all(order.clone(), 0)).await?;
    rows.time("value_get_uniform", n, get_all(&state, &some)).await?;
    rows.time("value_get_zipf", n, get_all(&state, &popular)).await?;
    rows.time("value_get_absent", n / 2, async {
        let mut missing = 0;
        for key in &absent {
            missing += u64::from(state.get(key).await?.is_none());
        }
        Ok::<_, Error>(Some(missing))
    })
    .await?;
    rows.time("value_update_uniform", n, put_all(uniform(n, m, 2), 1)).await?;
    rows.time("value_update_zipf", n, put_all(zipf(&order, m, 5), 2)).await?;
    rows.time("value_rmw_uniform", n / 2, read_modify_write(&state, &uniform(n, m / 2, 3))).await?;
    rows.time("value_rmw_zipf", n / 2, read_modify_write(&state, &zipf(&order, m / 2, 6))).await?;
    rows.time("value_get_uniform_after_updates", n, get_all(&state, &some)).await?;
    rows.time("value_scan_keys", n, async {
        let keys = state.keys(ScanOrder::Group);
        pin_mut!(keys);
        let mut count = 0;
        while let Some(key) = keys.next().await {
            key?;
            count += 1;
        }
        Ok::<_, Error>(Some(count))
    })
    .await
}

/// Runs the map rows with `n` entries, 100 a key.
pub(crate) async fn maps(manager: &StateManager, n: u64, rows: &mut Rows) -> Result<()> {
    let state: KeyMapState<u64, u64, Bytes> = manager.key_map_of("maps", ValueType::bytes()).await?;
    let values = Values::new(100);
    let keys = n / 100;
    let order = permutation(keys);
    let m = n as usize;
    let pairs: Vec<(u64, u64)> = uniform(keys, m, 11).into_iter().zip(uniform(100, m, 12)).collect();

    rows.time("map_put_new", n, async {
        for sub in 0..100 {
            for key in &order {
                state.put(key, &sub, values.of(key * 1000 + sub, 0)).await?;
            }
        }
        Ok::<_, Error>(None)
    })
    .await?;
    rows.time("map_get_uniform", n, async {
        let mut sum = 0_u64;
        for (key, sub) in &pairs {
            if let Some(value) = state.get(key, sub).await? {
                sum = sum.wrapping_add(head(&value));
            }
        }
        Ok::<_, Error>(Some(sum))
    })
    .await?;
    rows.time("map_put_overwrite", n, async {
        for (key, sub) in &pairs {
            state.put(key, sub, values.of(key * 1000 + sub, 1)).await?;
        }
        Ok::<_, Error>(None)
    })
    .await?;
    rows.time("map_contains_absent", n / 2, async {
        let mut missing = 0;
        for (key, sub) in pairs.iter().take(m / 2) {
            missing += u64::from(!state.contains(key, &(sub + 100)).await?);
        }
        Ok::<_, Error>(Some(missing))
    })
    .await?;
    rows.time("map_iterate_entries", n, async {
        let mut sum = 0_u64;
        for key in 0..keys {
            for (sub, value) in state.entries(&key).await? {
                sum = sum.wrapping_add(head(&value)).wrapping_add(sub);
            }
        }
        Ok::<_, Error>(Some(sum))
    })
    .await
}

async fn read_list(state: &KeyListState<u64, Bytes>, key: u64) -> Result<u64> {
    let elements = state.get(&key).await?;
    Ok(elements.iter().fold(0_u64, |sum, value| sum.wrapping_add(head(value))))
}

/// Runs the list rows with `n` elements, 10 a key, and one list of n/10.
pub(crate) async fn lists(manager: &StateManager, n: u64, rows: &mut Rows) -> Result<()> {
    let state: KeyListState<u64, Bytes> = manager.key_list_of("lists", ValueType::bytes()).await?;
    let hot: KeyListState<u64, Bytes> = manager.key_list_of("hot", ValueType::bytes()).await?;
    let values = Values::new(100);
    let keys = n / 10;

    rows.time("list_add", n, async {
        for round in 0..10 {
            for key in 0..keys {
                state.append(&key, values.of(key * 1000 + round, 0)).await?;
            }
        }
        Ok::<_, Error>(None)
    })
    .await?;
    rows.time("list_get_iterate_elems", n, async {
        let mut sum = 0_u64;
        for key in 0..keys {
            sum = sum.wrapping_add(read_list(&state, key).await?);
        }
        Ok::<_, Error>(Some(sum))
    })
    .await?;
    rows.time("list_update_replace10", keys / 2, async {
        for key in 0..keys / 2 {
            state.put(&key, (0..10).map(|round| values.of(key * 1000 + round, 1))).await?;
        }
        Ok::<_, Error>(None)
    })
    .await?;
    rows.time("list_hot_add_1key", keys, async {
        for element in 0..keys {
            hot.append(&0, values.of(element, 2)).await?;
        }
        Ok::<_, Error>(None)
    })
    .await?;
    rows.time("list_hot_get_1key", keys, async { read_list(&hot, 0).await.map(Some) }).await
}
