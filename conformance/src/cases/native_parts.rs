//! KV-6, LIFE-6 and LIFE-7 of stores that declare native archives: the cut's time, parts in other ranges and among
//! other forms.

use std::sync::Arc;

use statehold_core::{ErrorKind, KeyGroups, Millis, Model, Revision, Store, collect};

use super::{
    native::put_random,
    recover::{filled, order, spoil},
};
use crate::{
    Case, Context,
    case::cases,
    contents::Contents,
    context::START,
    failure::{Failure, Verdict, ensure, ensure_eq, refused},
    native::{Kept, door, published, restore},
    state::{State, bytes, only_revision},
    tape::Tape,
};

pub(super) const CASES: &[Case] = cases![Functional:
    kv_6_a_clock_that_goes_back_revives_nothing_after_a_native_cut(Native, Ttl, Persistent),
    life_6_native_parts_recover_into_other_ranges(Native),
    life_6_parts_that_disagree_or_do_not_fit_are_refused(Native),
    life_6_after_a_scale_out_no_file_has_rows_outside(Native),
    life_7_revisions_expiries_and_lists_survive_a_native_recover(Native, Revisions, Ttl),
    life_7_native_and_portable_recover_alternate(Native, Snapshots, Loading),
];

/// Every row of every state, ordinals of lists left out, in all `stores` together.
async fn contents(stores: &[&Arc<dyn Store>]) -> Result<Contents, Failure> {
    let mut all = Contents::of(&**stores[0]).await?;
    for store in &stores[1..] {
        for (name, lines) in Contents::of(&***store).await?.0 {
            all.0.entry(name).or_default().extend(lines);
        }
    }
    for lines in all.0.values_mut() {
        lines.sort_by_key(|(group, ..)| *group);
    }
    Ok(all)
}

/// A store somewhere else.
struct There {
    store: Arc<dyn Store>,
    _site: Context,
}

/// A store of some groups, made of `parts`.
async fn recovered(cx: &Context, groups: KeyGroups, parts: &[&Kept]) -> Result<There, Failure> {
    let site = cx.elsewhere()?;
    let store = site.open_with(|request| request.groups = groups).await?;
    // Numbers of its own, and content that goes.
    for name in ["unrelated", "list", "kv"] {
        State::register(&store, name, Model::Map, |_| {}).await?;
    }
    let needed: Vec<&Kept> = parts.iter().filter(|part| part.groups.overlaps(&groups)).copied().collect();
    restore(&store, &needed).await?;
    Ok(There { store, _site: site })
}

async fn kv_6_a_clock_that_goes_back_revives_nothing_after_a_native_cut(cx: &Context) -> Verdict {
    let kv = cx.state(Model::Kv, |s| s.ttl = true).await?;
    let then = Millis(START.0 + 100);
    kv.put_until("key", "value", then).await?;
    cx.clock.set(then);
    let kept = Kept::of(&*kv.store).await?;
    cx.clock.set(START);
    let there = cx.elsewhere()?;
    let other = there.open().await?;
    restore(&other, &[&kept]).await?;
    let reopened = cx.reopen(kv.store.clone()).await?;
    for (store, what) in [(other, "that the cut was recovered into"), (reopened, "that was cut and opened again")] {
        ensure!(store.now() >= then, "the time of the store {what} went back to {:?}", store.now());
        ensure_eq!(
            kv.again(&store).await?.get("key").await?,
            None,
            "`key`, expired before the cut, in the store {what}"
        );
    }
    Ok(())
}

async fn life_6_native_parts_recover_into_other_ranges(cx: &Context) -> Verdict {
    let states = filled(cx).await?;
    let store = states[0].store.clone();
    let before = contents(&[&store]).await?;
    let whole = Kept::of(&*store).await?;
    let range = |start, end| KeyGroups::new(start..end, 4);
    let halves = [recovered(cx, range(0, 2)?, &[&whole]).await?, recovered(cx, range(2, 4)?, &[&whole]).await?];
    ensure_eq!(contents(&[&halves[0].store, &halves[1].store]).await?, before, "the contents of two halves");

    // From here on they go their own ways: states of one only, other numbers, other schemas.
    let only = State::register(&halves[1].store, "only", Model::Kv, |_| {}).await?;
    let key = only.neighbours("key", 1).remove(0);
    only.put(&key, "in one half").await?;
    let kv = states[0].again(&halves[0].store).await?;
    let key = kv.neighbours("fresh", 1).remove(0);
    kv.put(&key, "in the other").await?;
    State::of_spec(&halves[0].store, statehold_core::StateSpec { schema_version: 1, ..kv.spec.clone() }).await?;
    let before = contents(&[&halves[0].store, &halves[1].store]).await?;
    let parts = [Kept::of(&*halves[0].store).await?, Kept::of(&*halves[1].store).await?];
    let parts: Vec<&Kept> = parts.iter().rev().collect();

    let joined = recovered(cx, range(0, 4)?, &parts).await?;
    ensure_eq!(contents(&[&joined.store]).await?, before, "the contents of two halves joined");
    let specs = joined.store.states().await?;
    let version = specs.iter().find(|(_, spec)| spec.name == "kv").map(|(_, spec)| spec.schema_version);
    ensure_eq!(version, Some(1), "the schema of a state that is newer in one part");
    let mut thirds = Vec::new();
    for (start, end) in [(0, 1), (1, 3), (3, 4)] {
        thirds.push(recovered(cx, range(start, end)?, &parts).await?);
    }
    let mut found = contents(&[&thirds[0].store, &thirds[1].store, &thirds[2].store]).await?;
    found.0.retain(|_, lines| !lines.is_empty());
    ensure_eq!(found, before, "the contents of three thirds");
    for there in halves.iter().chain([&joined]).chain(&thirds) {
        there.store.close().await?;
    }
    Ok(())
}

async fn life_6_parts_that_disagree_or_do_not_fit_are_refused(cx: &Context) -> Verdict {
    let mut parts = Vec::new();
    for (range, model) in [(0..2, Model::Kv), (2..4, Model::List)] {
        let groups = KeyGroups::new(range, 4)?;
        let there = cx.elsewhere()?;
        let store = there.open_with(|request| request.groups = groups).await?;
        State::register(&store, "state", model, |_| {}).await?;
        parts.push(Kept::of(&*store).await?);
    }
    let kv = cx.kv().await?;
    kv.put("key", "stays").await?;
    let store = &kv.store;
    refused(
        published(store, &[&parts[0], &parts[1]]).await?,
        ErrorKind::Conflict,
        "parts with other types of a state",
    )?;
    refused(published(store, &[&parts[0]]).await?, ErrorKind::InvalidInput, "half of the parts")?;
    let mut wrong = parts.remove(0);
    wrong.groups = KeyGroups::new(0..4, 4)?;
    refused(published(store, &[&wrong]).await?, ErrorKind::InvalidInput, "a part that is not of all groups")?;
    let mut loader = door(&**store)?.loader(store.groups()).await?;
    let mut part = |range, total| loader.part(KeyGroups::new(range, total)?, START, 0);
    refused(part(0..2, 8), ErrorKind::InvalidInput, "a part of another `key_groups`")?;
    part(0..3, 4)?;
    refused(part(2..4, 4), ErrorKind::InvalidInput, "parts that overlap")?;
    let unheard_of = loader.part(KeyGroups::new(3..4, 4)?, START, u32::MAX);
    refused(unheard_of, ErrorKind::InvalidInput, "an incarnation that nothing is above")?;
    let foreign = door(&**store)?.loader(KeyGroups::new(0..2, 8)?).await.map(drop);
    refused(foreign, ErrorKind::InvalidInput, "a loader of another `key_groups`")?;
    ensure_eq!(kv.get("key").await?, Some(bytes("stays")), "`key` after the refusals");
    Ok(())
}

async fn life_6_after_a_scale_out_no_file_has_rows_outside(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    // Files of several kinds: compacted ones, and fresh ones above them.
    put_random(cx, &kv, 1500, 1000).await?;
    kv.store.compact().await?;
    let payloads = put_random(cx, &kv, 500, 1000).await?;
    let whole = Kept::of(&*kv.store).await?;
    let size = whole.bytes()?;
    for range in [0..2, 2..4, 1..3] {
        let groups = KeyGroups::new(range, 4)?;
        let there = recovered(cx, groups, &[&whole]).await?;
        let part = Kept::of(&*there.store).await?;
        there.store.close().await?;
        ensure!(part.bytes()? < size * 3 / 4, "of {size} bytes the cut of {groups} has {}", part.bytes()?);
        for (i, payload) in payloads.iter().enumerate().step_by(7) {
            // Random bytes are not compressed: a row is found by what it holds.
            let wanted = groups.contains(kv.group(format!("key{i}").as_bytes()));
            let middle = &payload[400..464];
            ensure!(whole.holds(middle)?, "the payload of key{i} is in no file of the whole");
            ensure_eq!(part.holds(middle)?, wanted, "whether a file of {groups} has the payload of key{i}");
        }
    }
    Ok(())
}

async fn life_7_revisions_expiries_and_lists_survive_a_native_recover(cx: &Context) -> Verdict {
    let store = cx.open().await?;
    let kv = State::register(&store, "kv", Model::Kv, |s| (s.revisions, s.ttl) = (true, true)).await?;
    let list = State::register(&store, "list", Model::List, |s| s.ttl = true).await?;
    let keys = kv.neighbours("key", 30);
    for (i, key) in keys.iter().chain(keys.iter().step_by(3)).enumerate() {
        kv.put_until(key, "value", Millis(START.0 + 1000 + i as u64 % 2 * 1000)).await?;
    }
    for (key, at) in [("short", 1000), ("long", 2000)] {
        list.commit(list.appending(key, &["1", "2"], Some(Millis(START.0 + at)))).await?;
    }
    let before = collect(&*store, kv.scan(kv.group(&keys[0]))).await?;
    let kept = Kept::of(&*store).await?;
    let there = cx.elsewhere()?;
    let other = there.open().await?;
    restore(&other, &[&kept]).await?;
    let (kv, list) = (kv.again(&other).await?, list.again(&other).await?);
    ensure_eq!(collect(&*other, kv.scan(kv.group(&keys[0]))).await?, before, "the rows with revisions and expiries");
    let newest = only_revision(&kv.put_until(&keys[0], "new", Millis(START.0 + 9000)).await?)?;
    let oldest: Revision = before.iter().map(|row| row.cell.revision).max().unwrap_or_default();
    ensure!(newest > oldest, "the revision {newest:?} of a new record is not above {oldest:?}");
    ensure_eq!(order(before).len(), keys.len(), "the number of records");
    list.commit(list.appending("long", &["3"], Some(Millis(START.0 + 2000)))).await?;
    ensure_eq!(list.elements("long").await?, ["1", "2", "3"].map(bytes), "a list that was appended to");
    there.clock.advance(1000);
    ensure_eq!(list.elements("short").await?.len(), 0, "the elements of an expired list");
    ensure_eq!(list.elements("long").await?.len(), 3, "the elements of a list that lives");
    there.clock.advance(1000);
    ensure_eq!(kv.keys().await?, [keys[0].clone()], "the keys that did not expire");
    Ok(())
}

async fn life_7_native_and_portable_recover_alternate(cx: &Context) -> Verdict {
    let states = filled(cx).await?;
    let store = states[0].store.clone();
    let kept = Kept::of(&*store).await?;
    let native = Contents::of(&*store).await?;
    spoil(&states).await?;
    let tape = Tape::record(&*store, store.groups()).await?;
    let portable = Contents::of(&*store).await?;
    for i in 0..2 {
        restore(&store, &[&kept]).await?;
        ensure_eq!(Contents::of(&*store).await?, native, "the contents after native recovery {i}");
        tape.restore(&*store, store.groups()).await?;
        ensure_eq!(Contents::of(&*store).await?, portable, "the contents after portable recovery {i}");
    }
    restore(&store, &[&Kept::of(&*store).await?]).await?;
    let again = Tape::record(&*store, store.groups()).await?;
    restore(&store, &[&kept]).await?;
    again.restore(&*store, store.groups()).await?;
    ensure_eq!(Contents::of(&*store).await?, portable, "the contents after all of them");
    Ok(())
}
