//! State in [redb](https://www.redb.org), an embedded ordered store in pure Rust: one file, no C++.
//!
//! A [`RedbBackend`] is also the example of the book's page "Write a backend": what an engine with a disk has to say,
//! and no more. The `engine` says how rows are read and written, the `backend` where the file is and who holds it,
//! `error` what a failure means, and `tests/redb.rs` is the proof, in one line.
//!
//! It is not: fast under many small commits, each of which redb syncs, or open to a second process that only reads.

mod backend;
mod batch;
mod engine;
mod error;

pub use backend::RedbBackend;
