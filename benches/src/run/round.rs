//! [`Round`]: one repetition of a case on one store, all sides in turns.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use indicatif::ProgressBar;
use statehold::{Error, ErrorKind, Result};
use statehold_bench_kit::{
    case::{Case, Open},
    protocol::Turned,
    workload::{Row, Work, rows},
};

use super::Store;
use crate::{
    place::Spot,
    process::{Can, SideProcess},
};

/// Turns of a row: all sides do a fifth of it, then the next. A machine whose speed drifts slows all of them.
pub(super) const TURNS: usize = 5;

/// One repetition.
pub(super) struct Round<'a> {
    pub(super) config: &'a Path,
    pub(super) store: &'a Store,
    pub(super) case: &'a Case,
    pub(super) memory: usize,
    /// Whether allocations are counted, and times mean nothing.
    pub(super) counts: bool,
    pub(super) root: &'a Path,
    pub(super) bar: &'a ProgressBar,
    pub(super) stop: &'a AtomicBool,
}

/// What a side did with one row.
pub(super) struct RowDone {
    pub(super) row: String,
    pub(super) count: Option<u64>,
    pub(super) ops: usize,
    pub(super) turns: Can<Vec<Turned>>,
}

/// What a side did.
pub(super) struct SideDone {
    pub(super) side: String,
    /// Durability and engine; why not, if it could not be opened.
    pub(super) opened: Can<(String, Option<String>)>,
    pub(super) rows: Vec<RowDone>,
}

/// A side that takes part.
struct Player {
    process: SideProcess,
    done: SideDone,
    /// Why it can no longer: it could not do what the next rows build on.
    out: Option<String>,
}

impl Round<'_> {
    async fn start(&self, side: &str, spot: &Spot) -> Result<Can<SideProcess>> {
        let open = Open {
            side: side.to_owned(),
            kind: self.store.described.kind.clone(),
            config: self.config.to_owned(),
            store: self.store.name.clone(),
            durability: Some(self.store.durability.clone()),
            memory: self.memory,
            place: spot.place.clone(),
            case: self.case.clone(),
        };
        SideProcess::start(open, self.counts).await
    }

    /// Does the case by all of `sides`.
    ///
    /// # Errors
    /// What a side failed with.
    pub(super) async fn run(&self, sides: &[&str]) -> Result<Vec<SideDone>> {
        let mut spots = Vec::new();
        let played = self.play(sides, &mut spots).await;
        // Even if a side failed, nothing stays.
        let mut erased = Ok(());
        for spot in spots {
            erased = self.store.site.erase(spot).await.and(erased);
        }
        let played = played?;
        erased.map(|()| played)
    }

    async fn play(&self, sides: &[&str], spots: &mut Vec<Spot>) -> Result<Vec<SideDone>> {
        let (mut players, mut absent) = (Vec::new(), Vec::new());
        for side in sides {
            let spot = self.store.site.spot(self.root)?;
            let started = self.start(side, &spot).await;
            spots.push(spot);
            let mut done = SideDone { side: (*side).to_owned(), opened: Err(String::new()), rows: Vec::new() };
            match started? {
                Err(reason) => {
                    done.opened = Err(reason);
                    absent.push(done);
                }
                Ok(process) => {
                    done.opened = Ok((process.durability.clone(), process.engine.clone()));
                    players.push(Player { process, done, out: None });
                }
            }
        }
        for (number, row) in rows(self.case)?.iter().enumerate() {
            self.row(number, row, &mut players).await?;
        }
        for player in players {
            player.process.close().await?;
            absent.push(player.done);
        }
        Ok(absent)
    }

    async fn row(&self, number: usize, row: &Row, players: &mut [Player]) -> Result<()> {
        let gone = players.iter().filter(|player| player.out.is_some());
        let was_out: Vec<String> = gone.map(|player| player.done.side.clone()).collect();
        let mut turns: Vec<Can<Vec<Turned>>> =
            players.iter().map(|player| player.out.clone().map_or(Ok(Vec::new()), Err)).collect();
        let size = row.ops.div_ceil(TURNS).max(1);
        for (turn, from) in (0..row.ops).step_by(size).enumerate() {
            // Whoever comes later may find the machine warm: they take turns in that too.
            for place in 0..players.len() {
                let at = (place + turn) % players.len();
                let (Some(player), Some(Ok(done))) = (players.get_mut(at), turns.get_mut(at)) else { continue };
                match player.process.turn(number, from, (from + size).min(row.ops)).await? {
                    Ok(turned) => done.push(turned),
                    Err(reason) => {
                        // What the next rows read is not there.
                        if !row.measured || matches!(row.work, Work::Step(_)) {
                            player.out = Some(reason.clone());
                        }
                        if let Some(turns) = turns.get_mut(at) {
                            *turns = Err(reason);
                        }
                    }
                }
                self.bar.inc(1);
                if self.stop.load(Ordering::Relaxed) {
                    return Err(Error::new(
                        ErrorKind::Unavailable,
                        "the bench was stopped, and has removed what it made",
                    )
                    .advise("run it again for a report"));
                }
            }
        }
        if row.measured {
            for (player, turns) in players.iter_mut().zip(turns) {
                // Said once, of the row that it could not do.
                if was_out.contains(&player.done.side) {
                    continue;
                }
                let (name, count, ops) = (row.name.clone(), row.count, row.ops);
                player.done.rows.push(RowDone { row: name, count, ops, turns });
            }
        }
        Ok(())
    }
}
