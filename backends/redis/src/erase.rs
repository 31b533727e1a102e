//! Removing in bounded steps what nobody reads any more: dropped states, closed cuts.

use redis::Value;
use statehold_core::{KeyGroup, Result, StateId};

use crate::{
    inner::{Inner, answered},
    layout::place,
    link::{Lane, Link},
    names::Unit,
    reply,
    script::{ERASE, UNIT},
};

/// Removes the pre-images of a cut.
pub(crate) async fn cut(link: &Link, unit: &Unit, cut: u64) -> Result<()> {
    loop {
        let call = UNIT.on(&unit.meta).arg(unit.base.clone()).arg("sweep").arg(cut);
        let mut parts = answered(link.call(Lane::Life, &call).await?)?;
        if reply::number::<u64>(reply::next(&mut parts)?)? == 0 {
            return Ok(());
        }
    }
}

/// Removes the rows of all states that are gone, unless a cut is open that may show them: then later.
pub(crate) async fn leftovers(inner: &Inner) -> Result<()> {
    let gone = inner.catalog().gone.clone();
    let mut done = Vec::new();
    for (id, model) in &gone {
        if state(inner, StateId(*id), model).await? {
            done.push(*id);
        }
    }
    if done.is_empty() {
        return Ok(());
    }
    inner
        .change(|catalog| {
            let before = catalog.gone.len();
            catalog.gone.retain(|id, _| !done.contains(id));
            Ok((catalog.gone.len() < before).then_some(()))
        })
        .await?;
    Ok(())
}

/// Whether all of it could be removed.
async fn state(inner: &Inner, id: StateId, model: &str) -> Result<bool> {
    let link = inner.link()?;
    for (unit, groups) in inner.units() {
        for group in groups {
            if !in_group(&link, &unit, id, group, model).await? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

async fn in_group(link: &Link, unit: &Unit, id: StateId, group: KeyGroup, model: &str) -> Result<bool> {
    loop {
        let call = ERASE.on(&unit.meta).arg(unit.base.clone()).arg(place(group, id)).arg(model.to_owned());
        let answer = link.call(Lane::Life, &call).await?;
        let (word, mut parts) = reply::worded(answer)?;
        if word == "CUT" {
            return Ok(false);
        }
        if reply::next(&mut parts)? == Value::Int(0) {
            return Ok(true);
        }
    }
}
