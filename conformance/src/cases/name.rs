//! NAME: identity, limits, what the catalog refuses.

use statehold_core::{Address, ErrorKind, KeyGroup, KeyGroups, KeyShape, Limits, Model, Mutation, Name, Store};

use crate::{
    Case, Context,
    case::cases,
    failure::{Verdict, ensure, ensure_eq, refused},
    state::{State, bytes, commit, spec},
};

pub(super) const CASES: &[Case] = cases![Functional:
    name_1_states_whose_names_share_a_prefix_stay_apart,
    name_1_namespaces_whose_names_share_a_prefix_stay_apart,
    name_1_keys_that_share_a_prefix_stay_apart,
    name_1_names_that_are_not_names_are_refused,
    name_1_the_longest_name_works,
    name_1_a_store_holds_a_thousand_states,
    name_2_keys_and_values_hold_any_bytes,
    name_2_subkeys_hold_any_bytes,
    name_2_an_empty_key_is_refused,
    name_2_a_key_at_the_limit_works_and_one_over_is_refused,
    name_2_a_subkey_at_the_limit_works_and_one_over_is_refused,
    name_2_a_value_at_the_limit_works_and_one_over_is_refused,
    name_2_a_value_of_sixteen_mebibytes_works,
    name_2_a_batch_at_the_limit_works_and_one_over_is_refused,
    name_2_an_element_over_the_limit_is_refused,
    name_3_another_number_of_key_groups_is_refused(Persistent),
    name_3_a_group_of_another_owner_is_refused,
    name_4_the_same_spec_is_the_same_state,
    name_4_another_spec_is_refused_and_both_are_named,
    name_4_another_spec_is_refused_after_reopen(Persistent),
    name_4_a_state_keeps_its_number_across_reopen(Persistent),
    name_4_a_higher_schema_version_upgrades_and_no_lower_one_follows,
    name_4_the_catalog_lists_what_was_registered,
];

async fn name_1_states_whose_names_share_a_prefix_stay_apart(cx: &Context) -> Verdict {
    let store = cx.open().await?;
    let mut states = Vec::new();
    for name in ["a", "ab", "a.b", "a-b", "a_", "A", "aa", "0"] {
        let state = State::register(&store, name, Model::Kv, |_| {}).await?;
        state.put("key", name).await?;
        state.put(format!("only in {name}"), name).await?;
        states.push(state);
    }
    for state in &states {
        let name = &state.spec.name;
        ensure_eq!(state.get("key").await?, Some(bytes(name)), "`key` of state `{name}`");
        let mut expected = [bytes("key"), bytes(format!("only in {name}"))];
        expected.sort();
        ensure_eq!(state.keys().await?, expected, "the keys of state `{name}`");
        for other in states.iter().filter(|other| other.id != state.id) {
            let key = format!("only in {}", other.spec.name);
            ensure_eq!(state.get(&key).await?, None, "`{key}` in state `{name}`");
        }
    }
    Ok(())
}

async fn name_1_namespaces_whose_names_share_a_prefix_stay_apart(cx: &Context) -> Verdict {
    let mut states = Vec::new();
    for namespace in ["orders", "orders2", "orders.eu", "order"] {
        let name = Name::new(namespace)?;
        let store = cx.open_with(|request| request.namespace = name).await?;
        let state = State::register(&store, "state", Model::Kv, |_| {}).await?;
        state.put("key", namespace).await?;
        state.put(format!("only in {namespace}"), "").await?;
        states.push((namespace, state));
    }
    for (namespace, state) in &states {
        ensure_eq!(state.get("key").await?, Some(bytes(namespace)), "`key` of namespace `{namespace}`");
        ensure_eq!(state.entries().await?.len(), 2, "the number of entries of namespace `{namespace}`");
    }
    let [(_, first), (_, second), ..] = &states[..] else { return Ok(()) };
    first.store.drop_state(first.id).await?;
    ensure_eq!(second.get("key").await?, Some(bytes("orders2")), "`orders2` after a drop in `orders`");
    Ok(())
}

async fn name_1_keys_that_share_a_prefix_stay_apart(cx: &Context) -> Verdict {
    let map = cx.map().await?;
    let keys: [&[u8]; 8] = [b"a", b"a\0", b"a\0\0", b"a\0\x01", b"a\x01", b"a\xFF", b"a\0\xFF", b"\0"];
    for key in keys {
        map.put_all([(key, &b""[..], key), (key, b"\0", key), (key, b"\xFF", key), (key, b"\0\xFF", key)]).await?;
    }
    for key in keys {
        let subs: Vec<_> = map.subs(key).await?.into_iter().map(|(sub, payload)| (payload, sub)).collect();
        let expected = [&b""[..], b"\0", b"\0\xFF", b"\xFF"].map(|sub| (bytes(key), bytes(sub)));
        ensure_eq!(subs, expected, "the subkeys of key `{}`", key.escape_ascii());
    }
    map.commit(map.removing(b"a")).await?;
    ensure_eq!(map.entries().await?.len(), 4 * (keys.len() - 1), "the number of entries after key `a` was removed");
    Ok(())
}

async fn name_1_names_that_are_not_names_are_refused(cx: &Context) -> Verdict {
    let store = cx.open().await?;
    let long = "x".repeat(129);
    for name in ["", ".", "-a", "../etc", "a/b", "a b", "a\0", "ä", "a\n", &long] {
        ensure!(Name::new(name).is_err(), "`{}` passes for a name", name.escape_debug());
        let forged = spec("state", Model::Kv, |s| s.name = name.to_owned())?;
        let what = format!("a state named `{}`", name.escape_debug());
        refused(store.register(&forged).await, ErrorKind::InvalidInput, &what)?;
    }
    ensure_eq!(store.states().await?.len(), 0, "the number of states in the catalog");
    Ok(())
}

async fn name_1_the_longest_name_works(cx: &Context) -> Verdict {
    let store = cx.open().await?;
    for name in ["x".repeat(128), format!("{}y", "x".repeat(127)), "_".into(), "9.-_".into()] {
        let state = State::register(&store, &name, Model::Kv, |_| {}).await?;
        state.put("key", &name).await?;
        ensure_eq!(state.get("key").await?, Some(bytes(&name)), "`key` of state `{name}`");
        ensure_eq!(state.entries().await?.len(), 1, "the number of entries of state `{name}`");
    }
    Ok(())
}

async fn name_1_a_store_holds_a_thousand_states(cx: &Context) -> Verdict {
    let store = cx.open().await?;
    let mut states = Vec::new();
    for i in 0..1000 {
        let state = State::register(&store, &format!("state{i}"), Model::Kv, |_| {}).await?;
        state.put("key", i.to_string()).await?;
        states.push(state);
    }
    ensure_eq!(store.states().await?.len(), 1000, "the number of states in the catalog");
    for (i, state) in states.iter().enumerate() {
        ensure_eq!(state.get("key").await?, Some(bytes(i.to_string())), "`key` of state {i}");
        ensure_eq!(state.entries().await?.len(), 1, "the number of entries of state {i}");
    }
    Ok(())
}

async fn name_2_keys_and_values_hold_any_bytes(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let mut dice = cx.dice();
    let mut keys: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    keys.extend((0..256).map(|_| dice.bytes(1, 8)));
    keys.extend([vec![0; 64], vec![0xFF; 64], (0..=255).collect()]);
    keys.sort();
    keys.dedup();
    let payloads: Vec<Vec<u8>> = keys.iter().map(|_| dice.bytes(0, 32)).collect();
    kv.put_all(keys.iter().zip(&payloads).map(|(key, payload)| (key, b"", payload))).await?;
    for (key, payload) in keys.iter().zip(&payloads) {
        ensure_eq!(kv.get(key).await?, Some(bytes(payload)), "the value of key `{}`", key.escape_ascii());
    }
    let expected: Vec<_> = keys.iter().map(bytes).collect();
    ensure_eq!(kv.keys().await?, expected, "all keys");
    Ok(())
}

async fn name_2_subkeys_hold_any_bytes(cx: &Context) -> Verdict {
    let map = cx.map().await?;
    let mut subs: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    subs.extend([vec![], vec![0, 0], vec![0, 0xFF], vec![0, 1], vec![0xFF, 0xFF], vec![0xFF, 0]]);
    subs.sort();
    map.put_all(subs.iter().map(|sub| (b"\0key\0", sub, sub))).await?;
    for sub in &subs {
        ensure_eq!(map.get_sub(b"\0key\0", sub).await?, Some(bytes(sub)), "subkey `{}`", sub.escape_ascii());
    }
    let expected: Vec<_> = subs.iter().map(|sub| (bytes(sub), bytes(sub))).collect();
    ensure_eq!(map.subs(b"\0key\0").await?, expected, "all subkeys");
    Ok(())
}

async fn name_2_an_empty_key_is_refused(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put("key", "").await?;
    ensure_eq!(kv.get("key").await?, Some(bytes("")), "an empty value");
    refused(kv.put("", "value").await, ErrorKind::InvalidInput, "a put under the empty key")?;
    refused(kv.delete("").await, ErrorKind::InvalidInput, "a delete of the empty key")?;
    let empty = Address { key: bytes(""), ..kv.at("key", "") };
    let both = vec![Mutation::Put(empty, kv.seal(b"", b"", b"x", None)), kv.putting("key", "", "changed")];
    refused(commit(&*kv.store, both).await, ErrorKind::InvalidInput, "a batch with an empty key in it")?;
    ensure_eq!(kv.get("key").await?, Some(bytes("")), "the other record of the refused batch");
    Ok(())
}

async fn name_2_a_key_at_the_limit_works_and_one_over_is_refused(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let limit = kv.store.limits().key;
    ensure_eq!(limit, 1024, "the default limit of keys");
    let key = vec![0xFF; limit];
    kv.put(&key, "at the limit").await?;
    ensure_eq!(kv.get(&key).await?, Some(bytes("at the limit")), "the value under a key at the limit");
    let over = vec![0xFF; limit + 1];
    refused(kv.put(&over, "over").await, ErrorKind::LimitExceeded, "a key one byte over the limit")?;
    ensure_eq!(kv.keys().await?, [bytes(&key)], "all keys");
    Ok(())
}

async fn name_2_a_subkey_at_the_limit_works_and_one_over_is_refused(cx: &Context) -> Verdict {
    let map = cx.map().await?;
    let limit = map.store.limits().sub;
    ensure_eq!(limit, 1024, "the default limit of subkeys");
    // Zero bytes: an escaping layout doubles them, and must still take the limit.
    for byte in [0, 0xFF] {
        let (key, sub) = (vec![byte; map.store.limits().key], vec![byte; limit]);
        map.put_sub(&key, &sub, "at the limit").await?;
        ensure_eq!(map.get_sub(&key, &sub).await?, Some(bytes("at the limit")), "a subkey at the limit");
        let over = vec![byte; limit + 1];
        refused(map.put_sub(&key, &over, "").await, ErrorKind::LimitExceeded, "a subkey one byte over the limit")?;
        ensure_eq!(map.subs(&key).await?.len(), 1, "the number of subkeys");
    }
    Ok(())
}

async fn name_2_a_value_at_the_limit_works_and_one_over_is_refused(cx: &Context) -> Verdict {
    let limits = Limits { value: 4096, ..Limits::default() };
    let store = cx.open_with(|request| request.limits = limits).await?;
    ensure_eq!(store.limits(), limits, "the limits of a store opened with others");
    let kv = State::register(&store, "state", Model::Kv, |_| {}).await?;
    let keys = kv.neighbours("key", 2);
    let payload = vec![7; 4096];
    kv.put(&keys[0], &payload).await?;
    ensure_eq!(kv.get(&keys[0]).await?, Some(bytes(&payload)), "a value at the limit");
    let over = vec![8; 4097];
    let both = vec![kv.putting(&keys[0], "", "changed"), kv.putting(&keys[1], "", &over)];
    refused(commit(&*store, both).await, ErrorKind::LimitExceeded, "a value one byte over the limit")?;
    ensure_eq!(kv.get(&keys[0]).await?, Some(bytes(&payload)), "the other record of the refused batch");
    ensure_eq!(kv.get(&keys[1]).await?, None, "the record over the limit");
    Ok(())
}

async fn name_2_a_value_of_sixteen_mebibytes_works(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let payload = bytes(vec![0xA5; Limits::default().value]);
    kv.put("key", &payload).await?;
    ensure!(kv.get("key").await? == Some(payload), "the value does not come back");
    Ok(())
}

async fn name_2_a_batch_at_the_limit_works_and_one_over_is_refused(cx: &Context) -> Verdict {
    let limits = Limits { batch: 10_000, ..Limits::default() };
    let store = cx.open_with(|request| request.limits = limits).await?;
    let kv = State::register(&store, "state", Model::Kv, |_| {}).await?;
    let keys = kv.neighbours("key", 2);
    let filling = |missing: usize| {
        let mut mutations: Vec<Mutation> = keys.iter().map(|key| kv.putting(key, "", vec![1; 4000])).collect();
        let size: usize = mutations.iter().map(Mutation::size).sum();
        let rest = kv.neighbours("rest", 1).remove(0);
        let head = rest.len() + statehold_core::Envelope::BYTES;
        mutations.push(kv.putting(&rest, "", vec![2; limits.batch + missing - size - head]));
        mutations
    };
    refused(commit(&*store, filling(1)).await, ErrorKind::LimitExceeded, "a batch one byte over the limit")?;
    ensure_eq!(kv.entries().await?.len(), 0, "the number of entries after the refusal");
    commit(&*store, filling(0)).await?;
    ensure_eq!(kv.entries().await?.len(), 3, "the number of entries of a batch at the limit");
    Ok(())
}

async fn name_2_an_element_over_the_limit_is_refused(cx: &Context) -> Verdict {
    let store = cx.open_with(|request| request.limits.value = 100).await?;
    let list = State::register(&store, "state", Model::List, |_| {}).await?;
    list.append("key", &[vec![1; 100]]).await?;
    let result = list.append("key", &[vec![2; 1], vec![3; 101]]).await;
    refused(result, ErrorKind::LimitExceeded, "an element one byte over the limit")?;
    ensure_eq!(list.elements("key").await?, [bytes([1; 100])], "the list after the refusal");
    Ok(())
}

async fn name_3_another_number_of_key_groups_is_refused(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put("key", "value").await?;
    kv.store.close().await?;
    for total in [1, 2, 8, 32_768] {
        let groups = KeyGroups::all(total)?;
        let result = cx.open_with(|request| request.groups = groups).await;
        refused(result, ErrorKind::InvalidInput, &format!("key_groups = {total} on data written with 4"))?;
    }
    let store = cx.open().await?;
    ensure_eq!(kv.again(&store).await?.get("key").await?, Some(bytes("value")), "`key` after the refusals");
    Ok(())
}

async fn name_3_a_group_of_another_owner_is_refused(cx: &Context) -> Verdict {
    let groups = KeyGroups::new(1..3, 4)?;
    let store = cx.open_with(|request| request.groups = groups).await?;
    ensure_eq!(store.groups(), groups, "the groups of a store opened for some");
    let kv = State::register(&store, "state", Model::Kv, |_| {}).await?;
    for i in 0..64 {
        let key = format!("key{i}");
        let owned = groups.contains(KeyGroup::of(key.as_bytes(), 4));
        let result = kv.put(&key, "value").await;
        if owned {
            result?;
        } else {
            refused(result, ErrorKind::InvalidInput, "a write to a group that the store does not own")?;
        }
    }
    Ok(())
}

async fn name_4_the_same_spec_is_the_same_state(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put("key", "value").await?;
    let again = kv.again(&kv.store).await?;
    ensure_eq!(again.id, kv.id, "the state's number when registered again");
    ensure_eq!(again.get("key").await?, Some(bytes("value")), "`key` through the second registration");
    ensure_eq!(kv.store.states().await?.len(), 1, "the number of states");
    Ok(())
}

/// Registers `state` as many other types and checks the refusals.
async fn refuse_others(store: &std::sync::Arc<dyn Store>) -> Verdict {
    let plain = spec("state", Model::Kv, |_| {})?;
    let others = [
        (spec("state", Model::List, |_| {})?, "Kv", "List"),
        (spec("state", Model::Map, |_| {})?, "Kv", "Map"),
        (spec("state", Model::Kv, |s| s.codec = "json".into())?, "bytes", "json"),
        (spec("state", Model::Kv, |s| s.key_type = "u64".into())?, "bytes", "u64"),
        (spec("state", Model::Kv, |s| s.key_shape = KeyShape::Fixed(8))?, "", ""),
        (spec("state", Model::Kv, |s| s.fingerprint = 0xABCD)?, "0000000000000000", "000000000000abcd"),
        (spec("state", Model::Kv, |s| s.revisions = true)?, "false", "true"),
        (spec("state", Model::Kv, |s| s.ttl = true)?, "false", "true"),
    ];
    for (other, stored, asked) in others {
        // What the engine does not do at all is refused as that.
        let kinds = [ErrorKind::Conflict, ErrorKind::Unsupported];
        let error = crate::failure::refused_as(
            store.register(&other).await,
            &kinds,
            &format!("opening {plain:?} as {other:?}"),
        )?;
        if error.kind() == ErrorKind::Conflict {
            let text = error.to_string();
            ensure!(text.contains(stored) && text.contains(asked), "`{text}` does not name {stored:?} and {asked:?}");
        }
    }
    let state = State::of_spec(store, plain).await?;
    ensure_eq!(state.get("key").await?, Some(bytes("value")), "`key` after the refusals");
    Ok(())
}

async fn name_4_another_spec_is_refused_and_both_are_named(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put("key", "value").await?;
    refuse_others(&kv.store).await
}

async fn name_4_another_spec_is_refused_after_reopen(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put("key", "value").await?;
    let store = cx.reopen(kv.store).await?;
    refuse_others(&store).await
}

async fn name_4_a_state_keeps_its_number_across_reopen(cx: &Context) -> Verdict {
    let store = cx.open().await?;
    for name in ["c", "a", "b"] {
        State::register(&store, name, Model::Kv, |_| {}).await?;
    }
    // A commit that is sent again after reopen names its states by number.
    let before = store.states().await?;
    let store = cx.reopen(store).await?;
    ensure_eq!(store.states().await?, before, "the catalog after reopen");
    Ok(())
}

async fn name_4_a_higher_schema_version_upgrades_and_no_lower_one_follows(cx: &Context) -> Verdict {
    let old = cx.state(Model::Kv, |s| (s.schema_version, s.fingerprint) = (1, 11)).await?;
    old.put("key", "value").await?;
    let newer = spec("state", Model::Kv, |s| (s.schema_version, s.fingerprint) = (2, 22))?;
    let new = State::of_spec(&old.store, newer.clone()).await?;
    ensure_eq!(new.get("key").await?, Some(bytes("value")), "`key` after the upgrade");
    ensure_eq!(new.store.states().await?, vec![(new.id, newer.clone())], "the catalog after the upgrade");
    refused(old.again(&old.store).await.map(drop), ErrorKind::Conflict, "the old schema version after the upgrade")?;
    if cx.capabilities.persistent {
        let store = cx.reopen(new.store).await?;
        let result = old.again(&store).await.map(drop);
        refused(result, ErrorKind::Conflict, "the old schema version after upgrade and reopen")?;
        State::of_spec(&store, newer).await?;
    }
    Ok(())
}

async fn name_4_the_catalog_lists_what_was_registered(cx: &Context) -> Verdict {
    let mut store = cx.open().await?;
    let mut expected = Vec::new();
    for (name, model) in [("b", Model::Map), ("a", Model::Kv), ("c", Model::List)] {
        let spec = spec(name, model, |s| s.fingerprint = 7)?;
        store.register(&spec).await?;
        expected.push(spec);
    }
    expected.sort_by(|a, b| a.name.cmp(&b.name));
    let listed: Vec<_> = store.states().await?.into_iter().map(|(_, spec)| spec).collect();
    ensure_eq!(listed, expected, "the catalog, by name");
    if cx.capabilities.persistent {
        store = cx.reopen(store).await?;
        let listed: Vec<_> = store.states().await?.into_iter().map(|(_, spec)| spec).collect();
        ensure_eq!(listed, expected, "the catalog after reopen");
    }
    Ok(())
}
