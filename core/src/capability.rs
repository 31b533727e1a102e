//! What an engine claims; every claim is tested, and so is every missing one (contract CAP-1).

use crate::Limits;

/// What a commit's acknowledgement survives (contract LIFE-1), weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// Nothing: readable through this handle.
    Visible,
    /// `kill -9` of the application and of the server.
    Process,
    /// Power loss of the node.
    Power,
}

impl Durability {
    /// All levels, weakest first.
    pub const ALL: [Self; 3] = [Self::Visible, Self::Process, Self::Power];

    /// The level's name in descriptors.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Visible => "visible",
            Self::Process => "process",
            Self::Power => "power",
        }
    }
}

/// How far a batch is atomic (contract BATCH-1), and a read one point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AtomicScope {
    /// Within one key group.
    KeyGroup,
    /// Over the whole store.
    Store,
}

/// Who may write a store (contract OWN-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ownership {
    /// One owner; everybody else is refused or fenced.
    Exclusive,
    /// Many writers at once.
    Shared,
    /// A look at a store that others may be writing.
    ReadOnly,
}

impl Ownership {
    /// All modes.
    pub const ALL: [Self; 3] = [Self::Exclusive, Self::Shared, Self::ReadOnly];

    /// The mode's name in descriptors.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exclusive => "exclusive",
            Self::Shared => "shared",
            Self::ReadOnly => "read-only",
        }
    }
}

/// What becomes of an exclusive owner when another one opens the store (contract OWN-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Claims {
    /// The owner holds a lock, on a directory for instance: the other is refused with `Conflict`.
    Held,
    /// The claim lives in the engine and every commit checks it: the other takes over, and what the
    /// former owner commits is `Fenced`.
    Fencing,
}

impl Claims {
    /// The kind's name in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Fencing => "fencing",
        }
    }
}

/// Whether the engine has a form of its own or the framework gives it (contract MAP-3).
/// The answers are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Support {
    /// The engine's own form.
    Native,
    /// Rows of the waist.
    Emulated,
}

/// What `count` answers (contract KV-7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Count {
    /// Every live entry, counted.
    Exact(u64),
    /// The engine's own idea; expired and replaced entries may be in it.
    Estimate(u64),
}

impl Count {
    /// The number, exact or not.
    #[must_use]
    pub fn value(self) -> u64 {
        match self {
            Self::Exact(n) | Self::Estimate(n) => n,
        }
    }
}

/// What a store of this kind and these options can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// How far a batch is atomic.
    pub scope: AtomicScope,
    /// The levels that `finish` can reach, weakest first.
    pub durability: Vec<Durability>,
    /// The ways to open it.
    pub ownership: Vec<Ownership>,
    /// How exclusive owners keep each other out.
    pub claims: Claims,
    /// Content is still there when the store is closed and opened again.
    pub persistent: bool,
    /// Records can carry revisions (KV-5).
    pub revisions: bool,
    /// Records can expire (KV-6).
    pub ttl: bool,
    /// Commits can carry markers (BATCH-4).
    pub markers: bool,
    /// A cut can be taken while writes go on (LIFE-2).
    pub snapshots: bool,
    /// Content can be loaded beside the live data (LIFE-5).
    pub loading: bool,
    /// Lists have a form of the engine's own.
    pub lists: Support,
    /// Maps have a form of the engine's own.
    pub maps: Support,
    /// Scans yield (key, subkey) order within a group.
    pub ordered: bool,
    /// Archives made of the engine's own files, proportional to change (LIFE-3).
    pub native_archive: bool,
    /// The engine's own limits: what a descriptor may raise to.
    pub max_limits: Limits,
}

impl Capabilities {
    /// The level of a store whose descriptor names none: `Process` if the engine gives it, else the first it gives.
    #[must_use]
    pub fn default_durability(&self) -> Durability {
        if self.durability.contains(&Durability::Process) {
            return Durability::Process;
        }
        self.durability.first().copied().unwrap_or(Durability::Visible)
    }

    /// Everything that an ordered engine within the process gets from
    /// [`ordered`](crate::ordered); a backend lowers what it cannot keep.
    #[must_use]
    pub fn in_process() -> Self {
        Self {
            scope: AtomicScope::Store,
            durability: Durability::ALL.to_vec(),
            ownership: vec![Ownership::Exclusive, Ownership::ReadOnly],
            claims: Claims::Held,
            persistent: true,
            revisions: true,
            ttl: true,
            markers: true,
            snapshots: true,
            loading: true,
            lists: Support::Emulated,
            maps: Support::Emulated,
            ordered: true,
            native_archive: false,
            max_limits: Limits { key: 16 << 10, sub: 16 << 10, label: 255, value: 256 << 20, batch: 1 << 30 },
        }
    }
}
