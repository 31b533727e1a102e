//! The log's records and the names of objects, as small as the protocol allows.

/// Numbers records, from 1 on.
pub type Number = u8;
/// Key groups, one bit each.
pub type Groups = u8;

/// All key groups of the namespace.
pub const ALL: Groups = 0b11;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Record {
    /// By which an append knows its own record again.
    pub write_id: WriteId,
    pub entry: Entry,
}

/// A process and its how manieth record it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteId {
    pub process: u8,
    pub serial: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entry {
    Claim(Claim),
    Part(Part),
    Complete { id: u8, parts: Vec<Number> },
    Retire { completes: Vec<Number>, parts: Vec<Number> },
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim {
    pub groups: Groups,
    /// The checkpoint that its content comes from.
    pub base: Option<Number>,
    /// It goes on with what an earlier claim's store held at this point, which it found on its disk.
    pub continues: Option<Point>,
    /// Whether it asked for the latest checkpoint. Not in the real log.
    pub wants_latest: bool,
}

/// The content of an owner: what it had when an attempt of a claim took its cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point {
    pub claim: Number,
    pub attempt: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Part {
    pub at: Point,
    pub groups: Groups,
    pub id: u8,
    /// Which call of the coordinator it answers. Not in the real log.
    pub round: u8,
    pub objects: Vec<Object>,
}

/// `<hash>-<claim>.<attempt>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Object {
    pub at: Point,
    pub file: File,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum File {
    /// Never changes: uploaded once, then shared by reference.
    Stable,
    /// Differs in each checkpoint.
    Changing,
}
