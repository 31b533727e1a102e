//! The Rust code of the book that is about backends, run as doc tests.

#[doc = include_str!("../../docs/src/write-a-backend.md")]
struct WriteABackend;
