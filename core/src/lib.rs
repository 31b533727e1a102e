//! The storage contract of statehold: what every engine implements and everything else builds on.
//!
//! It is: the service-provider interface ([`Backend`], [`Store`], [`Reads`], [`StateOperator`]),
//! the data model ([`Address`], [`Cell`], [`Batch`]), key groups, the order-preserving key codec
//! ([`key`]), the value [`Envelope`], [`Limits`], [`Capabilities`], the [`Clock`], one [`Error`],
//! lists and maps over rows ([`emulate`]), the staged rows of a write buffer ([`staged`]), and a
//! ready store over any ordered engine ([`ordered`]).
//!
//! It is not: an engine, an async runtime, an object store or a file format. A third party who
//! writes a backend depends on this crate alone, and on `statehold-conformance` for its tests.

mod batch;
mod capability;
mod clock;
pub mod emulate;
mod envelope;
mod error;
mod form;
mod group;
pub mod key;
mod limits;
mod name;
mod native;
mod op;
mod options;
pub mod ordered;
pub mod portable;
mod reads;
mod record;
mod resources;
mod spec;
pub mod staged;
mod step;
mod store;

pub use batch::{
    Batch, Committed, Condition, ConditionsFailed, MAX_MARKED_CHANGES, MAX_POSITION_BYTES, Marker, Mutation, WriterId,
};
pub use capability::{AtomicScope, Capabilities, Claims, Count, Durability, Ownership, Support};
pub use clock::{Clock, ManualClock, StoreClock, SystemClock};
pub use envelope::{Envelope, Opened};
pub use error::{Error, ErrorKind, Result};
pub use form::Form;
pub use group::{KeyGroup, KeyGroups, MAX_KEY_GROUPS};
pub use limits::Limits;
pub use name::{MAX_NAME_BYTES, Name};
pub use native::{KeptFiles, NativeArchive, NativeCut, NativeFile, NativeLoader};
pub use op::Op;
pub use options::{OptionReader, OptionValue, Options, parse_bytes};
pub use reads::{Page, PageLimit, Reads, ScanRange, ScanRequest, collect};
pub use record::{Address, Cell, Millis, Position, Revision, Row, StateId};
pub use resources::{BlockingPool, Inline, Resources};
pub use spec::{KeyShape, Model, SpecChange, StateSpec};
pub use step::{STEPS, step};
pub use store::{
    ArchiveSink, ArchiveSource, ArchiveStep, Backend, Compacted, Loader, OpenRequest, Snapshot, StateOperator, Store,
    Unclean,
};
