//! Turns: operations done and timed.

use std::{sync::Arc, time::Instant};

use hdrhistogram::Histogram;
use statehold_core::{Error, Result};
use tokio::{sync::Barrier, task::JoinSet};

use crate::{Client, Op, meter::Usage, protocol::Turned};

/// Of operations faster than [`FAST`], one in so many is timed.
const STRIDE: usize = 64;
/// Nanoseconds. Two looks at the clock take about 50.
const FAST: u64 = 4_000;
/// An hour, in nanoseconds: what takes longer is told as this.
const LONGEST: u64 = 3_600_000_000_000;

/// What one task measured.
struct Driven {
    checksum: u64,
    latency: Histogram<u64>,
    longest: u64,
}

fn nanos(from: Instant, to: Instant) -> u64 {
    u64::try_from((to - from).as_nanos()).unwrap_or(u64::MAX)
}

fn histogram() -> Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, LONGEST, 2).map_err(|e| Error::internal("no histogram").because(e))
}

/// Does `ops` one after the other, and times the first of each `stride`.
async fn drive(client: &mut impl Client, ops: Vec<Op>, stride: usize) -> Result<Driven> {
    let mut driven = Driven { checksum: 0, latency: histogram()?, longest: 0 };
    let mut ops = ops.into_iter();
    let mut at = Instant::now();
    while let Some(op) = ops.next() {
        driven.checksum = driven.checksum.wrapping_add(client.apply(op).await?);
        let mut end = Instant::now();
        driven.latency.saturating_record(nanos(at, end));
        if stride > 1 {
            for op in ops.by_ref().take(stride - 1) {
                driven.checksum = driven.checksum.wrapping_add(client.apply(op).await?);
            }
            end = Instant::now();
        }
        driven.longest = driven.longest.max(nanos(at, end));
        at = end;
    }
    Ok(driven)
}

/// Does `ops` by all `clients` at once, in equal shares. `pace` is what an operation took before, in nanoseconds.
pub(crate) async fn turn<C: Client>(clients: &mut Vec<C>, ops: Vec<Op>, pace: Option<u64>) -> Result<Turned> {
    let stride = if pace.is_some_and(|pace| pace < FAST) { STRIDE } else { 1 };
    Usage::reset_peak();
    let before = Usage::now();
    let (begun, end, parts) = match &mut clients[..] {
        [only] => {
            let begun = Instant::now();
            let driven = drive(only, ops, stride).await?;
            (begun, Instant::now(), vec![driven])
        }
        _ => together(clients, ops, stride).await?,
    };
    let usage = Usage::now().since(&before);
    let mut all = Driven { checksum: 0, latency: histogram()?, longest: 0 };
    for part in parts {
        all.checksum = all.checksum.wrapping_add(part.checksum);
        all.latency.add(&part.latency).map_err(|e| Error::internal("histograms differ").because(e))?;
        all.longest = all.longest.max(part.longest);
    }
    let latency = all.latency.iter_recorded().map(|it| (it.value_iterated_to(), it.count_at_value())).collect();
    Ok(Turned { nanos: nanos(begun, end), checksum: all.checksum, latency, longest: all.longest, usage })
}

/// A task for each client, all of which begin at the same time.
async fn together<C: Client>(
    clients: &mut Vec<C>,
    ops: Vec<Op>,
    stride: usize,
) -> Result<(Instant, Instant, Vec<Driven>)> {
    let barrier = Arc::new(Barrier::new(clients.len() + 1));
    let share = ops.len().div_ceil(clients.len().max(1)).max(1);
    let mut tasks = JoinSet::new();
    let mut ops = ops.into_iter();
    for mut client in clients.drain(..) {
        let share: Vec<Op> = ops.by_ref().take(share).collect();
        let barrier = barrier.clone();
        tasks.spawn(async move {
            barrier.wait().await;
            let driven = drive(&mut client, share, stride).await;
            (client, driven)
        });
    }
    let begun = Instant::now();
    barrier.wait().await;
    let mut parts = Vec::new();
    while let Some(task) = tasks.join_next().await {
        let (client, driven) = task.map_err(|e| Error::internal("a task of the bench panicked").because(e))?;
        clients.push(client);
        parts.push(driven?);
    }
    Ok((begun, Instant::now(), parts))
}
