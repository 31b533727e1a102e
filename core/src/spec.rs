//! [`StateSpec`]: what the catalog knows of a state (contract NAME-4).

use serde::{Deserialize, Serialize};

use crate::{Capabilities, Error, ErrorKind, Limits, Name, Result};

/// The shape of a state's entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Model {
    /// One value a key.
    Kv,
    /// An ordered sequence a key.
    List,
    /// Subkeys a key, ordered by their bytes.
    Map,
}

impl Model {
    /// All models, as descriptors name them.
    pub const ALL: [Self; 3] = [Self::Kv, Self::List, Self::Map];

    /// The model's name in descriptors.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kv => "kv",
            Self::List => "list",
            Self::Map => "map",
        }
    }
}

/// What all keys of a state have in common, so that a layout can put subkeys
/// behind them without a separator where it is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyShape {
    /// Every key has exactly this many bytes.
    Fixed(u16),
    /// Keys differ in length.
    Variable,
}

/// What the store's catalog knows of a state, compared at every open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateSpec {
    /// The state's name; see [`Name`].
    pub name: String,
    /// KV, list or map.
    pub model: Model,
    /// What keys have in common.
    pub key_shape: KeyShape,
    /// The key's type as its codec names it, e.g. `string` or `(u32, string)`.
    pub key_type: String,
    /// The subkey's type, for maps.
    pub sub_type: Option<String>,
    /// The value codec, e.g. `postcard`.
    pub codec: String,
    /// The value type's version as its owner counts it, from 0.
    pub schema_version: u8,
    /// Derived from the value's type: names and types of all fields, in order.
    pub fingerprint: u64,
    /// Records carry revisions.
    pub revisions: bool,
    /// Records may expire.
    pub ttl: bool,
}

impl StateSpec {
    /// A KV state of byte strings: what tests and tools need of a spec.
    ///
    /// # Errors
    /// `InvalidInput` if `name` is not a name.
    pub fn bytes(name: &str, model: Model) -> Result<Self> {
        Name::new(name)?;
        Ok(Self {
            name: name.to_owned(),
            model,
            key_shape: KeyShape::Variable,
            key_type: "bytes".into(),
            sub_type: (model == Model::Map).then(|| "bytes".into()),
            codec: "bytes".into(),
            schema_version: 0,
            fingerprint: 0,
            revisions: false,
            ttl: false,
        })
    }

    /// Whether a state stored as `self` may be opened as `asked`: the same in
    /// everything, or the same but for a higher `schema_version` with its
    /// fingerprint (values are then upgraded as they are read).
    ///
    /// # Errors
    /// `Conflict` naming what differs, both sides.
    pub fn check(&self, asked: &Self) -> Result<SpecChange> {
        let mut differences = Vec::new();
        let mut differ = |what: &str, stored: &dyn std::fmt::Debug, asked: &dyn std::fmt::Debug| {
            differences.push(format!("{what} is {stored:?} in the store and {asked:?} here"));
        };
        if self.model != asked.model {
            differ("model", &self.model, &asked.model);
        }
        if self.key_type != asked.key_type || self.key_shape != asked.key_shape {
            differ("key type", &self.key_type, &asked.key_type);
        }
        if self.sub_type != asked.sub_type {
            differ("subkey type", &self.sub_type, &asked.sub_type);
        }
        if self.codec != asked.codec {
            differ("codec", &self.codec, &asked.codec);
        }
        if self.revisions != asked.revisions {
            differ("revisions", &self.revisions, &asked.revisions);
        }
        if self.ttl != asked.ttl {
            differ("ttl", &self.ttl, &asked.ttl);
        }
        if asked.schema_version == self.schema_version && asked.fingerprint != self.fingerprint {
            differ(
                "schema fingerprint",
                &format_args!("{:016x}", self.fingerprint),
                &format_args!("{:016x}", asked.fingerprint),
            );
        }
        if asked.schema_version < self.schema_version {
            differ("schema version", &self.schema_version, &asked.schema_version);
        }
        if !differences.is_empty() {
            return Err(Error::new(ErrorKind::Conflict, format!("opened as another type: {}", differences.join("; ")))
                .in_state(&self.name)
                .advise("open it as it was written, or raise `schema_version` and declare an upgrade"));
        }
        Ok(if asked.schema_version > self.schema_version { SpecChange::Upgrade } else { SpecChange::Same })
    }

    /// The spec with the newer schema of the two, for a state whose rows come from both.
    ///
    /// # Errors
    /// `Conflict` if they are different states.
    pub fn merged(&self, stored: &Self) -> Result<Self> {
        match (stored.check(self), self.check(stored)) {
            (Ok(_), _) => Ok(self.clone()),
            (Err(_), Ok(_)) => Ok(stored.clone()),
            (Err(e), Err(_)) => Err(Error::new(
                ErrorKind::Conflict,
                "the state is something else in the content that it is to be joined with",
            )
            .in_state(&stored.name)
            .advise(
                "recover parts of one checkpoint and all key groups of the store, or drop the state where it is wrong",
            )
            .because(e)),
        }
    }

    /// Refuses what no state of a store with these capabilities and limits can be.
    ///
    /// # Errors
    /// `InvalidInput` or `Unsupported`, with the choices there are.
    pub fn check_for(&self, capabilities: &Capabilities, limits: &Limits) -> Result<()> {
        Name::new(&self.name)?;
        let refuse = |e: Error| Err(e.in_state(&self.name));
        if self.model == Model::List && self.revisions {
            return refuse(
                Error::unsupported("a list with revisions").advise("lists carry none; leave `revisions` out"),
            );
        }
        if !capabilities.revisions && self.revisions {
            return refuse(Error::unsupported("the store keeps no revisions").advise("choose another kind of store"));
        }
        if !capabilities.ttl && self.ttl {
            return refuse(Error::unsupported("the store knows no expiry").advise("choose another kind of store"));
        }
        if let KeyShape::Fixed(n) = self.key_shape
            && (n == 0 || usize::from(n) > limits.key)
        {
            return refuse(
                Error::invalid(format!("keys of {n} bytes"))
                    .advise(format!("keys have 1 to {} bytes in this store", limits.key)),
            );
        }
        Ok(())
    }
}

/// What opening a state means for the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpecChange {
    /// Nothing changes.
    Same,
    /// The catalog takes the new schema version and fingerprint.
    Upgrade,
}
