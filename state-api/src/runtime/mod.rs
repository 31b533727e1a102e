//! One opened store with its write buffer: what typed states stand on.

mod buffer;
mod flush;
mod gate;
mod reader;
mod store;

pub(crate) use buffer::Stage;
pub(crate) use reader::Reader;
pub(crate) use store::StoreRuntime;
