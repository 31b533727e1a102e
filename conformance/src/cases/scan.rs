//! KV-4: scans in pages.

use std::ops::Bound::{self, Excluded, Included, Unbounded};

use bytes::Bytes;
use statehold_core::{KeyGroup, Model, PageLimit, Position, ScanRange, ScanRequest, collect};

use crate::{
    Case, Context,
    case::cases,
    failure::{Verdict, ensure, ensure_eq},
    state::{Entry, State, bytes, commit},
};

pub(super) const CASES: &[Case] = cases![Functional:
    kv_4_a_group_is_scanned_in_byte_order,
    kv_4_a_map_is_scanned_in_key_then_subkey_order,
    kv_4_an_empty_state_yields_one_empty_page,
    kv_4_pages_of_any_size_yield_every_entry_once,
    kv_4_a_page_holds_no_more_rows_than_asked,
    kv_4_a_page_holds_no_more_bytes_than_asked_but_one_row_always,
    kv_4_a_page_that_ends_with_the_last_row_loses_nothing,
    kv_4_a_range_yields_what_lies_in_it,
    kv_4_a_range_of_subkeys_yields_what_lies_in_it,
    kv_4_a_range_that_ends_before_it_begins_is_empty,
    kv_4_a_cursor_may_stand_anywhere,
    kv_4_a_cursor_survives_the_deletion_of_its_row,
    kv_4_a_cursor_survives_reopen(Persistent),
    kv_4_what_stays_is_yielded_once_while_the_rest_changes,
    kv_4_a_page_is_one_point_in_time,
    kv_4_a_scan_ends_at_its_state_and_group,
    kv_4_a_large_group_comes_in_pages,
    kv_4_a_scan_for_keys_yields_every_key,
];

/// All pages from `request` on, each of at most `rows` rows.
async fn pages(state: &State, mut request: ScanRequest, rows: usize) -> Result<Vec<Vec<Entry>>, crate::Failure> {
    request.limit.rows = rows;
    let mut pages = Vec::new();
    loop {
        let (page, next) = state.page(&request).await?;
        ensure!(page.len() <= rows, "a page of at most {rows} rows has {}", page.len());
        pages.push(page);
        let Some(next) = next else { return Ok(pages) };
        ensure!(
            Some(&next) > request.after.as_ref(),
            "the cursor does not advance: {next:?} after {:?}",
            request.after
        );
        request.after = Some(next);
    }
}

/// A map of random keys and subkeys, with its entries of the first group in order.
async fn random_map(cx: &Context) -> Result<(State, Vec<Entry>), crate::Failure> {
    let map = cx.map().await?;
    let mut dice = cx.dice();
    let mut rows: Vec<_> = (0..300).map(|_| (dice.bytes(1, 3), dice.bytes(0, 3))).collect();
    rows.sort();
    rows.dedup();
    map.put_all(rows.iter().map(|(key, sub)| (key, sub, sub))).await?;
    rows.retain(|(key, _)| map.group(key) == KeyGroup(0));
    let entry = |(key, sub)| Entry { key: bytes(key), payload: bytes(&sub), sub: bytes(sub) };
    Ok((map, rows.into_iter().map(entry).collect()))
}

async fn kv_4_a_group_is_scanned_in_byte_order(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let mut dice = cx.dice();
    let mut keys: Vec<_> = (0..500).map(|_| dice.bytes(1, 6)).collect();
    keys.sort();
    keys.dedup();
    kv.put_all(keys.iter().map(|key| (key, "", key))).await?;
    for group in kv.store.groups().iter() {
        let found: Vec<_> = kv.collect(kv.scan(group)).await?.into_iter().map(|e| e.key).collect();
        let expected: Vec<_> = keys.iter().filter(|key| kv.group(key) == group).map(bytes).collect();
        ensure_eq!(found, expected, "the keys of group {group}");
    }
    Ok(())
}

async fn kv_4_a_map_is_scanned_in_key_then_subkey_order(cx: &Context) -> Verdict {
    let (map, expected) = random_map(cx).await?;
    let found = map.collect(map.scan(KeyGroup(0))).await?;
    ensure_eq!(found, expected, "the entries of group 0");
    Ok(())
}

async fn kv_4_an_empty_state_yields_one_empty_page(cx: &Context) -> Verdict {
    let store = cx.open().await?;
    for model in Model::ALL {
        let state = State::register(&store, model.as_str(), model, |_| {}).await?;
        for group in store.groups().iter() {
            let (page, next) = state.page(&state.scan(group)).await?;
            ensure!(page.is_empty() && next.is_none(), "an empty {model:?} state yields {page:?}, next {next:?}");
        }
    }
    Ok(())
}

async fn kv_4_pages_of_any_size_yield_every_entry_once(cx: &Context) -> Verdict {
    let (map, expected) = random_map(cx).await?;
    for rows in [1, 2, 3, 7, expected.len().max(2) - 1, expected.len(), expected.len() + 1, 100_000] {
        let found = pages(&map, map.scan(KeyGroup(0)), rows).await?.concat();
        ensure_eq!(found, expected, "the entries of group 0 in pages of {rows}");
    }
    Ok(())
}

async fn kv_4_a_scan_for_keys_yields_every_key(cx: &Context) -> Verdict {
    let (map, expected) = random_map(cx).await?;
    let expected: Vec<_> = expected.into_iter().map(|entry| (entry.key, entry.sub)).collect();
    for rows in [1, 7, 100_000] {
        let limit = PageLimit { rows, ..PageLimit::default() };
        let keys = ScanRequest { keys_only: true, limit, ..map.scan(KeyGroup(0)) };
        let found = collect(&*map.store, keys).await?.into_iter().map(|row| (row.key, row.sub));
        ensure_eq!(found.collect::<Vec<_>>(), expected, "the keys of group 0 in pages of {rows}");
    }
    Ok(())
}

async fn kv_4_a_page_holds_no_more_rows_than_asked(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let keys = kv.neighbours("key", 10);
    kv.put_all(keys.iter().map(|key| (key, "", ""))).await?;
    for rows in [1, 9, 10, 11] {
        let found = pages(&kv, kv.scan(KeyGroup(0)), rows).await?;
        ensure_eq!(found.concat().len(), 10, "the number of entries in pages of {rows}");
        let full = found.iter().take(10 / rows).all(|page| page.len() == rows);
        ensure!(full, "pages of {rows} hold {:?} rows", found.iter().map(Vec::len).collect::<Vec<_>>());
    }
    Ok(())
}

async fn kv_4_a_page_holds_no_more_bytes_than_asked_but_one_row_always(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let keys = kv.neighbours("key", 20);
    kv.put_all(keys.iter().map(|key| (key, "", [1; 1000]))).await?;
    for (limit, most) in [(1, 1), (500, 1), (3000, 3), (5000, 5)] {
        let mut request = kv.scan(KeyGroup(0));
        request.limit = PageLimit { rows: 1000, bytes: limit };
        let mut seen = 0;
        loop {
            let (page, next) = kv.page(&request).await?;
            ensure!(page.len() <= most, "a page of {limit} bytes has {} rows of 1,000", page.len());
            ensure!(!page.is_empty() || next.is_none(), "a page of {limit} bytes is empty although more follows");
            seen += page.len();
            let Some(next) = next else { break };
            request.after = Some(next);
        }
        ensure_eq!(seen, 20, "the number of entries in pages of {limit} bytes");
    }
    Ok(())
}

async fn kv_4_a_page_that_ends_with_the_last_row_loses_nothing(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let mut keys = kv.neighbours("key", 8);
    keys.sort();
    kv.put_all(keys[..6].iter().map(|key| (key, "", ""))).await?;
    let request = ScanRequest { limit: PageLimit { rows: 6, ..PageLimit::default() }, ..kv.scan(KeyGroup(0)) };
    let (page, next) = kv.page(&request).await?;
    ensure_eq!(page.len(), 6, "the rows of the first page");
    // A row that comes behind the cursor is found by whoever goes on from there.
    kv.put_all(keys[6..].iter().map(|key| (key, "", ""))).await?;
    let last = Position { key: keys[5].clone(), sub: Bytes::new() };
    let after = Some(next.unwrap_or(last));
    let (page, _) = kv.page(&ScanRequest { after, ..request }).await?;
    let found: Vec<_> = page.into_iter().map(|entry| entry.key).collect();
    ensure_eq!(found, keys[6..], "the keys behind a full page");
    Ok(())
}

/// Every pair of bounds at and between the given places.
fn bounds(places: &[&[u8]]) -> Vec<(Bound<Bytes>, Bound<Bytes>)> {
    let ends: Vec<Bound<Bytes>> =
        places.iter().flat_map(|p| [Included(bytes(p)), Excluded(bytes(p))]).chain([Unbounded]).collect();
    ends.iter().flat_map(|from| ends.iter().map(move |to| (from.clone(), to.clone()))).collect()
}

/// Compares what ranges yield, in pages of 1 and of 4, with what lies in them.
async fn check_ranges(map: &State, all: &[Entry], ranges: Vec<ScanRange>) -> Verdict {
    for range in ranges {
        let expected: Vec<_> = all.iter().filter(|e| range.contains(&e.key, &e.sub)).cloned().collect();
        let request = ScanRequest { range, ..map.scan(KeyGroup(0)) };
        for rows in [1, 4] {
            let found = pages(map, request.clone(), rows).await?.concat();
            ensure_eq!(found, expected, "{:?} in pages of {rows}", request.range);
        }
    }
    Ok(())
}

async fn kv_4_a_range_yields_what_lies_in_it(cx: &Context) -> Verdict {
    let (map, all) = random_map(cx).await?;
    let middle = all[all.len() / 2].key.clone();
    let places: [&[u8]; 7] = [&all[0].key, &middle, &all[all.len() - 1].key, b"a", b"\0", b"\xFF\xFF\xFF\xFF", b"ab"];
    let ranges = bounds(&places).into_iter().map(|(from, to)| ScanRange::Keys(from, to)).collect();
    check_ranges(&map, &all, ranges).await
}

async fn kv_4_a_range_of_subkeys_yields_what_lies_in_it(cx: &Context) -> Verdict {
    let map = cx.map().await?;
    let keys = map.neighbours("k", 3);
    let subs: [&[u8]; 8] = [b"", b"\0", b"\0\0", b"a", b"a\0", b"b", b"\xFF", b"\xFF\xFF"];
    let rows = keys.iter().flat_map(|key| subs.iter().map(move |sub| (key, sub, sub)));
    map.put_all(rows.clone()).await?;
    let mut all: Vec<_> =
        rows.map(|(key, sub, p)| Entry { key: key.clone(), sub: bytes(sub), payload: bytes(p) }).collect();
    all.sort();
    for key in &keys {
        let places: [&[u8]; 6] = [b"", b"\0", b"a", b"aa", b"\xFF", b"\xFF\xFF\xFF"];
        let ranges = bounds(&places).into_iter().map(|(from, to)| ScanRange::Subs(key.clone(), from, to)).collect();
        check_ranges(&map, &all, ranges).await?;
    }
    Ok(())
}

async fn kv_4_a_range_that_ends_before_it_begins_is_empty(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let keys = kv.neighbours("k", 5);
    kv.put_all(keys.iter().map(|key| (key, "", ""))).await?;
    for range in [
        ScanRange::Keys(Included(bytes("z")), Excluded(bytes("a"))),
        ScanRange::Keys(Excluded(keys[0].clone()), Excluded(keys[0].clone())),
        ScanRange::Keys(Excluded(bytes("\u{10FFFF}")), Included(bytes("\0"))),
        ScanRange::Subs(keys[0].clone(), Included(bytes("z")), Excluded(bytes("a"))),
    ] {
        let request = ScanRequest { range, ..kv.scan(KeyGroup(0)) };
        let found = kv.collect(request.clone()).await?;
        ensure!(found.is_empty(), "{:?} yields {found:?}", request.range);
    }
    Ok(())
}

async fn kv_4_a_cursor_may_stand_anywhere(cx: &Context) -> Verdict {
    let (map, all) = random_map(cx).await?;
    let mut dice = cx.dice();
    for _ in 0..100 {
        let after = Position { key: bytes(dice.bytes(1, 4)), sub: bytes(dice.bytes(0, 4)) };
        let behind = |e: &&Entry| (&e.key, &e.sub) > (&after.key, &after.sub);
        let expected: Vec<_> = all.iter().filter(behind).cloned().collect();
        let request = ScanRequest { after: Some(after.clone()), ..map.scan(KeyGroup(0)) };
        ensure_eq!(map.collect(request).await?, expected, "the entries behind {after:?}");
    }
    Ok(())
}

async fn kv_4_a_cursor_survives_the_deletion_of_its_row(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let mut keys = kv.neighbours("key", 9);
    keys.sort();
    kv.put_all(keys.iter().map(|key| (key, "", ""))).await?;
    let mut request = ScanRequest { limit: PageLimit { rows: 2, ..PageLimit::default() }, ..kv.scan(KeyGroup(0)) };
    let mut seen = Vec::new();
    loop {
        let (page, next) = kv.page(&request).await?;
        for entry in page {
            kv.delete(&entry.key).await?;
            seen.push(entry.key);
        }
        let Some(next) = next else { break };
        request.after = Some(next);
    }
    ensure_eq!(seen, keys, "the keys of a scan that deletes what it has seen");
    ensure_eq!(kv.entries().await?.len(), 0, "the number of entries that are left");
    Ok(())
}

async fn kv_4_a_cursor_survives_reopen(cx: &Context) -> Verdict {
    let mut kv = cx.kv().await?;
    let mut keys = kv.neighbours("key", 10);
    keys.sort();
    kv.put_all(keys.iter().map(|key| (key, "", ""))).await?;
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let limit = PageLimit { rows: 4, ..PageLimit::default() };
        let (page, next) = kv.page(&ScanRequest { after, limit, ..kv.scan(KeyGroup(0)) }).await?;
        seen.extend(page.into_iter().map(|entry| entry.key));
        let Some(next) = next else { break };
        after = Some(next);
        let store = cx.reopen(kv.store.clone()).await?;
        kv = kv.again(&store).await?;
    }
    ensure_eq!(seen, keys, "the keys of a scan over several openings");
    Ok(())
}

async fn kv_4_what_stays_is_yielded_once_while_the_rest_changes(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let keys = kv.neighbours("key", 400);
    kv.put_all(keys.iter().map(|key| (key, "", "old"))).await?;
    let mut dice = cx.dice();
    // Every third key stays; the others are replaced, deleted and put again meanwhile.
    let mut stays: Vec<_> = keys.iter().step_by(3).cloned().collect();
    stays.sort();
    let mut request = ScanRequest { limit: PageLimit { rows: 7, ..PageLimit::default() }, ..kv.scan(KeyGroup(0)) };
    let mut seen: Vec<Bytes> = Vec::new();
    loop {
        let (page, next) = kv.page(&request).await?;
        seen.extend(page.into_iter().map(|entry| entry.key));
        let Some(next) = next else { break };
        request.after = Some(next);
        for _ in 0..10 {
            let i = dice.below(keys.len());
            match (i % 3, dice.below(2)) {
                (0, _) => {}
                (_, 0) => drop(kv.put(&keys[i], "new").await?),
                _ => drop(kv.delete(&keys[i]).await?),
            }
        }
    }
    ensure!(seen.windows(2).all(|pair| pair[0] < pair[1]), "a key is yielded twice or out of order");
    seen.retain(|key| stays.binary_search(key).is_ok());
    ensure_eq!(seen, stays, "the keys that nobody touched");
    Ok(())
}

async fn kv_4_a_page_is_one_point_in_time(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let mut keys = kv.neighbours("key", 40);
    keys.sort();
    let between: Vec<_> = keys[1..39].to_vec();
    kv.put_all(between.iter().map(|key| (key, "", "filler"))).await?;
    let (first, last) = (keys[0].clone(), keys[39].clone());
    kv.put(&first, "token").await?;
    let watch = {
        let kv = kv.clone();
        move || {
            let kv = kv.clone();
            async move {
                let page = kv.page(&kv.scan(KeyGroup(0))).await?.0;
                let tokens = page.iter().filter(|entry| &entry.payload[..] == b"token").count();
                ensure_eq!(tokens, 1, "how often a page shows what moves from one key to another");
                Ok(())
            }
        }
    };
    let step = async |i: usize| {
        let (from, to) = if i.is_multiple_of(2) { (&first, &last) } else { (&last, &first) };
        commit(&*kv.store, vec![kv.deleting(from, ""), kv.putting(to, "", "token")]).await?;
        Ok(())
    };
    cx.watching(watch, 300, step).await.map(drop)
}

async fn kv_4_a_scan_ends_at_its_state_and_group(cx: &Context) -> Verdict {
    let store = cx.open().await?;
    let mut states = Vec::new();
    for name in ["first", "second", "third"] {
        let state = State::register(&store, name, Model::Kv, |_| {}).await?;
        let extremes: Vec<_> =
            (0..64u8).flat_map(|i| [vec![0, i], vec![0xFF, i], vec![0xFF; usize::from(i) + 1]]).collect();
        state.put_all(extremes.iter().map(|key| (key, "", name))).await?;
        states.push((state, extremes));
    }
    for (state, keys) in &states {
        for group in store.groups().iter() {
            let mut expected: Vec<_> = keys.iter().filter(|key| state.group(key) == group).map(bytes).collect();
            expected.sort();
            let found: Vec<_> = pages(state, state.scan(group), 5).await?.concat().into_iter().map(|e| e.key).collect();
            ensure_eq!(found, expected, "the keys of state `{}` in group {group}", state.spec.name);
        }
    }
    Ok(())
}

async fn kv_4_a_large_group_comes_in_pages(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let mut keys = kv.neighbours("key", 5000);
    kv.put_all(keys.iter().map(|key| (key, "", key))).await?;
    keys.sort();
    let found = pages(&kv, kv.scan(KeyGroup(0)), PageLimit::default().rows).await?;
    let found: Vec<_> = found.concat().into_iter().map(|entry| entry.key).collect();
    ensure!(found == keys, "the pages of 5,000 entries yield {} entries, or others", found.len());
    Ok(())
}
