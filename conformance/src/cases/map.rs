//! MAP: subkeys.

use bytes::Bytes;
use statehold_core::{ErrorKind, KeyShape, Model, Mutation, PageLimit, ScanRequest};

use crate::{
    Case, Context,
    case::cases,
    failure::{Failure, Verdict, ensure, ensure_eq, refused},
    state::{State, bytes, commit},
};

pub(super) const CASES: &[Case] = cases![Functional:
    map_1_writing_a_subkey_leaves_the_others,
    map_1_removing_a_subkey_leaves_the_others,
    map_1_removing_an_absent_subkey_succeeds,
    map_1_the_empty_subkey_is_one_like_others,
    map_2_subkeys_are_ordered_by_their_bytes,
    map_2_a_key_is_paged_through,
    map_2_removing_a_key_leaves_its_neighbours,
    map_2_removing_a_key_of_any_size_removes_all_of_it,
    map_2_a_removed_range_includes_its_begin_and_not_its_end,
    map_2_a_removed_range_that_ends_before_it_begins_removes_nothing,
    map_2_a_map_is_replaced_in_one_batch,
    map_2_an_empty_map_is_an_absent_key,
    map_3_keys_of_one_length_give_the_same_answers,
    map_3_a_key_of_another_length_is_refused,
];

async fn map_1_writing_a_subkey_leaves_the_others(cx: &Context) -> Verdict {
    let map = cx.map().await?;
    map.put_all([("key", "a", "1"), ("key", "b", "2"), ("other", "a", "3")]).await?;
    map.put_sub("key", "a", "changed").await?;
    map.put_sub("key", "c", "new").await?;
    let expected = [("a", "changed"), ("b", "2"), ("c", "new")].map(|(sub, p)| (bytes(sub), bytes(p)));
    ensure_eq!(map.subs("key").await?, expected, "the map");
    ensure_eq!(map.get_sub("other", "a").await?, Some(bytes("3")), "the same subkey of another key");
    ensure_eq!(map.get_sub("key", "d").await?, None, "a subkey that was never written");
    Ok(())
}

async fn map_1_removing_a_subkey_leaves_the_others(cx: &Context) -> Verdict {
    let map = cx.map().await?;
    map.put_all(["", "a", "a\0", "b"].map(|sub| ("key", sub, sub))).await?;
    map.put_sub("key2", "a", "other").await?;
    map.commit(map.deleting("key", "a")).await?;
    let subs: Vec<_> = map.subs("key").await?.into_iter().map(|(sub, _)| sub).collect();
    ensure_eq!(subs, ["", "a\0", "b"].map(bytes), "the subkeys that are left");
    ensure_eq!(map.get_sub("key", "a").await?, None, "the removed subkey");
    ensure_eq!(map.get_sub("key2", "a").await?, Some(bytes("other")), "the same subkey of another key");
    Ok(())
}

async fn map_1_removing_an_absent_subkey_succeeds(cx: &Context) -> Verdict {
    let map = cx.map().await?;
    map.commit(map.deleting("never there", "a")).await?;
    map.put_sub("key", "a", "1").await?;
    map.commit(map.deleting("key", "b")).await?;
    map.commit(map.deleting("key", "")).await?;
    ensure_eq!(map.subs("key").await?, [(bytes("a"), bytes("1"))], "the map");
    Ok(())
}

async fn map_1_the_empty_subkey_is_one_like_others(cx: &Context) -> Verdict {
    let map = cx.map().await?;
    map.put_sub("key", "", "of the empty subkey").await?;
    ensure_eq!(map.get_sub("key", "").await?, Some(bytes("of the empty subkey")), "the empty subkey");
    map.put_sub("key", "a", "").await?;
    map.commit(map.deleting("key", "")).await?;
    ensure_eq!(map.subs("key").await?, [(bytes("a"), bytes(""))], "the map without its empty subkey");
    Ok(())
}

async fn map_2_subkeys_are_ordered_by_their_bytes(cx: &Context) -> Verdict {
    let map = cx.map().await?;
    let mut dice = cx.dice();
    let mut subs: Vec<_> = (0..300).map(|_| bytes(dice.bytes(0, 5))).collect();
    subs.sort();
    subs.dedup();
    map.put_all(subs.iter().rev().map(|sub| ("key", sub, sub))).await?;
    let found: Vec<_> = map.subs("key").await?.into_iter().map(|(sub, _)| sub).collect();
    ensure_eq!(found, subs, "the subkeys");
    Ok(())
}

async fn map_2_a_key_is_paged_through(cx: &Context) -> Verdict {
    let map = cx.map().await?;
    let subs: Vec<_> = (0..100).map(|i| bytes(format!("{i:03}"))).collect();
    for key in ["a", "b", "a\0"] {
        map.put_all(subs.iter().map(|sub| (key, sub, key))).await?;
    }
    for rows in [1, 33, 100, 101] {
        let limit = PageLimit { rows, ..PageLimit::default() };
        let found = map.collect(ScanRequest { limit, ..map.scan_key("a") }).await?;
        let found: Vec<_> = found.into_iter().map(|entry| entry.sub).collect();
        ensure_eq!(found, subs, "the subkeys in pages of {rows}");
    }
    Ok(())
}

async fn map_2_removing_a_key_leaves_its_neighbours(cx: &Context) -> Verdict {
    let map = cx.map().await?;
    let keys: [&[u8]; 7] = [b"k", b"k\0", b"k\0\0", b"k\x01", b"k\xFF", b"l", b"j"];
    for key in keys {
        map.put_all([(key, &b""[..], key), (key, b"\0", key), (key, b"\xFF\xFF", key)]).await?;
    }
    for (gone, key) in keys.iter().enumerate() {
        map.commit(map.removing(key)).await?;
        for (i, other) in keys.iter().enumerate() {
            let expected = if i <= gone { 0 } else { 3 };
            let what = format!("the subkeys of `{}` when `{}` was removed", other.escape_ascii(), key.escape_ascii());
            ensure_eq!(map.subs(other).await?.len(), expected, "{what}");
        }
    }
    Ok(())
}

async fn map_2_removing_a_key_of_any_size_removes_all_of_it(cx: &Context) -> Verdict {
    let map = cx.map().await?;
    map.put_sub("neighbour", "a", "stays").await?;
    for size in [0, 1, 63, 64, 65, 1000] {
        map.put_all((0..size).map(|i| ("key", format!("{i}"), ""))).await?;
        map.commit(map.removing("key")).await?;
        ensure_eq!(map.subs("key").await?.len(), 0, "the subkeys of a removed map of {size}");
        map.put_sub("key", "new", "").await?;
        ensure_eq!(map.subs("key").await?.len(), 1, "the subkeys of a map put where one of {size} was removed");
    }
    ensure_eq!(map.entries().await?.len(), 2, "the number of entries");
    Ok(())
}

/// Removes the subkeys from `from` to `until` of a map with one subkey a letter.
async fn letters_without(map: &State, from: &str, until: Option<&str>) -> Result<String, Failure> {
    map.put_all("abcdefgh".chars().map(|c| ("key", c.to_string(), ""))).await?;
    map.commit(Mutation::DeleteSubs { at: map.at("key", from), until: until.map(bytes) }).await?;
    let left = map.subs("key").await?;
    Ok(left.iter().map(|(sub, _)| String::from_utf8_lossy(sub)).collect())
}

async fn map_2_a_removed_range_includes_its_begin_and_not_its_end(cx: &Context) -> Verdict {
    let map = cx.map().await?;
    map.put_sub("key2", "c", "stays").await?;
    for (from, until, expected) in [
        ("c", Some("f"), "abfgh"),
        ("c", Some("d"), "abdefgh"),
        ("c", Some("c\0"), "abdefgh"),
        ("bb", Some("dd"), "abefgh"),
        ("", Some("c"), "cdefgh"),
        ("f", None, "abcde"),
        ("", None, ""),
        ("i", None, "abcdefgh"),
    ] {
        let left = letters_without(&map, from, until).await?;
        ensure_eq!(left, expected, "abcdefgh without {from:?} to {until:?}");
    }
    ensure_eq!(map.subs("key2").await?.len(), 1, "the subkeys of the next key");
    Ok(())
}

async fn map_2_a_removed_range_that_ends_before_it_begins_removes_nothing(cx: &Context) -> Verdict {
    let map = cx.map().await?;
    for (from, until) in [("c", "c"), ("f", "c"), ("c", ""), ("", "")] {
        let left = letters_without(&map, from, Some(until)).await?;
        ensure_eq!(left, "abcdefgh", "abcdefgh without {from:?} to {until:?}");
    }
    Ok(())
}

async fn map_2_a_map_is_replaced_in_one_batch(cx: &Context) -> Verdict {
    let map = cx.map().await?;
    for size in [3, 100] {
        map.put_all((0..size).map(|i| ("key", format!("{i}"), "old"))).await?;
        let put = vec![map.removing("key"), map.putting("key", "1", "new"), map.putting("key", "x", "new")];
        commit(&*map.store, put).await?;
        let expected = [(bytes("1"), bytes("new")), (bytes("x"), bytes("new"))];
        ensure_eq!(map.subs("key").await?, expected, "the map put in place of one of {size}");
    }
    Ok(())
}

async fn map_2_an_empty_map_is_an_absent_key(cx: &Context) -> Verdict {
    let map = cx.map().await?;
    map.put_all([("key", "a", ""), ("key", "b", "")]).await?;
    map.commit(map.deleting("key", "a")).await?;
    map.commit(map.deleting("key", "b")).await?;
    ensure_eq!(map.subs("key").await?, [] as [(Bytes, Bytes); 0], "the subkeys of an emptied map");
    ensure_eq!(map.entries().await?.len(), 0, "the number of entries");
    Ok(())
}

async fn map_3_keys_of_one_length_give_the_same_answers(cx: &Context) -> Verdict {
    let store = cx.open().await?;
    let variable = State::register(&store, "variable", Model::Map, |_| {}).await?;
    let fixed = State::register(&store, "fixed", Model::Map, |s| s.key_shape = KeyShape::Fixed(2)).await?;
    let mut dice = cx.dice();
    for _ in 0..300 {
        let (key, sub, payload) = (dice.bytes(2, 2), dice.bytes(0, 3), dice.bytes(0, 4));
        let kind = dice.below(10);
        for map in [&variable, &fixed] {
            let mutation = match kind {
                0 => map.removing(&key),
                1 | 2 => map.deleting(&key, &sub),
                3 => Mutation::DeleteSubs { at: map.at(&key, &sub), until: Some(bytes(&payload)) },
                _ => map.putting(&key, &sub, &payload),
            };
            map.commit(mutation).await?;
        }
    }
    let entries = variable.entries().await?;
    ensure!(!entries.is_empty(), "nothing was written");
    ensure_eq!(fixed.entries().await?, entries, "the map with keys of one length, against the other");
    for entry in &entries {
        ensure_eq!(fixed.subs(&entry.key).await?, variable.subs(&entry.key).await?, "the map of {:?}", entry.key);
    }
    Ok(())
}

async fn map_3_a_key_of_another_length_is_refused(cx: &Context) -> Verdict {
    for model in [Model::Map, Model::Kv, Model::List] {
        let there = cx.elsewhere()?;
        let state = there.state(model, |s| s.key_shape = KeyShape::Fixed(2)).await?;
        for key in ["a", "abc"] {
            let mutation = match model {
                Model::List => state.appending(key, &["value"], None),
                _ => state.putting(key, "", "value"),
            };
            let what = format!("a key of {} bytes in a {model:?} state of keys of 2", key.len());
            refused(state.commit(mutation).await, ErrorKind::InvalidInput, &what)?;
        }
        ensure_eq!(state.entries().await?.len(), 0, "the number of entries");
    }
    Ok(())
}
