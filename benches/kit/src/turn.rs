//! Turns: operations done and timed.

use std::{ops::Range, sync::Arc, time::Instant};

use hdrhistogram::Histogram;
use statehold_core::{Error, Result};
use tokio::{sync::Barrier, task::JoinSet};

use crate::{Client, Op, meter::Usage, protocol::Turned, workload::Ops};

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

/// Does the operations that `make` answers for `range` one after the other, and times the first of each `stride`. Each is
/// made where it stays: an iterator would hand it from place to place, which takes longer than all else here.
async fn drive(
    client: &mut impl Client,
    range: Range<usize>,
    mut make: impl FnMut(usize) -> Op,
    stride: usize,
) -> Result<Driven> {
    let mut driven = Driven { checksum: 0, latency: histogram()?, longest: 0 };
    let mut begun = Instant::now();
    for first in range.clone().step_by(stride) {
        let mut op = make(first);
        driven.checksum = driven.checksum.wrapping_add(client.apply(&mut op).await?);
        let mut end = Instant::now();
        driven.latency.saturating_record(nanos(begun, end));
        if stride > 1 {
            for at in first + 1..(first + stride).min(range.end) {
                let mut op = make(at);
                driven.checksum = driven.checksum.wrapping_add(client.apply(&mut op).await?);
            }
            end = Instant::now();
        }
        driven.longest = driven.longest.max(nanos(begun, end));
        begun = end;
    }
    Ok(driven)
}

/// What makes operations that were made ahead.
fn made(mut ops: Vec<Op>) -> (Range<usize>, impl FnMut(usize) -> Op) {
    (0..ops.len(), move |at| ops[at].take())
}

/// Operations of a row that are to be done.
pub(crate) struct Part<'a> {
    pub(crate) ops: &'a Ops,
    pub(crate) range: Range<usize>,
    /// See [`Row::keys_only`](crate::workload::Row::keys_only).
    pub(crate) keys_only: bool,
}

/// Does `part` by all `clients` at once, in equal shares. `pace` is what an operation took before, in nanoseconds.
pub(crate) async fn turn<C: Client>(clients: &mut Vec<C>, part: Part<'_>, pace: Option<u64>) -> Result<Turned> {
    let stride = if pace.is_some_and(|pace| pace < FAST) { STRIDE } else { 1 };
    let ahead = || part.range.clone().map(part.ops).collect();
    let clocked = match &mut clients[..] {
        [only] if part.keys_only => alone(only, (part.range, part.ops), stride).await?,
        [only] => alone(only, made(ahead()), stride).await?,
        _ => together(clients, ahead(), stride).await?,
    };
    let usage = Usage::now().since(&clocked.before);
    let mut all = Driven { checksum: 0, latency: histogram()?, longest: 0 };
    for part in clocked.parts {
        all.checksum = all.checksum.wrapping_add(part.checksum);
        all.latency.add(&part.latency).map_err(|e| Error::internal("histograms differ").because(e))?;
        all.longest = all.longest.max(part.longest);
    }
    let latency = all.latency.iter_recorded().map(|it| (it.value_iterated_to(), it.count_at_value())).collect();
    Ok(Turned {
        nanos: nanos(clocked.begun, clocked.end),
        checksum: all.checksum,
        latency,
        longest: all.longest,
        usage,
    })
}

/// What was measured between two looks at the clock.
struct Clocked {
    before: Usage,
    begun: Instant,
    end: Instant,
    parts: Vec<Driven>,
}

fn started() -> Usage {
    Usage::reset_peak();
    Usage::now()
}

async fn alone(
    client: &mut impl Client,
    (range, make): (Range<usize>, impl FnMut(usize) -> Op),
    stride: usize,
) -> Result<Clocked> {
    let before = started();
    let begun = Instant::now();
    let driven = drive(client, range, make, stride).await?;
    Ok(Clocked { before, begun, end: Instant::now(), parts: vec![driven] })
}

/// A task for each client, all of which begin at the same time.
async fn together<C: Client>(clients: &mut Vec<C>, ops: Vec<Op>, stride: usize) -> Result<Clocked> {
    let barrier = Arc::new(Barrier::new(clients.len() + 1));
    let share = ops.len().div_ceil(clients.len().max(1)).max(1);
    let mut tasks = JoinSet::new();
    let mut ops = ops.into_iter();
    for mut client in clients.drain(..) {
        let share: Vec<Op> = ops.by_ref().take(share).collect();
        let barrier = barrier.clone();
        tasks.spawn(async move {
            let (range, make) = made(share);
            barrier.wait().await;
            let driven = drive(&mut client, range, make, stride).await;
            (client, driven)
        });
    }
    let before = started();
    let begun = Instant::now();
    barrier.wait().await;
    let mut parts = Vec::new();
    while let Some(task) = tasks.join_next().await {
        let (client, driven) = task.map_err(|e| Error::internal("a task of the bench panicked").because(e))?;
        clients.push(client);
        parts.push(driven?);
    }
    Ok(Clocked { before, begun, end: Instant::now(), parts })
}
