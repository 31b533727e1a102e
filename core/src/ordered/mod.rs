//! A ready store over any ordered key-value engine within the process.

mod engine;

pub use engine::{Engine, EngineBatch, EngineRead, Visit, WriteLevel};
