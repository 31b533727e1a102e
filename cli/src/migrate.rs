//! `statehold migrate`: the tables of Postgres stores, version by version.

use clap::Subcommand;
use statehold::{Descriptor, Error, ErrorKind, Result, core::Options};
use statehold_postgres::{Migrations, PostgresBackend, SCHEMA_VERSION};

use crate::{config::Config, out::Out};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: Config,
    /// The store, where the descriptor has several in Postgres
    #[arg(long, value_name = "NAME")]
    store: Option<String>,
    #[command(subcommand)]
    to: Direction,
}

#[derive(Subcommand)]
enum Direction {
    /// Make the schema, or bring it to the version of this build
    Up,
    /// Go back to an older version; 0 removes all stores of the schema with everything in them
    Down {
        /// That version
        #[arg(long, value_name = "VERSION")]
        to: u32,
    },
    /// Show the schema's version, and this build's
    Version,
}

/// The Postgres store that is meant.
fn chosen<'a>(descriptor: &'a Descriptor, store: Option<&str>) -> Result<(&'a str, &'a Options)> {
    let all: Vec<_> = descriptor.stores.iter().filter(|(_, s)| s.kind == PostgresBackend::KIND).collect();
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    let not_one = |what: String| {
        let advice = match names.as_slice() {
            [] => "other engines need no migration".to_owned(),
            names => format!("`--store` names one of: {}", names.join(", ")),
        };
        Error::new(ErrorKind::NotFound, what).about("--store").advise(advice)
    };
    match (store, all.as_slice()) {
        (None, [(name, only)]) => Ok((name.as_str(), &only.options)),
        (None, []) => Err(not_one("the descriptor has no store in Postgres".to_owned())),
        (None, _) => Err(not_one("the descriptor has several stores in Postgres".to_owned())),
        (Some(asked), all) => {
            let found = all.iter().find(|(name, _)| *name == asked);
            let (name, store) =
                found.ok_or_else(|| not_one(format!("there is no store `{}` in Postgres", asked.escape_debug())))?;
            Ok((name.as_str(), &store.options))
        }
    }
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let descriptor = arguments.config.descriptor()?;
    let (name, options) = chosen(&descriptor, arguments.store.as_deref())?;
    let named = |e: Error| descriptor.locate(e.in_store(name), &format!("stores.{name}.options"));
    let migrations = Migrations::new(options).map_err(named)?;
    let said = match arguments.to {
        Direction::Up => match migrations.up().await.map_err(named)? {
            SCHEMA_VERSION => format!("The schema has version {SCHEMA_VERSION} already."),
            from => format!("Migrated from version {from} to {SCHEMA_VERSION}."),
        },
        Direction::Down { to } => {
            let from = migrations.down(to).await.map_err(named)?;
            format!("Went back from version {from} to {to}.")
        }
        Direction::Version => {
            let version = migrations.version().await.map_err(named)?;
            format!("The schema has version {version}; this build works with {SCHEMA_VERSION}.")
        }
    };
    let mut out = Out::new();
    out.line(said)?;
    out.finish()
}
