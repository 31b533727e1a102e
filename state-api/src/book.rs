//! The Rust code of the README and of the book, run as doc tests.

#[doc = include_str!("../../README.md")]
struct Readme;

#[doc = include_str!("../../docs/src/getting-started.md")]
struct GettingStarted;

#[doc = include_str!("../../docs/src/states.md")]
struct States;

#[doc = include_str!("../../docs/src/checkpoints.md")]
struct Checkpoints;
