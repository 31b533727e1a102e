//! `statehold kinds`: the engines of this build and what they declare.

use statehold::{
    Registry, Result,
    core::{AtomicScope, Backend, Capabilities, Options, Support},
};

use crate::{out::Out, table, units};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Tell it as JSON
    #[arg(long)]
    json: bool,
}

/// What a kind declares with nothing set but what it needs: capabilities open and create nothing.
fn declared(backend: &dyn Backend) -> Result<Capabilities> {
    let needed = [("path", "."), ("url", "postgres://localhost"), ("url", "redis://localhost")];
    let all = std::iter::once(Options::new()).chain(needed.map(|(name, value)| Options::new().with(name, value)));
    let mut last = None;
    for options in all {
        match backend.capabilities(&options) {
            Err(e) => last = Some(e),
            known => return known,
        }
    }
    Err(last.unwrap_or_else(|| statehold::Error::internal("a kind has no options")))
}

fn yes(flag: bool) -> String {
    if flag { "yes" } else { "no" }.to_owned()
}

fn support(of: Support) -> String {
    match of {
        Support::Native => "native",
        Support::Emulated => "emulated",
    }
    .to_owned()
}

/// One line of the table: what is declared, and how each kind has it.
type Line = (&'static str, fn(&Capabilities) -> String);

const LINES: &[Line] = &[
    ("atomic scope", |c| match c.scope {
        AtomicScope::Store => "store".into(),
        AtomicScope::KeyGroup => "key group".into(),
    }),
    ("durability", |c| c.durability.iter().map(|d| d.as_str()).collect::<Vec<_>>().join(", ")),
    ("ownership", |c| c.ownership.iter().map(|o| o.as_str()).collect::<Vec<_>>().join(", ")),
    ("claims", |c| c.claims.as_str().into()),
    ("persistent", |c| yes(c.persistent)),
    ("revisions", |c| yes(c.revisions)),
    ("ttl", |c| yes(c.ttl)),
    ("markers", |c| yes(c.markers)),
    ("snapshots", |c| yes(c.snapshots)),
    ("loading", |c| yes(c.loading)),
    ("ordered", |c| yes(c.ordered)),
    ("lists", |c| support(c.lists)),
    ("maps", |c| support(c.maps)),
    ("native archive", |c| yes(c.native_archive)),
    ("greatest key", |c| units::bytes(c.max_limits.key as u64)),
    ("greatest value", |c| units::bytes(c.max_limits.value as u64)),
    ("greatest batch", |c| units::bytes(c.max_limits.batch as u64)),
];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let registry = Registry::default();
    let kinds = registry.iter().map(|b| Ok((b.kind(), declared(&**b)?))).collect::<Result<Vec<_>>>()?;
    let mut out = Out::new();
    if arguments.json {
        let object = |c: &Capabilities| -> serde_json::Map<String, serde_json::Value> {
            LINES.iter().map(|(name, show)| (name.replace(' ', "_"), show(c).into())).collect()
        };
        let all: serde_json::Map<_, _> = kinds.iter().map(|(kind, c)| ((*kind).to_owned(), object(c).into())).collect();
        out.json(&all)?;
    } else {
        let head: Vec<&str> = std::iter::once("").chain(kinds.iter().map(|(kind, _)| *kind)).collect();
        let mut table = table::plain(&head, &[]);
        for (name, show) in LINES {
            table.add_row(std::iter::once((*name).to_owned()).chain(kinds.iter().map(|(_, c)| show(c))));
        }
        out.line(table.to_string())?;
    }
    out.finish()
}
