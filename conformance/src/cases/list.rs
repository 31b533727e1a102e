//! LIST: elements in order.

use bytes::Bytes;
use statehold_core::{Envelope, Model, Ownership, PageLimit, Position, ScanRange, ScanRequest};

use crate::{
    Case, Context,
    case::cases,
    failure::{Verdict, ensure, ensure_eq},
    state::{State, bytes, commit},
    tape::Tape,
};

pub(super) const CASES: &[Case] = cases![Functional:
    list_1_appends_keep_their_order,
    list_1_one_append_keeps_the_order_of_its_elements,
    list_1_lists_of_one_state_stay_apart,
    list_1_elements_may_repeat_and_be_empty,
    list_1_appends_keep_their_order_across_reopen(Persistent),
    list_1_appends_keep_their_order_across_recovery(Snapshots, Loading),
    list_1_appends_go_behind_what_another_store_archived(Snapshots, Loading),
    list_1_reserved_ordinals_ascend_and_come_behind_every_element,
    list_1_reserved_ordinals_ascend_across_reopen(Persistent),
    list_1_reserved_ordinals_ascend_across_recovery(Snapshots, Loading),
    list_1_an_element_never_appears_before_one_that_was_readable,
    list_1_in_stores_that_share_an_element_never_appears_before_one_that_was_readable(Shared, Persistent),
    list_1_a_long_list_is_paged_in_order,
    list_2_a_list_is_replaced_atomically,
    list_2_trim_removes_from_the_front,
    list_2_trimming_more_than_there_is_leaves_nothing,
    list_2_trim_and_append_in_one_batch,
    list_2_removing_a_list_leaves_its_neighbours,
    list_2_an_empty_list_is_an_absent_key,
    list_2_one_element_can_be_removed,
    list_2_part_of_a_list_is_read_from_any_element_on,
];

fn numbers(range: std::ops::Range<u32>) -> Vec<Bytes> {
    range.map(|i| bytes(i.to_string())).collect()
}

async fn list_1_appends_keep_their_order(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    for i in 0..300 {
        list.append("key", &[i.to_string()]).await?;
    }
    ensure_eq!(list.elements("key").await?, numbers(0..300), "a list appended to 300 times");
    Ok(())
}

async fn list_1_one_append_keeps_the_order_of_its_elements(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    list.append("key", &numbers(0..50)).await?;
    list.append("key", &numbers(50..1000)).await?;
    ensure_eq!(list.elements("key").await?, numbers(0..1000), "a list appended to twice");
    Ok(())
}

async fn list_1_lists_of_one_state_stay_apart(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    let keys: [&[u8]; 6] = [b"a", b"a\0", b"a\0\0", b"a\xFF", b"\xFF", b"\xFF\xFF"];
    for i in 0..20 {
        for key in keys {
            list.append(key, &[[key, i.to_string().as_bytes()].concat()]).await?;
        }
    }
    for key in keys {
        let expected: Vec<_> = (0..20).map(|i| bytes([key, i.to_string().as_bytes()].concat())).collect();
        ensure_eq!(list.elements(key).await?, expected, "the list `{}`", key.escape_ascii());
    }
    Ok(())
}

async fn list_1_elements_may_repeat_and_be_empty(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    list.append("key", &["", "x", "x", ""]).await?;
    list.append("key", &["x"]).await?;
    ensure_eq!(list.elements("key").await?, ["", "x", "x", "", "x"].map(bytes), "a list with repetitions");
    Ok(())
}

async fn list_1_appends_keep_their_order_across_reopen(cx: &Context) -> Verdict {
    let mut list = cx.list().await?;
    for round in 0..5 {
        list.append("key", &numbers(round * 10..round * 10 + 10)).await?;
        let store = cx.reopen(list.store.clone()).await?;
        list = list.again(&store).await?;
    }
    ensure_eq!(list.elements("key").await?, numbers(0..50), "a list appended to in five openings");
    Ok(())
}

async fn list_1_appends_keep_their_order_across_recovery(cx: &Context) -> Verdict {
    let mut list = cx.list().await?;
    let store = list.store.clone();
    for round in 0..3 {
        list.append("key", &numbers(round * 10..round * 10 + 10)).await?;
        let tape = Tape::record(&*store, store.groups()).await?;
        list.append("key", &["gone after the recovery"]).await?;
        tape.restore(&*store, store.groups()).await?;
        list = list.again(&store).await?;
    }
    ensure_eq!(list.elements("key").await?, numbers(0..30), "a list appended to between recoveries");
    Ok(())
}

async fn list_1_appends_go_behind_what_another_store_archived(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    let busy = cx.elsewhere()?;
    // A store that was opened often has come further in its numbers than a fresh one.
    let mut far = busy.list().await?;
    for round in 0..4 {
        far.append("key", &numbers(round * 10..round * 10 + 10)).await?;
        if busy.capabilities.persistent {
            let store = busy.reopen(far.store.clone()).await?;
            far = far.again(&store).await?;
        }
    }
    let tape = Tape::record(&*far.store, far.store.groups()).await?;
    tape.restore(&*list.store, list.store.groups()).await?;
    let list = list.again(&list.store).await?;
    list.append("key", &numbers(40..50)).await?;
    ensure_eq!(list.elements("key").await?, numbers(0..50), "appends to a list of another store");
    Ok(())
}

/// The ordinal of the list's last element, where the store lets others number elements.
async fn last_ordinal(list: &State) -> Result<Option<u64>, crate::Failure> {
    let entries = list.collect(list.scan_key("key")).await?;
    Ok(entries.last().and_then(|entry| entry.sub[..].try_into().ok()).map(u64::from_be_bytes))
}

async fn list_1_reserved_ordinals_ascend_and_come_behind_every_element(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    let mut above = 0;
    for round in 0..10 {
        list.append("key", &["x", "y", "z"]).await?;
        let Some(first) = list.store.reserve_ordinals(1 + round) else { return Ok(()) };
        let last = last_ordinal(&list).await?;
        ensure!(Some(first) > last, "ordinal {first} is reserved although an element has {last:?}");
        ensure!(first >= above, "ordinal {first} is reserved although those below {above} are taken");
        above = first + 1 + round;
        let sub = (first + round).to_be_bytes();
        list.put_sub("key", sub, format!("reserved {round}")).await?;
        ensure_eq!(last_ordinal(&list).await?, Some(first + round), "the list's last ordinal");
    }
    Ok(())
}

async fn list_1_reserved_ordinals_ascend_across_reopen(cx: &Context) -> Verdict {
    let mut store = cx.open().await?;
    let mut above = 0;
    for _ in 0..5 {
        let Some(first) = store.reserve_ordinals(1000) else { return Ok(()) };
        ensure!(first >= above, "ordinal {first} is reserved although those below {above} are taken");
        above = first + 1000;
        store = cx.reopen(store).await?;
    }
    Ok(())
}

async fn list_1_reserved_ordinals_ascend_across_recovery(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    let store = list.store.clone();
    list.append("key", &["x"]).await?;
    let tape = Tape::record(&*store, store.groups()).await?;
    let Some(before) = store.reserve_ordinals(1000) else { return Ok(()) };
    tape.restore(&*store, store.groups()).await?;
    let after = store.reserve_ordinals(1).unwrap_or_default();
    ensure!(after >= before + 1000, "ordinal {after} is reserved after recovery, {before} and 999 more before it");
    Ok(())
}

async fn list_1_an_element_never_appears_before_one_that_was_readable(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    appended_beside(cx, &[list.clone(), list]).await
}

async fn list_1_in_stores_that_share_an_element_never_appears_before_one_that_was_readable(cx: &Context) -> Verdict {
    let shared = async || {
        let store = cx.open_with(|request| request.ownership = Ownership::Shared).await?;
        State::register(&store, "state", Model::List, |_| {}).await
    };
    let lists = [shared().await?, shared().await?];
    appended_beside(cx, &lists).await
}

/// Four writers append through two handles while both are read.
async fn appended_beside(cx: &Context, lists: &[State; 2]) -> Verdict {
    let watch = {
        let lists = lists.clone();
        move || {
            let [one, other] = lists.clone();
            async move {
                let before = one.elements("key").await?;
                let after = other.elements("key").await?;
                ensure!(after.starts_with(&before), "a list of {} elements is no beginning of it later", before.len());
                Ok(())
            }
        }
    };
    const ROUNDS: usize = 50;
    let step = async |i: usize| {
        // The list stops growing, else a slow reader would never be done with it.
        let writers = if i < ROUNDS { 4 } else { 0 };
        cx.together(writers, |writer| {
            let list = lists[writer % 2].clone();
            async move {
                list.append("key", &[format!("{writer} {i}")]).await?;
                Ok(())
            }
        })
        .await
    };
    cx.watching(watch, ROUNDS, step).await?;
    let all = lists[0].elements("key").await?;
    for writer in 0..4 {
        let own: Vec<_> = all.iter().filter(|e| e.starts_with(format!("{writer} ").as_bytes())).cloned().collect();
        let expected: Vec<_> = (0..ROUNDS).map(|i| bytes(format!("{writer} {i}"))).collect();
        ensure_eq!(own, expected, "the elements of writer {writer}");
    }
    Ok(())
}

async fn list_1_a_long_list_is_paged_in_order(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    for round in 0..10 {
        list.append("key", &numbers(round * 300..round * 300 + 300)).await?;
    }
    let limit = PageLimit { rows: 7, ..PageLimit::default() };
    let found = list.collect(ScanRequest { limit, ..list.scan_key("key") }).await?;
    let found: Vec<_> = found.into_iter().map(|entry| entry.payload).collect();
    ensure!(found == numbers(0..3000), "3,000 elements in pages of 7 are out of order, or {}", found.len());
    Ok(())
}

async fn list_2_a_list_is_replaced_atomically(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    list.append("key", &["0", "0", "0"]).await?;
    let watch = {
        let list = list.clone();
        move || {
            let list = list.clone();
            async move {
                let (page, _) = list.page(&list.scan_key("key")).await?;
                let one = page.first().map(|entry| entry.payload.clone());
                ensure_eq!(page.len(), 3, "the length of a list that is always replaced by three");
                ensure!(page.iter().all(|e| Some(&e.payload) == one.as_ref()), "a list of two puts: {page:?}");
                Ok(())
            }
        }
    };
    let step = async |i: usize| {
        let payload = i.to_string();
        let put = vec![list.removing("key"), list.appending("key", &[&payload, &payload, &payload], None)];
        commit(&*list.store, put).await?;
        Ok(())
    };
    let steps = cx.watching(watch, 300, step).await?;
    let last = bytes((steps - 1).to_string());
    ensure_eq!(list.elements("key").await?, [last.clone(), last.clone(), last], "the list after all puts");
    Ok(())
}

async fn list_2_trim_removes_from_the_front(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    list.append("key", &numbers(0..10)).await?;
    for (count, expected) in [(0, 0..10), (1, 1..10), (3, 4..10), (5, 9..10)] {
        list.commit(list.trimming("key", count)).await?;
        ensure_eq!(list.elements("key").await?, numbers(expected), "the list after {count} more were trimmed");
    }
    list.append("key", &numbers(10..12)).await?;
    ensure_eq!(list.elements("key").await?, numbers(9..12), "the list appended to after trims");
    Ok(())
}

async fn list_2_trimming_more_than_there_is_leaves_nothing(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    list.commit(list.trimming("never there", 5)).await?;
    list.append("a", &numbers(0..3)).await?;
    list.append("a\0", &numbers(0..3)).await?;
    for count in [4, 1000, u64::MAX] {
        list.commit(list.trimming("a", count)).await?;
        ensure_eq!(list.elements("a").await?, [] as [Bytes; 0], "a list of 3 after {count} were trimmed");
        ensure_eq!(list.elements("a\0").await?, numbers(0..3), "the list of the next key");
        list.append("a", &numbers(0..3)).await?;
    }
    Ok(())
}

async fn list_2_trim_and_append_in_one_batch(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    list.append("key", &numbers(0..5)).await?;
    let turn = vec![list.trimming("key", 2), list.appending("key", &numbers(5..7), None)];
    commit(&*list.store, turn).await?;
    ensure_eq!(list.elements("key").await?, numbers(2..7), "a list trimmed and appended to");
    let refill = vec![list.trimming("key", 100), list.appending("key", &numbers(7..9), None)];
    commit(&*list.store, refill).await?;
    ensure_eq!(list.elements("key").await?, numbers(7..9), "a list emptied and appended to");
    Ok(())
}

async fn list_2_removing_a_list_leaves_its_neighbours(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    let keys: [&[u8]; 5] = [b"a", b"a\0", b"a\0\0", b"b", b"a\xFF"];
    for key in keys {
        list.append(key, &numbers(0..200)).await?;
    }
    list.commit(list.removing("a")).await?;
    ensure_eq!(list.elements("a").await?, [] as [Bytes; 0], "the removed list");
    for key in &keys[1..] {
        ensure_eq!(list.elements(key).await?.len(), 200, "the length of `{}`", key.escape_ascii());
    }
    Ok(())
}

async fn list_2_an_empty_list_is_an_absent_key(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    for way in 0..3 {
        list.append("key", &numbers(0..3)).await?;
        match way {
            0 => drop(list.commit(list.trimming("key", 3)).await?),
            1 => drop(list.commit(list.removing("key")).await?),
            _ => {
                for entry in list.collect(list.scan_key("key")).await? {
                    list.commit(list.deleting("key", entry.sub)).await?;
                }
            }
        }
        ensure_eq!(list.entries().await?.len(), 0, "the number of rows when the list was emptied in way {way}");
    }
    Ok(())
}

async fn list_2_one_element_can_be_removed(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    list.append("key", &numbers(0..5)).await?;
    let rows = list.collect(list.scan_key("key")).await?;
    list.commit(list.deleting("key", &rows[2].sub)).await?;
    let expected = [0, 1, 3, 4].map(|i| bytes(i.to_string()));
    ensure_eq!(list.elements("key").await?, expected, "the list without its third element");
    Ok(())
}

async fn list_2_part_of_a_list_is_read_from_any_element_on(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    list.append("key", &numbers(0..20)).await?;
    let rows = list.collect(list.scan_key("key")).await?;
    for (i, row) in rows.iter().enumerate() {
        let after = Some(Position { key: bytes("key"), sub: row.sub.clone() });
        let limit = PageLimit { rows: 3, ..PageLimit::default() };
        let (page, _) = list.page(&ScanRequest { after, limit, ..list.scan_key("key") }).await?;
        ensure_eq!(page, rows[i + 1..(i + 4).min(20)], "three elements behind element {i}");
        let cell = list.cell("key", &row.sub).await?;
        let payload = cell.and_then(|cell| Envelope::payload(&cell.value));
        ensure_eq!(payload, Some(row.payload.clone()), "element {i} by itself");
    }
    let from =
        ScanRange::Subs(bytes("key"), std::ops::Bound::Included(rows[5].sub.clone()), std::ops::Bound::Unbounded);
    let found = list.collect(ScanRequest { range: from, ..list.scan_key("key") }).await?;
    ensure_eq!(found, rows[5..], "the elements from the sixth on");
    Ok(())
}
