//! KV-1, KV-2, KV-3: single records and many at once.

use std::sync::Arc;

use statehold_core::Model;

use crate::{
    Case, Context,
    case::cases,
    failure::{Verdict, ensure, ensure_eq},
    state::{State, bytes, commit},
};

pub(super) const CASES: &[Case] = cases![Functional:
    kv_1_get_sees_the_last_commit,
    kv_1_two_handles_see_each_others_commits,
    kv_1_tasks_see_what_was_committed_before_they_began,
    kv_2_put_replaces,
    kv_2_delete_removes,
    kv_2_deleting_what_is_absent_succeeds,
    kv_2_a_deleted_record_can_be_put_again,
    kv_3_get_many_answers_in_the_order_asked,
    kv_3_get_many_repeats_duplicates,
    kv_3_get_many_of_nothing_is_nothing,
    kv_3_get_many_spans_states_and_groups,
    kv_3_get_many_answers_ten_thousand,
    kv_3_get_many_is_one_point_in_time,
];

async fn kv_1_get_sees_the_last_commit(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    ensure_eq!(kv.get("key").await?, None, "a key that was never written");
    for i in 0..200 {
        let payload = i.to_string();
        kv.put("key", &payload).await?;
        ensure_eq!(kv.get("key").await?, Some(bytes(payload)), "`key` after write {i}");
    }
    Ok(())
}

async fn kv_1_two_handles_see_each_others_commits(cx: &Context) -> Verdict {
    let first = cx.kv().await?;
    let second = first.again(&first.store.clone()).await?;
    first.put("key", "first").await?;
    ensure_eq!(second.get("key").await?, Some(bytes("first")), "`key` through the second handle");
    second.put("key", "second").await?;
    ensure_eq!(first.get("key").await?, Some(bytes("second")), "`key` through the first handle");
    Ok(())
}

async fn kv_1_tasks_see_what_was_committed_before_they_began(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    for i in 0..50 {
        let payload = bytes(i.to_string());
        kv.put("key", &payload).await?;
        cx.together(4, |_| {
            let (kv, payload) = (kv.clone(), payload.clone());
            async move {
                ensure_eq!(kv.get("key").await?, Some(payload), "`key` in a task");
                Ok(())
            }
        })
        .await?;
    }
    Ok(())
}

async fn kv_2_put_replaces(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put("key", "a much longer first value").await?;
    kv.put("neighbour", "stays").await?;
    for payload in ["short", "", "longer again"] {
        kv.put("key", payload).await?;
        ensure_eq!(kv.get("key").await?, Some(bytes(payload)), "`key` after it was replaced");
    }
    ensure_eq!(kv.get("neighbour").await?, Some(bytes("stays")), "`neighbour`");
    ensure_eq!(kv.entries().await?.len(), 2, "the number of entries");
    Ok(())
}

async fn kv_2_delete_removes(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put_all([("a", "", "1"), ("b", "", "2"), ("c", "", "3")]).await?;
    kv.delete("b").await?;
    ensure_eq!(kv.get("b").await?, None, "the deleted key");
    ensure_eq!(kv.keys().await?, [bytes("a"), bytes("c")], "the keys that are left");
    Ok(())
}

async fn kv_2_deleting_what_is_absent_succeeds(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.delete("never there").await?;
    kv.put("key", "value").await?;
    kv.delete("key").await?;
    kv.delete("key").await?;
    ensure_eq!(kv.entries().await?.len(), 0, "the number of entries");
    Ok(())
}

async fn kv_2_a_deleted_record_can_be_put_again(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    for i in 0..20 {
        let payload = bytes(i.to_string());
        kv.put("key", &payload).await?;
        ensure_eq!(kv.get("key").await?, Some(payload), "`key` when put for time {i}");
        kv.delete("key").await?;
        ensure_eq!(kv.get("key").await?, None, "`key` when deleted for time {i}");
    }
    Ok(())
}

async fn kv_3_get_many_answers_in_the_order_asked(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put_all((0..100).step_by(2).map(|i| (format!("key{i}"), "", i.to_string()))).await?;
    let mut asked: Vec<usize> = (0..100).collect();
    let mut dice = cx.dice();
    for i in (1..asked.len()).rev() {
        asked.swap(i, dice.below(i + 1));
    }
    let at: Vec<_> = asked.iter().map(|i| kv.at(format!("key{i}"), "")).collect();
    let expected: Vec<_> = asked.iter().map(|i| (i % 2 == 0).then(|| bytes(i.to_string()))).collect();
    ensure_eq!(kv.get_many(&at).await?, expected, "many records");
    Ok(())
}

async fn kv_3_get_many_repeats_duplicates(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put("a", "1").await?;
    let at: Vec<_> = ["a", "b", "a", "a", "b"].iter().map(|key| kv.at(key, "")).collect();
    let found: Vec<_> = kv.store.get_many(&at).finish().await?.iter().map(Option::is_some).collect();
    ensure_eq!(found, [true, false, true, true, false], "which records were found");
    let one = Some(bytes("1"));
    ensure_eq!(kv.get_many(&at).await?, [one.clone(), None, one.clone(), one, None], "duplicates");
    Ok(())
}

async fn kv_3_get_many_of_nothing_is_nothing(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    ensure_eq!(kv.get_many(&[]).await?.len(), 0, "the number of answers");
    Ok(())
}

async fn kv_3_get_many_spans_states_and_groups(cx: &Context) -> Verdict {
    let store = cx.open().await?;
    let kv = State::register(&store, "kv", Model::Kv, |_| {}).await?;
    let map = State::register(&store, "map", Model::Map, |_| {}).await?;
    let mut at = Vec::new();
    for i in 0..20 {
        let key = format!("key{i}");
        kv.put(&key, format!("kv{i}")).await?;
        map.put_sub(&key, "sub", format!("map{i}")).await?;
        at.extend([map.at(&key, "sub"), kv.at(&key, ""), map.at(&key, "other")]);
    }
    let cells = store.get_many(&at).finish().await?;
    ensure_eq!(cells.len(), at.len(), "the number of answers");
    for (i, found) in cells.chunks(3).enumerate() {
        let key = format!("key{i}");
        let [Some(in_map), Some(in_kv), None] = found else {
            return Err(crate::failure::Failure::new(format!("the records of {key}: {found:?}")));
        };
        ensure_eq!(map.open(key.as_bytes(), b"sub", in_map)?, bytes(format!("map{i}")), "{key} in the map");
        ensure_eq!(kv.open(key.as_bytes(), b"", in_kv)?, bytes(format!("kv{i}")), "{key} in the kv");
    }
    Ok(())
}

async fn kv_3_get_many_answers_ten_thousand(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put_all((0..10_000).map(|i| (format!("key{i}"), "", i.to_string()))).await?;
    let at: Vec<_> = (0..10_000).rev().map(|i| kv.at(format!("key{i}"), "")).collect();
    let expected: Vec<_> = (0..10_000).rev().map(|i| Some(bytes(i.to_string()))).collect();
    ensure!(kv.get_many(&at).await? == expected, "some of ten thousand records are wrong");
    Ok(())
}

async fn kv_3_get_many_is_one_point_in_time(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let keys = kv.neighbours("key", 5);
    let at: Arc<Vec<_>> = Arc::new(keys.iter().map(|key| kv.at(key, "")).collect());
    let watch = {
        let kv = kv.clone();
        move || {
            let (kv, at) = (kv.clone(), at.clone());
            async move {
                let found = kv.get_many(&at).await?;
                ensure!(found.iter().all(|one| *one == found[0]), "one read shows two commits: {found:?}");
                Ok(())
            }
        }
    };
    let step = async |i: usize| {
        let all = keys.iter().map(|key| kv.putting(key, "", i.to_string())).collect();
        commit(&*kv.store, all).await?;
        Ok(())
    };
    cx.watching(watch, 300, step).await.map(drop)
}
