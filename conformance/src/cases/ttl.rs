//! KV-6: expiry.

use bytes::Bytes;
use statehold_core::{ArchiveStep, Condition, KeyGroup, Millis, Model, PageLimit, Row, ScanRequest};

use crate::{
    Case, Context,
    case::cases,
    context::START,
    failure::{Failure, Verdict, ensure, ensure_eq},
    state::{State, bytes, commit_if},
    tape::Tape,
};

pub(super) const CASES: &[Case] = cases![Functional:
    kv_6_a_record_is_there_until_the_instant_before(Ttl),
    kv_6_expired_at_the_very_instant(Ttl),
    kv_6_an_expired_record_is_in_no_read(Ttl),
    kv_6_an_expired_record_counts_as_absent_in_conditions(Ttl),
    kv_6_an_expiry_in_the_past_is_expired_at_once(Ttl),
    kv_6_reads_show_the_expiry(Ttl),
    kv_6_a_rewrite_sets_the_expiry_anew(Ttl),
    kv_6_a_page_of_expired_rows_does_not_end_the_scan(Ttl),
    kv_6_subkeys_expire_one_by_one(Ttl),
    kv_6_a_list_expires_as_a_whole(Ttl),
    kv_6_an_append_sets_the_lists_expiry_anew(Ttl),
    kv_6_an_append_to_an_expired_list_begins_anew(Ttl),
    kv_6_an_expired_list_is_in_no_read(Ttl),
    kv_6_a_trimmed_list_keeps_its_expiry(Ttl),
    kv_6_expiries_survive_reopen(Ttl, Persistent),
    kv_6_a_clock_that_goes_back_revives_nothing_after_compact(Ttl),
    kv_6_a_clock_that_goes_back_revives_nothing_after_a_cut(Ttl, Snapshots),
    kv_6_the_floor_of_time_survives_reopen(Ttl, Persistent),
    kv_6_a_snapshot_judges_by_its_own_instant(Ttl, Snapshots),
    kv_6_an_archive_holds_nothing_expired(Ttl, Snapshots),
    kv_6_expiries_survive_recovery(Ttl, Snapshots, Loading),
    kv_6_list_expiries_survive_recovery(Ttl, Snapshots, Loading),
    kv_6_a_recovered_store_does_not_go_back_behind_the_cut(Ttl, Loading),
];

/// An instant `millis` after the case began.
fn after(millis: u64) -> Millis {
    Millis(START.0 + millis)
}

async fn expiring(cx: &Context, model: Model) -> Result<State, Failure> {
    Ok(cx.state(model, |s| s.ttl = true).await?)
}

async fn kv_6_a_record_is_there_until_the_instant_before(cx: &Context) -> Verdict {
    let kv = expiring(cx, Model::Kv).await?;
    kv.put_until("key", "value", after(100)).await?;
    for millis in [0, 1, 50, 99] {
        cx.clock.set(after(millis));
        ensure_eq!(kv.get("key").await?, Some(bytes("value")), "`key` {millis} of 100 ms later");
    }
    Ok(())
}

async fn kv_6_expired_at_the_very_instant(cx: &Context) -> Verdict {
    let kv = expiring(cx, Model::Kv).await?;
    kv.put_until("key", "value", after(100)).await?;
    cx.clock.set(after(100));
    ensure_eq!(kv.get("key").await?, None, "`key` at the instant of its expiry");
    Ok(())
}

async fn kv_6_an_expired_record_is_in_no_read(cx: &Context) -> Verdict {
    let kv = expiring(cx, Model::Kv).await?;
    kv.put_until("key", "value", after(100)).await?;
    kv.put_until("later", "value", after(300)).await?;
    kv.put("for ever", "value").await?;
    cx.clock.set(after(200));
    ensure_eq!(kv.get("key").await?, None, "an expired record");
    let at = ["key", "later", "for ever"].map(|key| kv.at(key, ""));
    let found: Vec<_> = kv.get_many(&at).await?.iter().map(Option::is_some).collect();
    ensure_eq!(found, [false, true, true], "what get_many finds");
    ensure_eq!(kv.keys().await?, [bytes("for ever"), bytes("later")], "what scans show");
    Ok(())
}

async fn kv_6_an_expired_record_counts_as_absent_in_conditions(cx: &Context) -> Verdict {
    let kv = expiring(cx, Model::Kv).await?;
    kv.put_until("key", "value", after(100)).await?;
    cx.clock.set(after(100));
    for condition in [Condition::Present, Condition::ValueIs(bytes("value"))] {
        let result =
            commit_if(&*kv.store, vec![(kv.at("key", ""), condition.clone())], vec![kv.putting("key", "", "x")]).await;
        ensure!(result.is_err(), "{condition:?} holds of an expired record");
    }
    let absent = vec![(kv.at("key", ""), Condition::Absent)];
    commit_if(&*kv.store, absent, vec![kv.putting("key", "", "new")]).await?;
    ensure_eq!(kv.get("key").await?, Some(bytes("new")), "`key` put where an expired record was");
    Ok(())
}

async fn kv_6_an_expiry_in_the_past_is_expired_at_once(cx: &Context) -> Verdict {
    let kv = expiring(cx, Model::Kv).await?;
    for expires_at in [Millis(0), Millis(1), after(0)] {
        kv.put("key", "old").await?;
        kv.put_until("key", "new", expires_at).await?;
        ensure_eq!(kv.get("key").await?, None, "`key` with expiry {expires_at:?} at {START:?}");
    }
    Ok(())
}

async fn kv_6_reads_show_the_expiry(cx: &Context) -> Verdict {
    let kv = expiring(cx, Model::Kv).await?;
    // The greatest instants too: none of them may pass for "never".
    let instants = [None, Some(after(1)), Some(Millis(u64::MAX - 1)), Some(Millis(1 << 63))];
    for (i, expires_at) in instants.into_iter().enumerate() {
        let key = format!("key{i}");
        kv.commit(kv.putting_until(&key, "", "value", expires_at)).await?;
        let found = kv.cell(&key, "").await?.map(|cell| cell.expires_at);
        ensure_eq!(found, Some(expires_at), "the expiry of `{key}` in a get");
        let rows = statehold_core::collect(&*kv.store, kv.scan_key(&key)).await?;
        let scanned: Vec<_> = rows.iter().map(|row| row.cell.expires_at).collect();
        ensure_eq!(scanned, [expires_at], "the expiry of `{key}` in a scan");
    }
    Ok(())
}

async fn kv_6_a_rewrite_sets_the_expiry_anew(cx: &Context) -> Verdict {
    let kv = expiring(cx, Model::Kv).await?;
    for key in ["longer", "shorter", "for ever"] {
        kv.put_until(key, "old", after(100)).await?;
    }
    kv.put_until("longer", "new", after(200)).await?;
    kv.put_until("shorter", "new", after(50)).await?;
    kv.put("for ever", "new").await?;
    cx.clock.set(after(50));
    ensure_eq!(kv.keys().await?, [bytes("for ever"), bytes("longer")], "the keys at 50 ms");
    cx.clock.set(after(199));
    ensure_eq!(kv.keys().await?, [bytes("for ever"), bytes("longer")], "the keys at 199 ms");
    cx.clock.set(Millis(u64::MAX - 1));
    ensure_eq!(kv.keys().await?, [bytes("for ever")], "the keys at the end of time");
    Ok(())
}

async fn kv_6_a_page_of_expired_rows_does_not_end_the_scan(cx: &Context) -> Verdict {
    let kv = expiring(cx, Model::Kv).await?;
    let mut keys = kv.neighbours("key", 300);
    keys.sort();
    for (i, key) in keys.iter().enumerate() {
        let expires_at = if i == 0 || i == 299 { after(1000) } else { after(10) };
        kv.put_until(key, "value", expires_at).await?;
    }
    cx.clock.set(after(10));
    for rows in [1, 2, 50] {
        let limit = PageLimit { rows, ..PageLimit::default() };
        let found = kv.collect(ScanRequest { limit, ..kv.scan(KeyGroup(0)) }).await?;
        let found: Vec<_> = found.into_iter().map(|entry| entry.key).collect();
        ensure_eq!(found, [keys[0].clone(), keys[299].clone()], "the live keys, in pages of {rows}");
    }
    Ok(())
}

async fn kv_6_subkeys_expire_one_by_one(cx: &Context) -> Verdict {
    let map = expiring(cx, Model::Map).await?;
    for (sub, expires_at) in [("a", Some(after(10))), ("b", Some(after(20))), ("c", None)] {
        map.commit(map.putting_until("key", sub, sub, expires_at)).await?;
    }
    for (millis, expected) in [(9, &["a", "b", "c"][..]), (10, &["b", "c"]), (20, &["c"])] {
        cx.clock.set(after(millis));
        let subs: Vec<_> = map.subs("key").await?.into_iter().map(|(sub, _)| sub).collect();
        let expected: Vec<_> = expected.iter().map(bytes).collect();
        ensure_eq!(subs, expected, "the subkeys at {millis} ms");
    }
    Ok(())
}

async fn append_until(list: &State, key: &str, payloads: &[&str], expires_at: Option<Millis>) -> Verdict {
    list.commit(list.appending(key, payloads, expires_at)).await?;
    Ok(())
}

async fn kv_6_a_list_expires_as_a_whole(cx: &Context) -> Verdict {
    let list = expiring(cx, Model::List).await?;
    append_until(&list, "key", &["1", "2"], Some(after(100))).await?;
    cx.clock.set(after(99));
    ensure_eq!(list.elements("key").await?, [bytes("1"), bytes("2")], "the list the instant before");
    cx.clock.set(after(100));
    ensure_eq!(list.elements("key").await?, [] as [Bytes; 0], "the list at the instant of its expiry");
    Ok(())
}

async fn kv_6_an_append_sets_the_lists_expiry_anew(cx: &Context) -> Verdict {
    let list = expiring(cx, Model::List).await?;
    let both = [bytes("1"), bytes("2")];
    for (key, second) in [("longer", Some(after(200))), ("shorter", Some(after(50))), ("for ever", None)] {
        append_until(&list, key, &["1"], Some(after(100))).await?;
        append_until(&list, key, &["2"], second).await?;
    }
    cx.clock.set(after(49));
    ensure_eq!(list.elements("shorter").await?, both, "the list whose expiry was brought forward, before it");
    cx.clock.set(after(50));
    ensure_eq!(list.elements("shorter").await?, [] as [Bytes; 0], "the list whose expiry was brought forward");
    cx.clock.set(after(199));
    ensure_eq!(list.elements("longer").await?, both, "the list whose expiry was put off");
    cx.clock.set(after(200));
    ensure_eq!(list.elements("longer").await?, [] as [Bytes; 0], "the list whose expiry was put off, at it");
    ensure_eq!(list.elements("for ever").await?, both, "the list whose expiry was taken away");
    Ok(())
}

async fn kv_6_an_append_to_an_expired_list_begins_anew(cx: &Context) -> Verdict {
    let list = expiring(cx, Model::List).await?;
    append_until(&list, "key", &["old", "older"], Some(after(10))).await?;
    append_until(&list, "key\0", &["neighbour"], None).await?;
    cx.clock.set(after(10));
    append_until(&list, "key", &["new"], Some(after(100))).await?;
    ensure_eq!(list.elements("key").await?, [bytes("new")], "a list that had expired before the append");
    ensure_eq!(list.elements("key\0").await?, [bytes("neighbour")], "the list of the next key");
    Ok(())
}

async fn kv_6_an_expired_list_is_in_no_read(cx: &Context) -> Verdict {
    let list = expiring(cx, Model::List).await?;
    let keys = list.neighbours("key", 4);
    for (i, key) in keys.iter().enumerate() {
        let expires_at = (i % 2 == 0).then(|| after(10));
        list.commit(list.appending(key, &["1", "2", "3"], expires_at)).await?;
    }
    let rows = statehold_core::collect(&*list.store, list.scan(KeyGroup(0))).await?;
    ensure_eq!(rows.len(), 12, "the number of elements before any expiry");
    cx.clock.set(after(10));
    let gone: Vec<_> = rows.iter().filter(|row| row.key == keys[0] || row.key == keys[2]).collect();
    for row in gone {
        ensure_eq!(list.cell(&row.key, &row.sub).await?, None, "an element of an expired list");
    }
    for rows in [1, 2, 5] {
        let limit = PageLimit { rows, ..PageLimit::default() };
        let mut found = list.collect(ScanRequest { limit, ..list.scan(KeyGroup(0)) }).await?;
        ensure_eq!(found.len(), 6, "the number of elements scanned in pages of {rows}");
        found.retain(|entry| entry.key == keys[0] || entry.key == keys[2]);
        ensure!(found.is_empty(), "a scan in pages of {rows} shows expired elements: {found:?}");
    }
    Ok(())
}

async fn kv_6_a_trimmed_list_keeps_its_expiry(cx: &Context) -> Verdict {
    let list = expiring(cx, Model::List).await?;
    append_until(&list, "key", &["1", "2", "3"], Some(after(100))).await?;
    list.commit(list.trimming("key", 1)).await?;
    cx.clock.set(after(99));
    ensure_eq!(list.elements("key").await?, [bytes("2"), bytes("3")], "the trimmed list before its expiry");
    cx.clock.set(after(100));
    ensure_eq!(list.elements("key").await?, [] as [Bytes; 0], "the trimmed list at its expiry");
    Ok(())
}

async fn kv_6_expiries_survive_reopen(cx: &Context) -> Verdict {
    let kv = expiring(cx, Model::Kv).await?;
    let list = State::register(&kv.store, "list", Model::List, |s| s.ttl = true).await?;
    kv.put_until("key", "value", after(100)).await?;
    append_until(&list, "key", &["1"], Some(after(100))).await?;
    let store = cx.reopen(kv.store.clone()).await?;
    let (kv, list) = (kv.again(&store).await?, list.again(&store).await?);
    cx.clock.set(after(99));
    ensure!(kv.get("key").await?.is_some(), "the record is gone before its expiry");
    ensure_eq!(list.elements("key").await?, [bytes("1")], "the list before its expiry");
    cx.clock.set(after(100));
    ensure_eq!(kv.get("key").await?, None, "the record at its expiry");
    ensure_eq!(list.elements("key").await?, [] as [Bytes; 0], "the list at its expiry");
    Ok(())
}

async fn kv_6_a_clock_that_goes_back_revives_nothing_after_compact(cx: &Context) -> Verdict {
    let kv = expiring(cx, Model::Kv).await?;
    kv.put_until("key", "value", after(100)).await?;
    cx.clock.set(after(100));
    kv.store.compact().await?;
    cx.clock.set(after(0));
    ensure!(kv.store.now() >= after(100), "the store's time went back to {:?}", kv.store.now());
    ensure_eq!(kv.get("key").await?, None, "`key`, expired before the compaction");
    kv.put_until("new", "value", after(100)).await?;
    ensure_eq!(kv.get("new").await?, None, "`new`, whose expiry lies before the compaction");
    Ok(())
}

async fn kv_6_a_clock_that_goes_back_revives_nothing_after_a_cut(cx: &Context) -> Verdict {
    let kv = expiring(cx, Model::Kv).await?;
    kv.put_until("key", "value", after(100)).await?;
    cx.clock.set(after(100));
    let cut = kv.store.snapshot().await?.now();
    cx.clock.set(after(0));
    ensure!(cut >= after(100), "the cut was taken at {cut:?}, before its clock's {:?}", after(100));
    ensure!(kv.store.now() >= cut, "the store's time {:?} went back behind the cut", kv.store.now());
    ensure_eq!(kv.get("key").await?, None, "`key`, expired before the cut");
    ensure_eq!(kv.entries().await?.len(), 0, "the number of entries that scans show");
    Ok(())
}

async fn kv_6_the_floor_of_time_survives_reopen(cx: &Context) -> Verdict {
    let kv = expiring(cx, Model::Kv).await?;
    kv.put_until("key", "value", after(100)).await?;
    cx.clock.set(after(100));
    kv.store.compact().await?;
    cx.clock.set(after(0));
    let store = cx.reopen(kv.store.clone()).await?;
    ensure!(store.now() >= after(100), "the time went back to {:?} when the store was opened again", store.now());
    ensure_eq!(kv.again(&store).await?.get("key").await?, None, "`key`, expired before the compaction");
    Ok(())
}

async fn kv_6_a_snapshot_judges_by_its_own_instant(cx: &Context) -> Verdict {
    let kv = expiring(cx, Model::Kv).await?;
    kv.put_until("early", "value", after(10)).await?;
    kv.put_until("late", "value", after(100)).await?;
    cx.clock.set(after(10));
    let snapshot = kv.store.snapshot().await?;
    cx.clock.set(after(200));
    let keys: Vec<_> = kv.entries_of(&*snapshot).await?.into_iter().map(|entry| entry.key).collect();
    ensure_eq!(keys, [bytes("late")], "what the snapshot shows after both expired");
    let found = snapshot.get(&kv.at("late", "")).finish().await?;
    ensure!(found.is_some(), "the snapshot's get does not find what its scan shows");
    Ok(())
}

async fn kv_6_an_archive_holds_nothing_expired(cx: &Context) -> Verdict {
    let kv = expiring(cx, Model::Kv).await?;
    let list = State::register(&kv.store, "list", Model::List, |s| s.ttl = true).await?;
    kv.put_until("early", "value", after(10)).await?;
    kv.put_until("late", "value", after(100)).await?;
    append_until(&list, "early", &["1"], Some(after(10))).await?;
    append_until(&list, "late", &["1"], Some(after(100))).await?;
    cx.clock.set(after(10));
    let tape = Tape::record(&*kv.store, kv.store.groups()).await?;
    let archived = tape.keys();
    ensure!(archived.contains(&bytes("late")), "the archive lacks the live records: {archived:?}");
    ensure!(!archived.contains(&bytes("early")), "the archive holds expired records: {archived:?}");
    Ok(())
}

async fn kv_6_expiries_survive_recovery(cx: &Context) -> Verdict {
    let kv = expiring(cx, Model::Kv).await?;
    kv.put_until("key", "value", after(100)).await?;
    kv.put("for ever", "value").await?;
    let tape = Tape::record(&*kv.store, kv.store.groups()).await?;
    let there = cx.elsewhere()?;
    let store = there.open().await?;
    tape.restore(&*store, store.groups()).await?;
    let kv = kv.again(&store).await?;
    there.clock.set(after(99));
    ensure_eq!(kv.keys().await?, [bytes("for ever"), bytes("key")], "the keys before the expiry");
    there.clock.set(after(100));
    ensure_eq!(kv.keys().await?, [bytes("for ever")], "the keys at the expiry");
    Ok(())
}

async fn kv_6_list_expiries_survive_recovery(cx: &Context) -> Verdict {
    let list = expiring(cx, Model::List).await?;
    append_until(&list, "key", &["1", "2"], Some(after(100))).await?;
    append_until(&list, "for ever", &["1"], None).await?;
    let tape = Tape::record(&*list.store, list.store.groups()).await?;
    let there = cx.elsewhere()?;
    let store = there.open().await?;
    tape.restore(&*store, store.groups()).await?;
    let list = list.again(&store).await?;
    there.clock.set(after(99));
    ensure_eq!(list.elements("key").await?, [bytes("1"), bytes("2")], "the list before its expiry");
    there.clock.set(after(100));
    ensure_eq!(list.elements("key").await?, [] as [Bytes; 0], "the list at its expiry");
    ensure_eq!(list.elements("for ever").await?, [bytes("1")], "the list that never expires");
    Ok(())
}

async fn kv_6_a_recovered_store_does_not_go_back_behind_the_cut(cx: &Context) -> Verdict {
    let kv = expiring(cx, Model::Kv).await?;
    let row = |key: &str, expires_at| {
        let cell = kv.seal(key.as_bytes(), b"", b"value", Some(expires_at));
        Row { key: bytes(key), sub: bytes(""), cell }
    };
    // The cut's store had a clock that was ahead of this one's.
    let mut steps = vec![ArchiveStep::State(1, kv.spec.clone())];
    for (key, expires_at) in [("gone", after(5000)), ("there", after(5001))] {
        steps.push(ArchiveStep::Rows(1, kv.group(key.as_bytes()), vec![row(key, expires_at)]));
    }
    steps.sort_by_key(|step| if let ArchiveStep::Rows(_, group, _) = step { group.0 } else { 0 });
    steps.push(ArchiveStep::Floor(after(5000), 1));
    Tape { steps }.restore(&*kv.store, kv.store.groups()).await?;
    let mut store = kv.store.clone();
    for reopened in [false, true] {
        if reopened {
            if !cx.capabilities.persistent {
                break;
            }
            store = cx.reopen(store).await?;
        }
        let kv = kv.again(&store).await?;
        let now = store.now();
        ensure!(
            now >= after(5000),
            "the store's time is {now:?}, the cut's was {:?}; reopened: {reopened}",
            after(5000)
        );
        ensure_eq!(kv.get("gone").await?, None, "a record that had expired at the cut; reopened: {reopened}");
        ensure_eq!(kv.get("there").await?, Some(bytes("value")), "one that had not; reopened: {reopened}");
    }
    Ok(())
}
