//! Workloads: rows of operations, made from seeds.

mod batches;
mod checkpoints;
mod expected;
mod lists;
mod maps;
mod operations;
mod values;
mod ycsb;

use statehold_core::{Error, Result};

pub use expected::expected;

use crate::{Op, case::Case, input::Values, op::Step};

/// The operations of a row, by their number.
pub type Ops = Box<dyn Fn(usize) -> Op + Send>;

/// What a row does.
pub enum Work {
    /// Operations; called when the row begins, as inputs take memory.
    Ops(Box<dyn Fn() -> Ops + Send>),
    /// One step.
    Step(Step),
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ops(_) => f.write_str("Ops"),
            Self::Step(step) => step.fmt(f),
        }
    }
}

/// One line of a workload's table.
#[derive(Debug)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Whether it is told; what is not only makes the state that the next rows need.
    pub measured: bool,
    /// How many operations it has; one for a step.
    pub ops: usize,
    /// How many things it counts: operations, or what they iterate over. None for a step, whose time is told.
    pub count: Option<u64>,
    /// Whether its operations are keys alone. One task then makes them as it does them, in a few nanoseconds each:
    /// made ahead, and read from memory, they would push what the store keeps out of the processor's caches.
    pub keys_only: bool,
    /// What it does.
    pub work: Work,
}

impl Row {
    /// A row of `ops` operations, each of which counts.
    fn new(name: &str, ops: u64, begin: impl Fn() -> Ops + Send + 'static) -> Self {
        let work = Work::Ops(Box::new(begin));
        Self { name: name.to_owned(), measured: true, ops: ops as usize, count: Some(ops), keys_only: false, work }
    }

    fn step(name: &str, step: Step) -> Self {
        Self { name: name.to_owned(), measured: true, ops: 1, count: None, keys_only: false, work: Work::Step(step) }
    }

    /// A row of `ops` operations that are keys alone.
    fn keys(name: &str, ops: u64, begin: impl Fn() -> Ops + Send + 'static) -> Self {
        Self { keys_only: true, ..Self::new(name, ops, begin) }
    }

    /// Counts so many things instead of operations.
    fn counting(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    /// Is done outside the table.
    fn unmeasured(mut self) -> Self {
        self.measured = false;
        self
    }
}

/// A workload, as a user chooses it.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    /// Its name.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    rows: fn(&Case) -> Vec<Row>,
    sizes: Sizes,
}

/// Which cases a workload has.
#[derive(Debug, Clone, Copy)]
enum Sizes {
    /// One, with values of 100 bytes.
    One,
    /// Values of 100 bytes and of a kibibyte.
    Values,
    /// A tenth of the records, all, ten times as many; and all with memory for an eighth of them.
    Scale,
    /// 1, 8 and 64 tasks.
    Tasks,
}

/// Bytes of a value, unless the workload has several sizes.
const VALUE: usize = 100;

/// Every workload.
pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "operations",
        about: "each single operation, and a hundred at once",
        rows: operations::rows,
        sizes: Sizes::One,
    },
    Workload {
        name: "values",
        about: "the streaming-state set on key-value states",
        rows: values::rows,
        sizes: Sizes::One,
    },
    Workload { name: "maps", about: "the streaming-state set on maps", rows: maps::rows, sizes: Sizes::One },
    Workload { name: "lists", about: "the streaming-state set on lists", rows: lists::rows, sizes: Sizes::One },
    Workload {
        name: "checkpoints",
        about: "checkpoints, restores and rescaling",
        rows: checkpoints::rows,
        sizes: Sizes::One,
    },
    Workload { name: "ycsb-a", about: "half reads, half updates, zipfian", rows: ycsb::a, sizes: Sizes::Values },
    Workload { name: "ycsb-b", about: "95 % reads, 5 % updates, zipfian", rows: ycsb::b, sizes: Sizes::Values },
    Workload { name: "ycsb-c", about: "reads, zipfian", rows: ycsb::c, sizes: Sizes::Values },
    Workload { name: "ycsb-d", about: "95 % reads of the latest, 5 % inserts", rows: ycsb::d, sizes: Sizes::Values },
    Workload { name: "ycsb-e", about: "95 % short ranges, 5 % inserts, zipfian", rows: ycsb::e, sizes: Sizes::Values },
    Workload {
        name: "ycsb-f",
        about: "half reads, half read-modify-writes, zipfian",
        rows: ycsb::f,
        sizes: Sizes::Values,
    },
    Workload {
        name: "batches",
        about: "1, 10, 100 and 1,000 records in one call",
        rows: batches::rows,
        sizes: Sizes::One,
    },
    Workload {
        name: "words",
        about: "counting words whose frequency is zipfian",
        rows: values::words,
        sizes: Sizes::One,
    },
    Workload {
        name: "size",
        about: "as the state grows, and beyond its memory",
        rows: values::scale,
        sizes: Sizes::Scale,
    },
    Workload { name: "tasks", about: "1, 8 and 64 tasks at once", rows: values::scale, sizes: Sizes::Tasks },
];

impl Workload {
    /// Its cases around `n` records.
    #[must_use]
    pub fn cases(&self, n: u64) -> Vec<Case> {
        let case = Case { workload: self.name.to_owned(), n, value: VALUE, tasks: 1, tight: false };
        match self.sizes {
            Sizes::One => vec![case],
            Sizes::Values => [VALUE, 1024].map(|value| Case { value, ..case.clone() }).to_vec(),
            Sizes::Scale => [((n / 10).max(FEWEST), false), (n, false), (n * 10, false), (n, true)]
                .map(|(n, tight)| Case { n, tight, ..case.clone() })
                .to_vec(),
            Sizes::Tasks => [1, 8, 64].map(|tasks| Case { tasks, ..case.clone() }).to_vec(),
        }
    }
}

/// The rows of a case, in order.
///
/// # Errors
/// `InvalidInput` if there is no such workload, or it has too few records.
pub fn rows(case: &Case) -> Result<Vec<Row>> {
    let known = WORKLOADS.iter().find(|workload| workload.name == case.workload);
    let workload = known.ok_or_else(|| Error::invalid(format!("there is no workload `{}`", case.workload)))?;
    if case.n < FEWEST {
        return Err(Error::invalid(format!("{} records are too few", case.n)).advise(format!("take {FEWEST} or more")));
    }
    Ok((workload.rows)(case))
}

/// Records that every workload needs, so that no row of it is empty.
pub const FEWEST: u64 = 1_000;

/// A row that writes `n` records in random order, untold.
fn load(case: &Case) -> Row {
    let (n, values) = (case.n, Values::new(case.value));
    let per = BATCH.min(n);
    let batches = n.div_ceil(per);
    let row = Row::new("load", batches, move || {
        let (order, values) = (crate::input::permutation(n), values.clone());
        Box::new(move |at| {
            let from = at * per as usize;
            let keys = order.get(from..(from + per as usize).min(order.len())).unwrap_or_default();
            Op::PutMany(keys.iter().map(|key| (*key, values.of(*key, 0))).collect())
        })
    });
    row.counting(n).unmeasured()
}

/// Records in one batch of [`load`].
const BATCH: u64 = 500;

/// Keys of a row, looked up by number.
fn over(keys: Vec<u64>, op: impl Fn(u64) -> Op + Send + 'static) -> Ops {
    Box::new(move |at| op(keys.get(at).copied().unwrap_or_default()))
}
