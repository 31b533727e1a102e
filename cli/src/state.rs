//! `statehold get|scan|count|put|delete`: entries of one state, from the command line.

mod key;
mod rows;
mod text;
mod value;

use statehold::{Error, ErrorKind, Model, Result, StateManager};

use self::rows::{Entry, Notation, Rows};
use crate::{config::Config, out::Out};

#[derive(clap::Args)]
pub(crate) struct State {
    #[command(flatten)]
    config: Config,
    /// Keys and values are their encoded bytes in hexadecimal
    #[arg(long)]
    raw: bool,
    /// The state's name
    state: String,
}

#[derive(clap::Args)]
pub(crate) struct Get {
    #[command(flatten)]
    of: State,
    /// Its key; write a tuple as '(1, "text")', odd bytes as \xff, and what begins with a dash behind --
    #[arg(allow_negative_numbers = true)]
    key: String,
    /// An entry of a map; without it all of the key's are shown
    #[arg(long, value_name = "SUBKEY", allow_negative_numbers = true)]
    sub: Option<String>,
}

#[derive(clap::Args)]
pub(crate) struct Scan {
    #[command(flatten)]
    of: State,
    /// Stop after this many entries
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

#[derive(clap::Args)]
pub(crate) struct Count {
    #[command(flatten)]
    of: State,
}

#[derive(clap::Args)]
pub(crate) struct Put {
    #[command(flatten)]
    of: State,
    /// Its key
    #[arg(allow_negative_numbers = true)]
    key: String,
    /// The value; of a list all its elements
    #[arg(required = true, allow_negative_numbers = true)]
    values: Vec<String>,
    /// The entry of a map
    #[arg(long, value_name = "SUBKEY", allow_negative_numbers = true)]
    sub: Option<String>,
}

#[derive(clap::Args)]
pub(crate) struct Delete {
    #[command(flatten)]
    of: State,
    /// Its key
    #[arg(allow_negative_numbers = true)]
    key: String,
    /// One entry of a map; without it all of the key's go
    #[arg(long, value_name = "SUBKEY", allow_negative_numbers = true)]
    sub: Option<String>,
}

impl State {
    fn notation(&self) -> Notation {
        if self.raw { Notation::Raw } else { Notation::Typed }
    }

    /// Looks at the state, also while another process writes it.
    async fn look(&self) -> Result<(StateManager, Rows)> {
        let manager = StateManager::builder(self.config.descriptor()?).read_only().open().await?;
        let rows = Rows::open(&manager, &self.state, self.notation()).await?;
        Ok((manager, rows))
    }

    /// Opens the state to change it: nobody else may have its store open.
    async fn own(&self) -> Result<(StateManager, Rows)> {
        let manager = StateManager::builder(self.config.descriptor()?).owner("statehold command line").open().await?;
        let rows = Rows::open(&manager, &self.state, self.notation()).await?;
        Ok((manager, rows))
    }
}

fn line(entry: &Entry, with_key: bool) -> String {
    let parts = [with_key.then_some(&entry.key), entry.sub.as_ref(), Some(&entry.value)];
    parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("\t")
}

/// Prints a value, a list's elements or a map's entries, one a line.
pub(crate) async fn get(arguments: Get) -> Result<()> {
    let (manager, rows) = arguments.of.look().await?;
    let entries = rows.get(&arguments.key, arguments.sub.as_deref()).await?;
    manager.close().await?;
    if entries.is_empty() {
        let what = if rows.model() == Model::Map && arguments.sub.is_some() { "entry" } else { "key" };
        return Err(Error::new(ErrorKind::NotFound, format!("there is no such {what}"))
            .in_state(arguments.of.state)
            .advise("`statehold scan` shows those there are"));
    }
    let mut out = Out::new();
    for mut entry in entries {
        if arguments.sub.is_some() {
            entry.sub = None;
        }
        out.line(line(&entry, false))?;
    }
    out.finish()
}

/// Prints all entries, one a line, group by group.
pub(crate) async fn scan(arguments: Scan) -> Result<()> {
    let (manager, rows) = arguments.of.look().await?;
    let mut out = Out::new();
    let mut left = arguments.limit.unwrap_or(u64::MAX);
    if left > 0 {
        let show = |entry: Entry| {
            out.line(line(&entry, true))?;
            left -= 1;
            Ok(left > 0)
        };
        rows.scan(show).await?;
    }
    out.finish()?;
    manager.close().await
}

/// Prints how many entries there are.
pub(crate) async fn count(arguments: Count) -> Result<()> {
    let (manager, rows) = arguments.of.look().await?;
    let count = rows.count().await?;
    manager.close().await?;
    let mut out = Out::new();
    out.line(count.to_string())?;
    out.finish()
}

/// Sets a value, a map's entry, or a list's elements.
pub(crate) async fn put(arguments: Put) -> Result<()> {
    let (manager, rows) = arguments.of.own().await?;
    let put = rows.put(&arguments.key, arguments.sub.as_deref(), &arguments.values).await;
    finish(&manager, put).await
}

/// Removes a key or a map's entry.
pub(crate) async fn delete(arguments: Delete) -> Result<()> {
    let (manager, rows) = arguments.of.own().await?;
    let deleted = rows.delete(&arguments.key, arguments.sub.as_deref()).await;
    finish(&manager, deleted).await
}

/// Closes the manager also when the change failed: the store would look as if it had crashed.
async fn finish(manager: &StateManager, changed: Result<()>) -> Result<()> {
    let finished = match changed {
        Ok(()) => manager.finish().await.map(drop),
        Err(error) => Err(error),
    };
    finished.and(manager.close().await)
}
