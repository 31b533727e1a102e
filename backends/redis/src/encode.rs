//! [`Encoded`]: a batch as arguments of the commit script.

use bytes::Bytes;
use statehold_core::{
    Address, Batch, Cell, Condition, Error, ErrorKind, Form, KeyGroup, Model, Mutation, Result, Revision,
};

use crate::{
    catalog::Catalog,
    layout::{Layout, expiry, letter},
    script::Arg,
};

/// So many arguments a request may have; Redis refuses 2^20 and closes the connection.
const MAX_ARGS: usize = 1_000_000;

/// A batch of one unit. Mutations of states with revisions are numbered from 1 in the order of the batch: the
/// script adds the unit's sequence.
pub(crate) struct Encoded {
    pub(crate) conditions: Vec<Arg>,
    pub(crate) changes: Vec<Arg>,
    /// No conditions, and no changes but a few puts of records that carry no revision: the script has a shorter way.
    pub(crate) only_puts: bool,
    /// How many mutations get a revision.
    pub(crate) revised: u64,
    /// What each mutation is numbered, 0 without revisions; empty if none has one.
    numbers: Vec<u64>,
}

/// So many pairs go in one command of a script, whose stack holds 8,000 values.
const FEW: usize = 2000;

impl Encoded {
    pub(crate) fn of(batch: &Batch, catalog: &Catalog) -> Result<Self> {
        let only_puts = batch.conditions.is_empty()
            && batch.mutations.len() <= FEW
            && batch.mutations.iter().all(|m| matches!(m, Mutation::Put(..)));
        let mut encoded = Self {
            conditions: Vec::new(),
            changes: Vec::with_capacity(3 * batch.mutations.len() + 4),
            only_puts,
            revised: 0,
            numbers: Vec::new(),
        };
        encoded.add_conditions(&batch.conditions, catalog)?;
        encoded.add_changes(&batch.mutations, catalog)?;
        encoded.only_puts &= encoded.revised == 0;
        if encoded.conditions.len() + encoded.changes.len() > MAX_ARGS {
            return Err(Error::new(ErrorKind::LimitExceeded, "a batch of more records than one Redis request takes")
                .advise("nothing was written; split it: 300,000 records always go"));
        }
        Ok(encoded)
    }

    /// What a commit answers whose unit stood at `base`.
    pub(crate) fn revisions(&self, base: Revision) -> Vec<Revision> {
        let revision = |&number: &u64| if number == 0 { Revision::NONE } else { Revision(base.0 + number) };
        self.numbers.iter().map(revision).collect()
    }

    fn add_conditions(&mut self, conditions: &[(Address, Condition)], catalog: &Catalog) -> Result<()> {
        for run in conditions.chunk_by(|a, b| (a.0.state, a.0.group) == (b.0.state, b.0.group)) {
            let (first, _) = &run[0];
            let form = catalog.form(first.state)?;
            for (at, condition) in run {
                form.check(&at.key, &at.sub)?;
                if matches!(condition, Condition::RevisionIs(_)) && !form.revisions {
                    return Err(Error::unsupported("a condition on a revision, in a state without them")
                        .advise("register the state with `revisions = true`, or use `ValueIs`"));
                }
            }
            let out = &mut self.conditions;
            out.push(match form.model {
                Model::Map => "M".into(),
                Model::List => "L".into(),
                _ => "K".into(),
            });
            out.push(form.place(first.group).into());
            out.extend([form.revisions.into(), form.ttl.into(), run.len().into()]);
            if form.model == Model::Kv {
                out.extend(run.iter().map(|(at, _)| Arg::from(&at.key)));
            }
            for (at, condition) in run {
                if form.model != Model::Kv {
                    out.extend([Arg::from(&at.key), Arg::from(&at.sub)]);
                }
                out.extend(match condition {
                    Condition::Absent => ["A".into(), "".into()],
                    Condition::Present => ["P".into(), "".into()],
                    Condition::RevisionIs(revision) => ["R".into(), revision.0.to_be_bytes().into()],
                    Condition::ValueIs(payload) => ["V".into(), payload.into()],
                });
            }
        }
        Ok(())
    }

    fn add_changes(&mut self, mutations: &[Mutation], catalog: &Catalog) -> Result<()> {
        let mut done = 0;
        for run in mutations.chunk_by(|a, b| (a.at().state, a.at().group) == (b.at().state, b.at().group)) {
            let at = run[0].at();
            let form = catalog.form(at.state)?;
            run.iter().try_for_each(|mutation| form.check_mutation(mutation))?;
            let first = self.revised + 1;
            if form.revisions {
                self.revised += run.len() as u64;
                self.numbers.resize(done, 0);
                self.numbers.extend(first..=self.revised);
            }
            done += run.len();
            match form.model {
                Model::Map => self.add_maps(form, at.group, run, first)?,
                Model::List => self.add_lists(form, at.group, run)?,
                _ => self.add_rows(form, at.group, run, first)?,
            }
        }
        if !self.numbers.is_empty() {
            self.numbers.resize(done, 0);
        }
        Ok(())
    }

    /// Changes of a run whose first is numbered `first`.
    fn add_rows(&mut self, form: Form, group: KeyGroup, run: &[Mutation], first: u64) -> Result<()> {
        let (mut gone, mut puts) = (Vec::new(), 0_usize);
        for mutation in run {
            match mutation {
                Mutation::Put(..) => puts += 1,
                Mutation::Delete(at) => gone.push(&at.key),
                Mutation::DeleteSubs { at, until } => {
                    if at.sub.is_empty() && until.as_ref().is_none_or(|until| !until.is_empty()) {
                        gone.push(&at.key);
                    }
                }
                _ => return Err(unknown()),
            }
        }
        let out = &mut self.changes;
        if !gone.is_empty() {
            out.extend(["D".into(), form.place(group).into(), gone.len().into()]);
            out.extend(gone.into_iter().map(Arg::from));
        }
        if puts > 0 {
            out.extend(["P".into(), form.place(group).into(), form.revisions.into(), puts.into()]);
            for (mutation, number) in run.iter().zip(first..) {
                if let Mutation::Put(at, cell) = mutation {
                    push_row(out, form, &at.key, cell, number);
                }
            }
        }
        Ok(())
    }

    fn add_maps(&mut self, form: Form, group: KeyGroup, run: &[Mutation], mut first: u64) -> Result<()> {
        for of_key in run.chunk_by(|a, b| a.at().key == b.at().key) {
            let key = &of_key[0].at().key;
            let (mut gone, mut put) = (Vec::new(), Vec::new());
            for (mutation, number) in of_key.iter().zip(first..) {
                match mutation {
                    Mutation::Put(at, cell) => put.push((at, cell, number)),
                    Mutation::Delete(at) => gone.push(&at.sub),
                    Mutation::DeleteSubs { at, until } => {
                        if until.as_ref().is_some_and(|until| at.sub >= *until) {
                            continue;
                        }
                        let from = if at.sub.is_empty() { Arg::Word("-") } else { inclusive(&at.sub) };
                        let to = until.as_ref().map_or(Arg::Word("+"), exclusive);
                        self.changes.extend(["R".into(), form.place(group).into(), key.into(), from, to]);
                    }
                    _ => return Err(unknown()),
                }
            }
            let out = &mut self.changes;
            if !gone.is_empty() {
                out.extend(["N".into(), form.place(group).into(), key.into(), gone.len().into()]);
                out.extend(gone.into_iter().map(Arg::from));
            }
            if !put.is_empty() {
                let head = [form.place(group).into(), key.into(), form.revisions.into(), put.len().into()];
                out.push("M".into());
                out.extend(head);
                for (at, cell, number) in put {
                    push_row(out, form, &at.sub, cell, number);
                }
            }
            first += of_key.len() as u64;
        }
        Ok(())
    }

    fn add_lists(&mut self, form: Form, group: KeyGroup, run: &[Mutation]) -> Result<()> {
        let place = form.place(group);
        for of_key in run.chunk_by(|a, b| a.at().key == b.at().key) {
            let key = &of_key[0].at().key;
            let mut gone = Vec::new();
            for mutation in of_key {
                let out = &mut self.changes;
                match mutation {
                    Mutation::Delete(at) => gone.push(&at.sub),
                    Mutation::Put(..) => {
                        return Err(Error::unsupported("an element put at an ordinal: Redis numbers elements itself")
                            .advise("append it"));
                    }
                    Mutation::DeleteSubs { at, until } => {
                        if until.as_ref().is_some_and(|until| at.sub >= *until) {
                            continue;
                        }
                        let until = until.as_ref().map_or_else(Bytes::new, ordinal_bound);
                        out.extend(["S".into(), place.clone().into(), key.into(), form.ttl.into()]);
                        out.push(if at.sub.is_empty() { Bytes::new() } else { ordinal_bound(&at.sub) }.into());
                        out.push(until.into());
                    }
                    Mutation::TrimFront { count, .. } => {
                        out.extend(["T".into(), place.clone().into(), key.into(), form.ttl.into(), (*count).into()]);
                    }
                    Mutation::Append { cells, .. } => {
                        flush_elements(out, form, &place, key, &mut gone);
                        append(out, form, &place, key, cells);
                    }
                    _ => return Err(unknown()),
                }
            }
            flush_elements(&mut self.changes, form, &place, key, &mut gone);
        }
        Ok(())
    }
}

fn unknown() -> Error {
    Error::unsupported("a kind of change that this backend does not know").advise("update statehold-redis")
}

fn push_row(out: &mut Vec<Arg>, form: Form, field: &Bytes, cell: &Cell, number: u64) {
    out.push(field.into());
    if form.revisions {
        out.push(number.into());
    }
    out.push(form.row(cell).into());
}

fn flush_elements(out: &mut Vec<Arg>, form: Form, place: &str, key: &Bytes, gone: &mut Vec<&Bytes>) {
    if gone.is_empty() {
        return;
    }
    out.extend(["Q".into(), place.to_owned().into(), key.into(), form.ttl.into(), gone.len().into()]);
    out.extend(gone.drain(..).map(Arg::from));
}

fn append(out: &mut Vec<Arg>, form: Form, place: &str, key: &Bytes, cells: &[Cell]) {
    let Some(first) = cells.first() else { return };
    let head = if form.ttl { expiry(first.expires_at).into() } else { Arg::Word("") };
    out.extend(["A".into(), place.to_owned().into(), key.into(), head, cells.len().into()]);
    out.extend(cells.iter().map(|cell| Arg::from(&cell.value)));
}

/// A bound on ordinals as eight bytes: no ordinal lies between it and a bound of another length.
pub(crate) fn ordinal_bound(sub: &Bytes) -> Bytes {
    let mut word = [0; 8];
    let known = sub.len().min(8);
    word[..known].copy_from_slice(&sub[..known]);
    let bound = u64::from_be_bytes(word).saturating_add(u64::from(sub.len() > 8));
    Bytes::copy_from_slice(&bound.to_be_bytes())
}

/// A bound of Redis's lexicographic ranges.
pub(crate) fn inclusive(bytes: &Bytes) -> Arg {
    [b"[", &bytes[..]].concat().into()
}

/// As [`inclusive`], without the bound itself.
pub(crate) fn exclusive(bytes: &Bytes) -> Arg {
    [b"(", &bytes[..]].concat().into()
}

/// The letter of the state's model, as scripts take it.
pub(crate) fn model(form: Form) -> Arg {
    letter(form.model).into()
}
