//! [`Catalog`]: the hash of a store's states and of who owns it, changed only as a whole.

use std::collections::BTreeMap;

use statehold_core::{Error, ErrorKind, Form, Result, StateId, StateSpec};

use crate::{
    layout::letter,
    link::{Lane, Link},
    reply::{array, bytes, number},
    script::SWAP,
};

/// The format of layout and catalog. Version N reads N-1 and refuses N+1 (contract NAME-5).
pub(crate) const FORMAT: u32 = 1;

/// The greatest incarnation and session: both have 24 bits.
pub(crate) const MAX_EPOCH: u32 = (1 << 24) - 1;

/// One above `epoch`, if there is one.
pub(crate) fn above(epoch: u32, what: &str) -> Result<u32> {
    if epoch >= MAX_EPOCH {
        return Err(Error::new(ErrorKind::ResourceExhausted, format!("the store's {what} is used up"))
            .advise("archive it, and recover into a new store"));
    }
    Ok(epoch + 1)
}

/// What the catalog says, at one version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Catalog {
    /// `None`: there is no catalog yet.
    pub(crate) version: Option<String>,
    pub(crate) format: u32,
    /// Raised by each owner; units compare it with every commit.
    pub(crate) epoch: u64,
    /// Raised by recover and drop; the upper part of revisions.
    pub(crate) incarnation: u32,
    /// Raised by recover; the upper part of ordinals.
    pub(crate) session: u32,
    pub(crate) next_state: u32,
    pub(crate) next_cut: u64,
    /// Many write it.
    pub(crate) shared: bool,
    /// Nothing that was written before is lost.
    pub(crate) clean: bool,
    /// The loader that may still publish.
    pub(crate) loader: String,
    pub(crate) states: BTreeMap<u32, StateSpec>,
    /// States that are being loaded, and states that are to be erased, with the letter of their model.
    pub(crate) loading: BTreeMap<u32, String>,
    pub(crate) gone: BTreeMap<u32, String>,
}

type Fields = BTreeMap<String, Vec<u8>>;

fn damaged(what: &str) -> Error {
    Error::corrupt(format!("the store's catalog is damaged: {what}"))
        .about("catalog")
        .advise("recover from a checkpoint into another `prefix`; something else may write to these keys")
}

impl Catalog {
    /// A new store's.
    pub(crate) fn fresh() -> Self {
        Self { format: FORMAT, incarnation: 1, session: 1, next_state: 1, next_cut: 1, clean: true, ..Self::default() }
    }

    /// Reads it at its present version.
    pub(crate) async fn read(link: &Link, key: &str) -> Result<Self> {
        let answer = link.ask(Lane::Life, redis::cmd("HGETALL").arg(key)).await?;
        let mut fields = Fields::new();
        let mut parts = match answer {
            redis::Value::Map(pairs) => pairs.into_iter().flat_map(|(k, v)| [k, v]).collect(),
            other => array(other)?,
        }
        .into_iter();
        while let (Some(field), Some(value)) = (parts.next(), parts.next()) {
            let field = String::from_utf8(bytes(field)?.to_vec()).map_err(|_| damaged("a field's name"))?;
            fields.insert(field, bytes(value)?.to_vec());
        }
        if fields.is_empty() { Ok(Self::default()) } else { Self::parse(fields) }
    }

    fn parse(mut fields: Fields) -> Result<Self> {
        let format: u32 = scalar(&mut fields, "format")?;
        if format > FORMAT {
            return Err(Error::unsupported(format!(
                "the store has format {format}, written by a newer version; this one reads up to {FORMAT}"
            ))
            .advise("open it with the version that wrote it, or a newer one"));
        }
        let mut catalog = Self {
            version: Some(scalar(&mut fields, "v")?),
            format,
            epoch: scalar(&mut fields, "epoch")?,
            incarnation: scalar(&mut fields, "incarnation")?,
            session: scalar(&mut fields, "session")?,
            next_state: scalar(&mut fields, "next_state")?,
            next_cut: scalar(&mut fields, "next_cut")?,
            shared: scalar(&mut fields, "shared")?,
            clean: scalar(&mut fields, "clean")?,
            loader: scalar(&mut fields, "loader")?,
            ..Self::default()
        };
        for (field, value) in fields {
            let id = field.get(1..).and_then(|id| id.parse().ok()).ok_or_else(|| damaged("a field nobody knows"))?;
            let letter = || String::from_utf8(value.clone()).map_err(|_| damaged("a model"));
            match field.as_bytes()[0] {
                b's' => {
                    let spec = serde_json::from_slice(&value).map_err(|_| damaged("a state"))?;
                    catalog.states.insert(id, spec);
                }
                b'l' => drop(catalog.loading.insert(id, letter()?)),
                b'g' => drop(catalog.gone.insert(id, letter()?)),
                _ => return Err(damaged("a field nobody knows")),
            }
        }
        Ok(catalog)
    }

    fn fields(&self) -> Result<Fields> {
        let mut fields: Fields = [
            ("format", self.format.to_string()),
            ("epoch", self.epoch.to_string()),
            ("incarnation", self.incarnation.to_string()),
            ("session", self.session.to_string()),
            ("next_state", self.next_state.to_string()),
            ("next_cut", self.next_cut.to_string()),
            ("shared", self.shared.to_string()),
            ("clean", self.clean.to_string()),
            ("loader", self.loader.clone()),
        ]
        .map(|(field, value)| (field.to_owned(), value.into_bytes()))
        .into();
        for (id, spec) in &self.states {
            let spec =
                serde_json::to_vec(spec).map_err(|e| Error::internal("a state's spec cannot be encoded").because(e))?;
            fields.insert(format!("s{id}"), spec);
        }
        fields.extend(self.loading.iter().map(|(id, model)| (format!("l{id}"), model.clone().into_bytes())));
        fields.extend(self.gone.iter().map(|(id, model)| (format!("g{id}"), model.clone().into_bytes())));
        Ok(fields)
    }

    /// Writes `next` in place of this version; `None` if somebody else was faster.
    pub(crate) async fn replace(&self, link: &Link, key: &str, mut next: Self) -> Result<Option<Self>> {
        let (old, new) = (self.fields()?, next.fields()?);
        let version = swap(link, key, self.version.as_deref(), &old, &new).await?;
        Ok(version.map(|version| {
            next.version = Some(version);
            next
        }))
    }

    /// How the state is laid out.
    ///
    /// # Errors
    /// `Fenced` if the state is not there any more.
    pub(crate) fn form(&self, id: StateId) -> Result<Form> {
        self.states.get(&id.0).map(|spec| Form::of(id, spec)).ok_or_else(|| {
            Error::fenced(format!("state number {} was dropped or replaced by recover", id.0))
                .advise("open the state again by its name")
        })
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<(StateId, &StateSpec)> {
        self.states.iter().find(|(_, spec)| spec.name == name).map(|(id, spec)| (StateId(*id), spec))
    }

    /// What [`Store::states`](statehold_core::Store::states) answers.
    pub(crate) fn list(&self) -> Vec<(StateId, StateSpec)> {
        let mut all: Vec<_> = self.states.iter().map(|(id, spec)| (StateId(*id), spec.clone())).collect();
        all.sort_unstable_by(|a, b| a.1.name.cmp(&b.1.name));
        all
    }

    /// Takes a state out and notes that its rows are to be erased.
    pub(crate) fn remove(&mut self, id: StateId) -> Option<StateSpec> {
        let spec = self.states.remove(&id.0)?;
        self.gone.insert(id.0, letter(spec.model).to_owned());
        Some(spec)
    }

    /// Gives up the load that is under way, if any.
    pub(crate) fn abandon_load(&mut self) {
        self.loader.clear();
        self.gone.append(&mut self.loading);
    }

    /// A new state's number.
    pub(crate) fn number(&mut self) -> StateId {
        let id = StateId(self.next_state);
        self.next_state += 1;
        id
    }
}

fn scalar<T: std::str::FromStr>(fields: &mut Fields, name: &str) -> Result<T> {
    let value = fields.remove(name).ok_or_else(|| damaged(name))?;
    String::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or_else(|| damaged(name))
}

/// Changes a versioned hash from `old` to `new`; answers the new version, or `None` if it has another by now.
pub(crate) async fn swap(
    link: &Link,
    key: &str,
    version: Option<&str>,
    old: &Fields,
    new: &Fields,
) -> Result<Option<String>> {
    let known = version.is_some();
    let gone: Vec<&String> = old.keys().filter(|field| known && !new.contains_key(*field)).collect();
    let mut call = SWAP.on(key).arg(version.unwrap_or_default().to_owned()).arg(gone.len());
    for field in gone {
        call.push(field.clone());
    }
    for (field, value) in new.iter().filter(|(field, value)| !known || old.get(*field) != Some(value)) {
        call.push(field.clone());
        call.push(value.clone());
    }
    // Not sent again when its fate is unknown: whoever asks reads the catalog anew.
    match number::<u64>(link.commit(&call).await?)? {
        0 => Ok(None),
        version => Ok(Some(version.to_string())),
    }
}
