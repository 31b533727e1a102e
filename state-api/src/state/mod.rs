//! Typed states: key-value, list and map, over the rows of a store.

mod batch;
mod cache;
mod codec;
pub(crate) mod core;
mod cursor;
mod kv;
mod list;
mod many;
mod map;
mod metrics;
mod scan;
mod scratch;
mod source;
mod summary;

pub use batch::WriteBatch;
pub use codec::{Codec, Json, Postcard, Raw, Value, ValueType};
pub use cursor::MapCursor;
pub use kv::{KeyValueState, Versioned};
pub use list::KeyListState;
pub use map::KeyMapState;
pub use scan::ScanOrder;
pub use source::Source;
pub use summary::Summary;
