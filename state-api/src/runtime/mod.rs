//! One opened store with its write buffer: what typed states stand on.

mod barrier;
mod buffer;
mod flush;
mod gate;
mod reader;
mod store;
mod stripes;

#[cfg(test)]
mod tests;

pub(crate) use barrier::Barrier;
pub(crate) use buffer::Stage;
pub(crate) use flush::is_unknown;
pub(crate) use reader::Reader;
pub(crate) use store::{StoreRuntime, to_the_end};
pub(crate) use stripes::{Seen, Unsettled};
