//! [`Dry`]: no store at all. What it takes is what the bench itself takes.

use std::hint::black_box;

use statehold::{Error, Result};
use statehold_bench_kit::{Access, Client, Op};

/// Takes everything and keeps nothing.
pub(super) struct Dry;

impl Client for Dry {
    #[inline]
    async fn apply(&mut self, op: &mut Op) -> Result<u64> {
        Ok(match black_box(op) {
            Op::Get(key) | Op::GetAbsent(key) | Op::Modify(key) | Op::Increment(key) => *key,
            _ => 0,
        })
    }
}

impl Access for Dry {
    type Client = Self;

    async fn client(&mut self) -> Result<Self> {
        Ok(Self)
    }

    async fn step(&mut self, _: statehold_bench_kit::op::Step) -> Result<()> {
        Err(Error::unsupported("the dry side has nothing to keep"))
    }

    fn durability(&self) -> String {
        "nothing is kept".to_owned()
    }

    fn engine(&self) -> Option<String> {
        None
    }

    async fn close(self) -> Result<()> {
        Ok(())
    }
}
