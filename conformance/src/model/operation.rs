//! [`Operation`]: one step of a random sequence, and how it is drawn.

use proptest::{
    collection::vec,
    option,
    prelude::{Just, Strategy, any},
    prop_oneof,
    strategy::BoxedStrategy,
};
use statehold_core::{Capabilities, KeyGroup, KeyShape, Model};

/// A state of the model.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) model: Model,
    pub(super) shape: KeyShape,
    pub(super) revisions: bool,
    pub(super) ttl: bool,
}

impl Table {
    /// The states of the model: names and keys are prefixes of each other, on purpose.
    pub(super) fn all(of: &Capabilities) -> Vec<Self> {
        let variable = |name, model, revisions, ttl| Self {
            name,
            model,
            shape: KeyShape::Variable,
            revisions: revisions && of.revisions,
            ttl: ttl && of.ttl,
        };
        vec![
            variable("a", Model::Kv, false, false),
            variable("a.b", Model::Kv, true, true),
            variable("ab", Model::Map, true, false),
            Self { shape: KeyShape::Fixed(2), ..variable("ab_", Model::Map, false, true) },
            variable("b", Model::List, false, false),
            variable("b0", Model::List, false, true),
        ]
    }

    /// The key of a number: few, so that they meet again.
    pub(super) fn key(&self, number: u8) -> &'static [u8] {
        const VARIABLE: [&[u8]; 8] = [b"a", b"a\0", b"a\0\0", b"a\xFF", b"ab", b"\0", b"\xFF", b"\xFF\xFF"];
        const FIXED: [&[u8]; 4] = [b"aa", b"a\0", b"\0\0", b"\xFF\xFF"];
        match self.shape {
            KeyShape::Fixed(_) => FIXED[usize::from(number) % FIXED.len()],
            KeyShape::Variable => VARIABLE[usize::from(number) % VARIABLE.len()],
        }
    }
}

/// The subkey of a number.
pub(super) fn subkey(number: u8) -> &'static [u8] {
    const SUBS: [&[u8]; 6] = [b"", b"\0", b"\0\xFF", b"a", b"ab", b"\xFF"];
    SUBS[usize::from(number) % SUBS.len()]
}

/// The payload of a number: empty, short and long ones.
pub(super) fn payload(number: u8) -> Vec<u8> {
    vec![number; usize::from(number % 7) * if number == 255 { 2000 } else { 1 }]
}

/// What happens to a record or key. Which of them a state takes depends on its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Put { sub: u8, payload: u8, ttl: Option<u8> },
    Delete { sub: u8 },
    DeleteSubs { from: u8, until: Option<u8> },
    Append { count: u8, payload: u8, ttl: Option<u8> },
    Trim { count: u8 },
}

/// One change of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) table: usize,
    pub(super) key: u8,
    pub(super) what: What,
}

/// What is asked of a record before a batch is applied. Revisions and values
/// are the record's own at that time, or never were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Absent,
    Present,
    SameValue,
    OtherValue,
    SameRevision,
    OtherRevision,
}

/// A condition of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Doubt {
    pub(super) table: usize,
    pub(super) key: u8,
    pub(super) sub: u8,
    pub(super) ask: Ask,
}

/// Whose marker a batch carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    None,
    Fresh(usize),
    /// The writer's last commit, sent again.
    Repeat(usize),
    /// The writer's last commit under the number before.
    Older(usize),
}

/// Which part of a group a scan wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    All,
    Keys(u8, u8),
    Subs(u8, u8, u8),
}

/// One step.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    Commit {
        changes: Vec<Change>,
        doubts: Vec<Doubt>,
        mark: Mark,
    },
    Read {
        table: usize,
        records: Vec<(u8, u8)>,
    },
    /// Begins a scan and reads its first page; it goes on beside later steps.
    Scan {
        table: usize,
        group: u16,
        part: Part,
        rows: usize,
    },
    /// Reads the next page of the scan.
    Page {
        rows: usize,
    },
    List {
        table: usize,
        key: u8,
        rows: usize,
    },
    Advance(u8),
    /// The clock goes back, after something that fixed the floor of time.
    ClockBack(u8),
    Finish,
    Compact,
    Cut,
    CheckCut,
    Archive,
    Recover,
    Drop {
        table: usize,
    },
    Reopen,
}

/// How many writers send markers.
pub(super) const WRITERS: usize = 2;

fn change(tables: &[Table]) -> BoxedStrategy<Change> {
    let models: Vec<Model> = tables.iter().map(|t| t.model).collect();
    let drawn =
        (0..models.len(), any::<u8>(), 0..10u8, any::<(u8, u8)>(), option::of(0..40u8), option::of(any::<u8>()));
    drawn
        .prop_map(move |(table, key, kind, (x, y), ttl, until)| {
            let what = match (models[table], kind) {
                (Model::List, 0) => What::DeleteSubs { from: 0, until: None },
                (Model::List, 1 | 2) => What::Trim { count: x % 5 },
                (Model::List, _) => What::Append { count: 1 + x % 4, payload: y, ttl },
                (Model::Map, 0) => What::DeleteSubs { from: x, until },
                (Model::Map, 1 | 2) => What::Delete { sub: x },
                (Model::Map, _) => What::Put { sub: x, payload: y, ttl },
                (_, 0 | 1) => What::Delete { sub: 0 },
                _ => What::Put { sub: 0, payload: y, ttl },
            };
            Change { table, key, what }
        })
        .boxed()
}

fn doubt(tables: &[Table]) -> BoxedStrategy<Doubt> {
    // Records of lists have no names that a model could know.
    let records: Vec<usize> = (0..tables.len()).filter(|i| tables[*i].model != Model::List).collect();
    let (models, revised): (Vec<_>, Vec<_>) = tables.iter().map(|t| (t.model, t.revisions)).unzip();
    (proptest::sample::select(records), any::<(u8, u8)>(), 0..6u8)
        .prop_map(move |(table, (key, sub), ask)| {
            let ask = match ask {
                0 => Ask::Absent,
                1 => Ask::Present,
                4 if revised[table] => Ask::SameRevision,
                5 if revised[table] => Ask::OtherRevision,
                3 => Ask::OtherValue,
                _ => Ask::SameValue,
            };
            Doubt { table, key, sub: if models[table] == Model::Map { sub } else { 0 }, ask }
        })
        .boxed()
}

fn mark(of: &Capabilities) -> BoxedStrategy<Mark> {
    if !of.markers {
        return Just(Mark::None).boxed();
    }
    prop_oneof![
        3 => Just(Mark::None),
        2 => (0..WRITERS).prop_map(Mark::Fresh),
        1 => (0..WRITERS).prop_map(Mark::Repeat),
        1 => (0..WRITERS).prop_map(Mark::Older),
    ]
    .boxed()
}

fn part() -> BoxedStrategy<Part> {
    prop_oneof![
        3 => Just(Part::All),
        1 => any::<(u8, u8)>().prop_map(|(from, to)| Part::Keys(from, to)),
        1 => any::<(u8, u8, u8)>().prop_map(|(key, from, to)| Part::Subs(key, from, to)),
    ]
    .boxed()
}

/// Reads and writes of data.
pub(super) fn data(of: &Capabilities, groups: u16) -> BoxedStrategy<Operation> {
    let tables = Table::all(of);
    let records: Vec<usize> = (0..tables.len()).filter(|i| tables[*i].model != Model::List).collect();
    let lists: Vec<usize> = (0..tables.len()).filter(|i| tables[*i].model == Model::List).collect();
    let record = proptest::sample::select(records);
    let commit = (vec(change(&tables), 0..6), vec(doubt(&tables), 0..3), mark(of))
        .prop_map(|(changes, doubts, mark)| Operation::Commit { changes, doubts, mark });
    let put = vec(change(&tables), 1..6).prop_map(|changes| Operation::Commit {
        changes,
        doubts: Vec::new(),
        mark: Mark::None,
    });
    prop_oneof![
        6 => put,
        4 => commit,
        3 => (record.clone(), vec(any::<(u8, u8)>(), 0..6)).prop_map(|(table, records)| Operation::Read { table, records }),
        2 => (record, 0..groups, part(), 1..5usize)
            .prop_map(|(table, group, part, rows)| Operation::Scan { table, group, part, rows }),
        4 => (1..5usize).prop_map(|rows| Operation::Page { rows }),
        2 => (proptest::sample::select(lists), any::<u8>(), 1..5usize)
            .prop_map(|(table, key, rows)| Operation::List { table, key, rows }),
        2 => (0..30u8).prop_map(Operation::Advance),
    ]
    .boxed()
}

/// Everything, as far as it is declared.
pub(super) fn everything(of: &Capabilities, groups: u16) -> BoxedStrategy<Operation> {
    let mut life = vec![
        (0..20u8).prop_map(Operation::ClockBack).boxed(),
        Just(Operation::Finish).boxed(),
        Just(Operation::Compact).boxed(),
        (0..Table::all(of).len()).prop_map(|table| Operation::Drop { table }).boxed(),
    ];
    if of.snapshots {
        life.extend([
            Just(Operation::Cut).boxed(),
            Just(Operation::CheckCut).boxed(),
            Just(Operation::Archive).boxed(),
        ]);
    }
    if of.snapshots && of.loading {
        life.push(Just(Operation::Recover).boxed());
    }
    if of.persistent {
        life.push(Just(Operation::Reopen).boxed());
    }
    prop_oneof![3 => data(of, groups), 1 => proptest::strategy::Union::new(life)].boxed()
}

/// Everything, each batch within the key group of its first change.
pub(super) fn within_groups(of: &Capabilities, groups: u16) -> BoxedStrategy<Operation> {
    let tables = Table::all(of);
    everything(of, groups).prop_map(move |operation| operation.within_a_group(&tables, groups)).boxed()
}

impl Operation {
    fn within_a_group(self, tables: &[Table], groups: u16) -> Self {
        let Self::Commit { mut changes, mut doubts, mark } = self else { return self };
        let group = |table: usize, key: u8| KeyGroup::of(tables[table].key(key), groups);
        let of_change = changes.first().map(|c| group(c.table, c.key));
        let only = of_change.or_else(|| doubts.first().map(|d| group(d.table, d.key)));
        changes.retain(|c| Some(group(c.table, c.key)) == only);
        doubts.retain(|d| Some(group(d.table, d.key)) == only);
        let mark = match mark {
            // Markers are each group's own: a batch of no group is remembered by none, and what is older in one
            // is new in another.
            _ if only.is_none() => Mark::None,
            Mark::Older(writer) => Mark::Fresh(writer),
            mark => mark,
        };
        Self::Commit { changes, doubts, mark }
    }
}
