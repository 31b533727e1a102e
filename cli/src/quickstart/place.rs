//! [`Place`]: where the quickstart keeps its states and checkpoints.

use std::{
    fs,
    path::{Path, PathBuf},
};

use statehold::{Descriptor, Error, ErrorKind, Model, Result, StateDescriptor};
use url::Url;

use super::{
    input::Input,
    server::{Server, Store},
    states::{COUNTS, LINES, WIDTHS},
};

/// A descriptor file, of the user or made here.
pub(crate) struct Place {
    pub(crate) config: PathBuf,
    /// The archive's URL, once the descriptor was read.
    pub(crate) archive: String,
    /// The folder that everything lies in, if it was made here.
    folder: Option<PathBuf>,
    store: Store,
}

fn in_the_way(path: &Path, cause: std::io::Error) -> Error {
    let kind = match cause.kind() {
        std::io::ErrorKind::StorageFull => ErrorKind::ResourceExhausted,
        _ => ErrorKind::InvalidInput,
    };
    Error::new(kind, format!("cannot write `{}`", path.display()))
        .advise("run it in a folder that can be written, or name a descriptor with --config")
        .because(cause)
}

impl Place {
    /// The descriptor given, or that of the default folder.
    ///
    /// # Errors
    /// `InvalidInput` if there is no working directory.
    pub(crate) fn choose(config: Option<PathBuf>, store: Store) -> Result<Self> {
        if let Some(config) = config {
            return Ok(Self { config, archive: String::new(), folder: None, store });
        }
        let here = std::env::current_dir().map_err(|e| in_the_way(Path::new("."), e))?;
        let folder = here.join(store.folder());
        Ok(Self { config: folder.join("statehold.toml"), archive: String::new(), folder: Some(folder), store })
    }

    /// Refuses to count what it writes itself.
    ///
    /// # Errors
    /// `InvalidInput` if the default folder lies in the input.
    pub(crate) fn refuse_within(&self, input: &Input) -> Result<()> {
        let Some(folder) = self.folder.as_ref().and_then(|f| f.canonicalize().ok()) else { return Ok(()) };
        let inside = input.files.iter().find(|f| f.path.canonicalize().is_ok_and(|p| p.starts_with(&folder)));
        match inside {
            None => Ok(()),
            Some(file) => Err(Error::invalid(format!(
                "the input holds `{}`, where the quickstart keeps its states",
                file.path.display()
            ))
            .advise("run it in another folder, or give another --input or --config")),
        }
    }

    /// The engine of the private server, if there is one.
    pub(crate) fn server(&self) -> Option<&'static str> {
        self.folder.as_ref().and_then(|_| self.store.server())
    }

    /// Starts the server that the store needs, if it does.
    ///
    /// # Errors
    /// As [`Store::start`].
    pub(crate) fn start(&self) -> Result<Option<Server>> {
        match &self.folder {
            None => Ok(None),
            Some(folder) => {
                fs::create_dir_all(folder).map_err(|e| in_the_way(folder, e))?;
                self.store.start(folder)
            }
        }
    }

    /// Reads the descriptor, after making that of the default folder where there is none yet, and adds the
    /// quickstart's states where they lack.
    ///
    /// # Errors
    /// `InvalidInput` for mistakes in the descriptor, or if it cannot be made.
    pub(crate) fn descriptor(&mut self, server: Option<&Server>) -> Result<Descriptor> {
        if let Some(folder) = &self.folder {
            self.make(folder, server)?;
        }
        let mut descriptor = Descriptor::from_file(&self.config)?;
        let archive = descriptor.archive.as_ref().ok_or_else(|| {
            Error::invalid(format!("{}: there is no archive", self.config.display()))
                .advise("the quickstart resumes from checkpoints: add [archive] with url = \"file:///…\"")
        })?;
        self.archive.clone_from(&archive.url);
        for (name, model) in [(COUNTS, Model::Kv), (WIDTHS, Model::Map), (LINES, Model::List)] {
            descriptor.states.entry(name.to_owned()).or_insert_with(|| StateDescriptor::new(model).cache(0));
        }
        Ok(descriptor)
    }

    fn make(&self, folder: &Path, server: Option<&Server>) -> Result<()> {
        fs::create_dir_all(folder).map_err(|e| in_the_way(folder, e))?;
        // A server may have another port than the last time.
        let options = server.map(|server| server.options().1);
        if fs::read_to_string(&self.config).is_ok_and(|text| options.is_none_or(|options| text.contains(&options))) {
            return Ok(());
        }
        // Whole or not at all: a run killed here must not leave half a descriptor.
        let new = folder.join("statehold.toml.new");
        fs::write(&new, self.text(folder, server)?)
            .and_then(|()| fs::rename(&new, &self.config))
            .map_err(|e| in_the_way(&self.config, e))
    }

    fn text(&self, folder: &Path, server: Option<&Server>) -> Result<String> {
        let text = |path: &Path| path.to_str().map(str::to_owned);
        let unusual = || {
            Error::invalid(format!("the path `{}` cannot stand in a descriptor", folder.display()))
                .advise("run it in a folder whose path is UTF-8, or name a descriptor with --config")
        };
        let data = text(&folder.join("data")).ok_or_else(unusual)?;
        let archive = Url::from_directory_path(folder.join("archive")).map_err(|()| unusual())?;
        Ok(format!(
            r#"# Made by `statehold quickstart`. Edit it as you like, or copy it for your own application.
namespace = "quickstart"

[memory]
write_buffer = "32 MiB"
cache = 0

[archive]
url = {archive}

[stores.local]
{store}

[states.{COUNTS}] # word -> count
model = "kv"

[states.{WIDTHS}] # word -> (bytes of the line / 16 -> count)
model = "map"

[states.{LINES}] # word -> the first 20 numbers of the lines it stands on
model = "list"
"#,
            archive = quoted(archive.as_str()),
            store = store_text(self.store, server, &quoted(&data)),
        ))
    }
}

/// The table of the store.
fn store_text(store: Store, server: Option<&Server>, data: &str) -> String {
    const LOADED: &str = "# Nothing has to survive by itself: counts and place in the input come back from the latest \
                          checkpoint.\ndurability = \"visible\"";
    const KEPT: &str = "# What was acknowledged survives a kill: each run goes on where the store stands.\n\
                        durability = \"process\"";
    let (kind, options) = match server {
        Some(server) => server.options(),
        None if store == Store::Memory => return "kind = \"memory\"\nlimits = { key = \"16 KiB\" }".to_owned(),
        None if store == Store::Redb => ("redb", format!("{{ path = {data} }}")),
        None => ("rocksdb", format!("{{ path = {data} }}")),
    };
    let durability = if matches!(store, Store::Redis | Store::Postgres) { KEPT } else { LOADED };
    // Words may be long, but no longer than the engine's keys.
    let limits = if store == Store::Postgres { "" } else { "\nlimits = { key = \"16 KiB\" }" };
    format!("kind = \"{kind}\"\n{durability}{limits}\noptions = {options}")
}

/// TOML's basic string, in which descriptors read no variables.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.replace("${", "$${").chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use statehold::StoreDescriptor;

    use super::*;

    fn made_in(folder: &Path) -> Descriptor {
        let mut place = Place {
            config: folder.join("statehold.toml"),
            archive: String::new(),
            folder: Some(folder.to_owned()),
            store: Store::Rocksdb,
        };
        place.descriptor(None).unwrap()
    }

    #[test]
    fn the_descriptor_it_makes_says_where_things_lie_whatever_the_folder_is_called() {
        let root = tempfile::tempdir().unwrap();
        for name in ["plain", "with space", "quote\"and\\slash", "${HOME}", "tab\tü%20"] {
            let folder = root.path().join(name);
            let made = made_in(&folder);
            let data = folder.join("data");
            let want = StoreDescriptor::new("rocksdb").option("path", data.to_str().unwrap()).options;
            // Options hide their text from `Debug`: compare, never print.
            assert!(made.stores["local"].options == want, "{name}");
            let archive = Url::parse(&made.archive.unwrap().url).unwrap();
            assert_eq!(archive.to_file_path().unwrap(), folder.join("archive"), "{name}");
        }
    }

    #[test]
    fn a_descriptor_that_was_edited_is_kept() {
        let root = tempfile::tempdir().unwrap();
        made_in(root.path());
        let config = root.path().join("statehold.toml");
        let text = fs::read_to_string(&config).unwrap().replace("32 MiB", "1 MiB");
        fs::write(&config, text).unwrap();
        assert_eq!(made_in(root.path()).memory.write_buffer, 1 << 20);
    }

    #[test]
    fn states_are_added_and_an_archive_is_asked_for() {
        let root = tempfile::tempdir().unwrap();
        let config = root.path().join("own.toml");
        fs::write(&config, "namespace = 'a'\narchive.url = 'memory://a'\n[stores.m]\nkind = 'memory'\n").unwrap();
        let mut place = Place::choose(Some(config.clone()), Store::Rocksdb).unwrap();
        assert_eq!(place.descriptor(None).unwrap().states.len(), 3);
        fs::write(&config, "namespace = 'a'\n[stores.m]\nkind = 'memory'\n").unwrap();
        assert!(place.descriptor(None).unwrap_err().to_string().contains("there is no archive"));
    }
}
