//! What native checkpoints store anew when little changes between them, over many of them in a row.

use std::{collections::HashMap, fs, sync::Arc};

use statehold_bench_kit::input::{Values, permutation, uniform};
use statehold_benches::raw::disk;
use statehold_core::{Error, KeyGroup, KeyGroups, KeyShape, Model, Result, StateSpec, Store};

use crate::native::{GROUPS, door, mb, open, put};

/// By name and size: files of one session, which keep their bytes.
type Files = HashMap<(String, u64), ()>;

/// Bytes of stable files that the last cut had not, and of all others.
async fn fresh(store: &dyn Store, last: &mut Files) -> Result<(u64, u64)> {
    let cut = door(store)?.cut().await?;
    let files: Files = cut.files().iter().filter(|f| f.stable).map(|f| ((f.name.clone(), f.bytes), ())).collect();
    let new = files.keys().filter(|file| !last.contains_key(*file)).map(|(_, bytes)| bytes).sum();
    let all = cut.files().iter().map(|f| f.bytes).sum();
    for file in cut.files().iter().filter(|f| f.stable) {
        fs::metadata(&file.path).map_err(disk)?;
    }
    *last = files;
    Ok((new, all))
}

/// `rounds` checkpoints, before each of which `keys` of the round are written.
async fn rounds(
    name: &str,
    (store, state, values): (&Arc<dyn Store>, statehold_core::StateId, &Values),
    rounds: u64,
    keys: impl Fn(u64) -> Vec<u64>,
) -> Result<()> {
    let mut last = Files::new();
    fresh(&**store, &mut last).await?;
    let (mut sum, mut most, mut changed, mut size) = (0, 0, 0, 0);
    for round in 1..=rounds {
        let keys = keys(round);
        changed += keys.len() as u64 * 108;
        put(&**store, state, &keys, values, round + 10).await?;
        let (new, all) = fresh(&**store, &mut last).await?;
        (sum, most, size) = (sum + new, most.max(new), all);
    }
    println!(
        "{name:<28} {rounds:>3} rounds of {:>5.2} MB: new {:>6.2} MB on average ({:>4.1} x), {:>6.1} MB at most, {:>6.1} MB in all",
        mb(changed) / rounds as f64,
        mb(sum) / rounds as f64,
        sum as f64 / changed as f64,
        mb(most),
        mb(size)
    );
    Ok(())
}

/// Uniform changes of 1 %, and changes of one key group.
pub(crate) async fn run(n: u64, count: u64) -> Result<()> {
    let scratch = crate::scratch()?;
    let values = Values::new(100);
    let store = open(&scratch.path().join("store"), KeyGroups::all(GROUPS)?).await?;
    let spec = StateSpec { key_shape: KeyShape::Fixed(8), ..StateSpec::bytes("values", Model::Kv)? };
    let state = store.register(&spec).await?;
    put(&*store, state, &permutation(n), &values, 0).await?;
    // What is merged for the first time would be counted among the changes.
    store.compact().await?;
    let hot: Vec<u64> = (0..n).filter(|k| KeyGroup::of(&k.to_be_bytes(), GROUPS).0 == 77).collect();
    let one_percent = usize::try_from(n / 100).map_err(|e| Error::internal("too many keys").because(e))?;
    let at = (&store, state, &values);
    rounds("1 % uniform", at, count, |round| uniform(n, one_percent, round)).await?;
    rounds("one key group", at, count, |_| hot.clone()).await?;
    rounds("0.1 % uniform", at, count, |round| uniform(n, one_percent / 10, round)).await?;
    store.close().await
}
