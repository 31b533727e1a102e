//! [`Bench`]: what is to be measured, and the measuring.

mod collect;
mod machine;
mod round;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use statehold::{Descriptor, Error, ErrorKind, Result, StoreDescriptor};
use statehold_bench_kit::{
    case::Case,
    workload::{FEWEST, WORKLOADS, Workload, rows},
};

use self::{
    collect::Collected,
    round::{Round, TURNS},
};
use crate::{
    place::Site,
    report::{Report, SCHEMA, StoreInfo, ratios},
};

/// Against what statehold is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// The engine's own driver, used by hand.
    Raw,
    /// Other libraries over the same engine.
    Peers,
}

/// What is to be measured.
#[derive(Debug, Clone)]
pub struct Bench {
    /// The descriptor's file; its stores' settings are taken, their data never touched.
    pub config: PathBuf,
    /// Workloads, by name; all if none is named.
    pub workloads: Vec<String>,
    /// Stores, by the descriptor's names; all if none is named.
    pub stores: Vec<String>,
    /// Beside what.
    pub against: Vec<Against>,
    /// Records, for engines in this process; those with a server get a tenth.
    pub n: u64,
    /// Repetitions, each on an empty store.
    pub repeat: usize,
    /// Whether progress is shown on standard error, if that is a terminal.
    pub progress: bool,
    /// Set by whoever wants it to stop: it does after the turn that is under way, and removes what it made.
    pub stop: Arc<AtomicBool>,
}

/// Engines with a server get so many times fewer records: a call takes as much longer, and more.
const SERVED: u64 = 10;
/// With memory for one part in so many.
const TIGHT: usize = 8;
/// Bytes of a record beside its value: key, group, envelope.
const OVERHEAD: usize = 24;
/// What every engine needs, however small its state.
const LEAST_MEMORY: usize = 8 << 20;
/// Copies of the state that may be on the disk at a time: store, log, checkpoints, and those of every side.
const COPIES: u64 = 8;

/// A store of the run.
pub(crate) struct Store {
    pub(crate) name: String,
    pub(crate) described: StoreDescriptor,
    pub(crate) durability: String,
    pub(crate) site: Site,
}

impl Store {
    fn served(&self) -> bool {
        matches!(&*self.described.kind, "redis" | "postgres")
    }
}

impl Bench {
    fn chosen_workloads(&self) -> Result<Vec<Workload>> {
        let named = |name: &String| {
            let found = WORKLOADS.iter().find(|workload| workload.name == name).copied();
            found.ok_or_else(|| {
                let known: Vec<_> = WORKLOADS.iter().map(|workload| workload.name).collect();
                Error::invalid(format!("there is no workload `{name}`")).advise(format!("name {}", known.join(", ")))
            })
        };
        if self.workloads.is_empty() { Ok(WORKLOADS.to_vec()) } else { self.workloads.iter().map(named).collect() }
    }

    fn chosen_stores(&self, descriptor: &Descriptor) -> Result<Vec<(String, StoreDescriptor)>> {
        if let Some(name) = self.stores.iter().find(|name| !descriptor.stores.contains_key(*name)) {
            let known: Vec<_> = descriptor.stores.keys().map(String::as_str).collect();
            return Err(Error::new(ErrorKind::NotFound, format!("the descriptor has no store `{name}`"))
                .advise(format!("name {}", known.join(", "))));
        }
        let chosen = |name: &&String| self.stores.is_empty() || self.stores.contains(name);
        let stores = descriptor.stores.keys().filter(chosen);
        Ok(stores.filter_map(|name| Some((name.clone(), descriptor.stores.get(name)?.clone()))).collect())
    }

    /// The sides of a store in a case.
    fn sides(&self, descriptor: &Descriptor, store: &Store) -> Vec<&'static str> {
        let mut sides = vec!["typed"];
        let memory = &descriptor.memory;
        if store.described.write_buffer.unwrap_or(memory.write_buffer) > 0 || memory.cache > 0 {
            sides.push("direct");
        }
        sides.push("spi");
        if self.against.contains(&Against::Raw) {
            sides.push("raw");
            if store.described.kind == "memory" {
                sides.push("dry");
            }
        }
        if self.against.contains(&Against::Peers) {
            sides.push("opendal");
        }
        sides
    }

    /// A case as a store takes it.
    fn sized(store: &Store, case: &Case) -> Case {
        let n = if store.served() { (case.n / SERVED).max(FEWEST) } else { case.n };
        Case { n, ..case.clone() }
    }

    /// What case `number` is on a store. None if it was there before: small ones are rounded up, and may become alike.
    fn on(store: &Store, cases: &[Case], number: usize) -> Option<Case> {
        let case = Self::sized(store, cases.get(number)?);
        let mut before = cases.iter().take(number).map(|earlier| Self::sized(store, earlier));
        (!before.any(|earlier| earlier == case)).then_some(case)
    }

    /// Measures everything.
    ///
    /// # Errors
    /// - `InvalidInput` or `NotFound` for a wrong descriptor, workload or store, before anything is begun.
    /// - `ResourceExhausted` if the disk has no room for it.
    /// - `Unavailable` if it was stopped.
    /// - What a side failed with. Everything that was made is removed in each case.
    pub async fn run(&self) -> Result<Report> {
        let config =
            std::path::absolute(&self.config).map_err(|e| Error::invalid("no working directory").because(e))?;
        let descriptor = Descriptor::from_file(&config)?;
        let workloads = self.chosen_workloads()?;
        if self.n < FEWEST || self.repeat == 0 {
            return Err(Error::invalid(format!("{} records, {} times", self.n, self.repeat))
                .advise(format!("take {FEWEST} records or more, once or more often")));
        }
        if self.against.contains(&Against::Peers) {
            crate::process::program("opendal")?;
        }
        let stores = self.chosen_stores(&descriptor)?;
        let root = tempfile::Builder::new().prefix("statehold-bench-").tempdir();
        let root = root.map_err(|e| Error::new(ErrorKind::ResourceExhausted, "no temporary folder").because(e))?;
        let cases: Vec<Case> = workloads.iter().flat_map(|workload| workload.cases(self.n)).collect();
        room(root.path(), &cases)?;
        let stores: Vec<Store> = stores
            .into_iter()
            .map(|(name, described)| {
                let durability = described.durability.map_or("visible", |level| level.as_str()).to_owned();
                let site = Site::open(&described, &durability).map_err(|e| e.in_store(name.clone()))?;
                Ok(Store { name, described, durability, site })
            })
            .collect::<Result<_>>()?;
        self.measured(&config, &descriptor, &stores, &cases, root.path()).await
    }

    async fn measured(
        &self,
        config: &Path,
        descriptor: &Descriptor,
        stores: &[Store],
        cases: &[Case],
        root: &Path,
    ) -> Result<Report> {
        let bar = self.bar(descriptor, stores, cases)?;
        let mut collected = Collected::default();
        for number in 0..cases.len() {
            // A tenth on a store that is thrown away, when allocations are counted too; then all.
            for repetition in 0..=self.repeat {
                for store in stores {
                    let Some(full) = Self::on(store, cases, number) else { continue };
                    let memory = Self::memory(descriptor, &full);
                    let counts = repetition == 0;
                    let case =
                        if counts { Case { n: (full.n / 10).max(FEWEST), ..full.clone() } } else { full.clone() };
                    bar.set_message(format!("{} on {}", case.workload, store.name));
                    let sides = self.sides(descriptor, store);
                    let round = Round { config, store, case: &case, memory, counts, root, bar: &bar, stop: &self.stop };
                    let measured = round.run(&sides).await.map_err(|e| e.in_store(store.name.clone()))?;
                    if counts {
                        collected.count(&store.name, &full, measured);
                    } else {
                        collected.add(&store.name, &case, measured)?;
                    }
                }
            }
        }
        bar.finish_and_clear();
        let kind =
            |name: &str| stores.iter().find(|store| store.name == name).map(|store| store.described.kind.clone());
        let (rows, skipped, engines) = collected.finish();
        let ratios = ratios(&rows, |name| kind(name).unwrap_or_default());
        let told = stores.iter().map(|store| StoreInfo {
            name: store.name.clone(),
            kind: store.described.kind.clone(),
            engine: engines.get(&store.name).cloned(),
            place: store.site.described.to_owned(),
        });
        Ok(Report {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            at: machine::now(),
            machine: machine::machine(),
            repeat: self.repeat,
            stores: told.collect(),
            rows,
            ratios,
            skipped,
        })
    }

    /// Bytes of memory for each side.
    fn memory(descriptor: &Descriptor, case: &Case) -> usize {
        let memory = &descriptor.memory;
        let given = memory.engine + memory.write_buffer + memory.cache;
        let state = case.n as usize * (case.value + OVERHEAD);
        if case.tight { (state / TIGHT).max(LEAST_MEMORY).min(given) } else { given }
    }

    fn bar(&self, descriptor: &Descriptor, stores: &[Store], cases: &[Case]) -> Result<ProgressBar> {
        let mut turns = 0;
        for number in 0..cases.len() {
            for store in stores {
                let Some(case) = Self::on(store, cases, number) else { continue };
                let ops: u64 = rows(&case)?.iter().map(|row| row.ops.min(TURNS) as u64).sum();
                turns += ops * self.sides(descriptor, store).len() as u64 * (self.repeat as u64 + 1);
            }
        }
        let target = if self.progress { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(turns), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent} %, {eta} left: {msg}") {
            bar.set_style(style);
        }
        Ok(bar)
    }
}

/// Refuses what the disk would have no room for.
fn room(root: &Path, cases: &[Case]) -> Result<()> {
    let most = cases.iter().map(|case| case.n * (case.value + OVERHEAD) as u64).max().unwrap_or(0) * COPIES;
    let stat = rustix::fs::statvfs(root).map_err(|e| Error::internal("the disk's room is unknown").because(e))?;
    let free = stat.f_bavail * stat.f_frsize;
    if free < most {
        let need = format!("{} MB are free at {}, about {} are needed", free >> 20, root.display(), most >> 20);
        return Err(Error::new(ErrorKind::ResourceExhausted, need)
            .advise("take a smaller --n, or set TMPDIR to a folder on another disk"));
    }
    Ok(())
}
