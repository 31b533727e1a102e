//! [`Case`]: one sentence of the contract that a backend is held to.

use std::path::Path;

use futures::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use statehold_core::{AtomicScope, Capabilities, Claims, Durability, Ownership};

use crate::{Outcome, context::Context, failure::Verdict, subject::Site};

/// What kind of proof a case is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// One behaviour, with chosen or seeded data.
    Functional,
    /// Random sequences of all operations, compared with a model.
    Model,
    /// A child process is killed in the middle of its work and its store opened again.
    Crash,
    /// What durability `power` means: syncs are watched, and a disk loses what was not synced.
    Power,
    /// Checkpoints that are killed at every step, fail at every call and are damaged. These cases need managers and
    /// archives, and stand in a suite above this one: `conformance/lifecycle`.
    Faults,
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 5] = [Self::Functional, Self::Model, Self::Crash, Self::Power, Self::Faults];

    /// In one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Functional => "functional",
            Self::Model => "model",
            Self::Crash => "crash",
            Self::Power => "power",
            Self::Faults => "faults",
        }
    }
}

/// What a case needs the backend to declare, or not to declare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Revisions,
    Ttl,
    Markers,
    Snapshots,
    Loading,
    Native,
    Persistent,
    StoreScope,
    Process,
    Power,
    Visible,
    Exclusive,
    ReadOnly,
    Shared,
    /// A second exclusive owner is refused.
    Held,
    /// A second exclusive owner takes over.
    Fencing,
    NoRevisions,
    NoTtl,
    NoMarkers,
    NoSnapshots,
    NoLoading,
    NoNative,
    NoStoreScope,
    /// The store's files lie in the directory that its site is given.
    OnDisk,
    /// System calls can be watched.
    Tracing,
    /// Disks can be mounted, and lose their power.
    PowerLoss,
}

impl Need {
    /// Why a backend with these capabilities need not pass the case; `None` if it must.
    pub(crate) fn unmet(self, of: &Capabilities) -> Option<&'static str> {
        let (met, reason) = match self {
            Self::Revisions => (of.revisions, "revisions are not declared"),
            Self::Ttl => (of.ttl, "ttl is not declared"),
            Self::Markers => (of.markers, "markers are not declared"),
            Self::Snapshots => (of.snapshots, "snapshots are not declared"),
            Self::Loading => (of.loading, "loading is not declared"),
            Self::Native => (of.native_archive, "native archives are not declared"),
            Self::Persistent => (of.persistent, "the store is not persistent"),
            Self::StoreScope => (of.scope == AtomicScope::Store, "the atomic scope is the key group"),
            Self::Process => (of.durability.contains(&Durability::Process), "durability `process` is not declared"),
            Self::Power => (of.durability.contains(&Durability::Power), "durability `power` is not declared"),
            Self::Visible => (of.durability.contains(&Durability::Visible), "durability `visible` is not declared"),
            Self::Exclusive => (of.ownership.contains(&Ownership::Exclusive), "exclusive ownership is not declared"),
            Self::ReadOnly => (of.ownership.contains(&Ownership::ReadOnly), "read-only ownership is not declared"),
            Self::Shared => (of.ownership.contains(&Ownership::Shared), "shared ownership is not declared"),
            Self::Held => (of.claims == Claims::Held, "a second owner takes over: OWN-1 tests that"),
            Self::Fencing => (of.claims == Claims::Fencing, "a second owner is refused: OWN-1 tests that"),
            Self::NoRevisions => (!of.revisions, "revisions are declared: KV-5 tests them"),
            Self::NoTtl => (!of.ttl, "ttl is declared: KV-6 tests it"),
            Self::NoMarkers => (!of.markers, "markers are declared: BATCH-4 tests them"),
            Self::NoSnapshots => (!of.snapshots, "snapshots are declared: LIFE-2 tests them"),
            Self::NoLoading => (!of.loading, "loading is declared: LIFE-5 tests it"),
            Self::NoNative => (!of.native_archive, "native archives are declared: LIFE-3 tests them"),
            Self::OnDisk | Self::Tracing | Self::PowerLoss => (true, ""),
            Self::NoStoreScope => (of.scope != AtomicScope::Store, "the atomic scope is the store: BATCH-1 tests it"),
        };
        (!met).then_some(reason)
    }
}

/// One sentence of the contract that a backend is held to.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    name: &'static str,
    category: Category,
    pub(crate) needs: &'static [Need],
    pub(crate) run: for<'a> fn(&'a Context) -> LocalBoxFuture<'a, Verdict>,
}

impl Case {
    pub(crate) const fn new(
        name: &'static str,
        category: Category,
        needs: &'static [Need],
        run: for<'a> fn(&'a Context) -> LocalBoxFuture<'a, Verdict>,
    ) -> Self {
        Self { name, category, needs, run }
    }

    /// The case as a sentence that begins with its clause: `kv_4_scan_yields_…`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What kind of proof it is.
    #[must_use]
    pub fn category(&self) -> Category {
        self.category
    }

    /// The clause it tests, e.g. `KV-4`; `MODEL` for those that test all of them at once.
    #[must_use]
    pub fn clause(&self) -> String {
        clause_of(self.name)
    }

    /// Why a backend with these capabilities need not pass the case; `None` if it must, where this machine can tell.
    #[must_use]
    pub fn skipped_by(&self, capabilities: &Capabilities) -> Option<&'static str> {
        self.needs.iter().find_map(|need| need.unmet(capabilities))
    }

    /// Why the case is not run on `site`: what is not declared, or what this machine lacks.
    pub(crate) fn skipped_on(&self, site: &Site, dir: &Path, capabilities: &Capabilities) -> Option<Outcome> {
        let skip = |reason: &str, unproven| Outcome::Skipped { reason: reason.to_owned(), unproven };
        let undeclared = self.skipped_by(capabilities).map(|reason| skip(reason, false));
        let elsewhere = || self.needs.iter().find_map(|need| crate::power::elsewhere(*need, site, dir));
        let lacking = || self.needs.iter().find_map(|need| crate::power::lacking(*need));
        undeclared
            .or_else(|| elsewhere().map(|reason| skip(reason, false)))
            .or_else(|| lacking().map(|reason| skip(reason, true)))
    }
}

/// The clause that a name begins with.
pub(crate) fn clause_of(name: &str) -> String {
    let mut words = name.split('_');
    let family = words.next().unwrap_or_default().to_uppercase();
    match words.next() {
        Some(number) if number.starts_with(|c: char| c.is_ascii_digit()) => format!("{family}-{number}"),
        _ => family,
    }
}

/// The cases of a file: async functions, each with what it needs.
macro_rules! cases {
    ($category:ident: $($name:ident $(($($need:ident),+))?),+ $(,)?) => {
        &[$($crate::case::Case::new(
            stringify!($name),
            $crate::case::Category::$category,
            &[$($($crate::case::Need::$need),+)?],
            |context| Box::pin($name(context)),
        )),+]
    };
}

pub(crate) use cases;
