//! Descriptors: which engine holds which state.

mod descriptor;
mod duration;
mod file;
mod origin;
mod source;
mod suggest;
mod table;
mod validate;
mod variables;

#[cfg(test)]
mod tests;

pub use descriptor::{ArchiveDescriptor, Descriptor, MemoryDescriptor, StateDescriptor, StoreDescriptor};
pub use duration::parse_duration;
