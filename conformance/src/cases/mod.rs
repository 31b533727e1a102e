//! The cases, one file a clause family (large clauses have their own), in the contract's order.

mod batch;
mod cap;
mod condition;
mod cut;
mod drop;
mod history;
mod kv;
mod life;
mod list;
mod map;
mod marker;
mod name;
mod native;
mod native_parts;
mod own;
mod recover;
mod revision;
mod scan;
mod ttl;

use crate::Case;

pub(crate) const FAMILIES: &[&[Case]] = &[
    name::CASES,
    kv::CASES,
    scan::CASES,
    revision::CASES,
    ttl::CASES,
    list::CASES,
    map::CASES,
    batch::CASES,
    condition::CASES,
    history::CASES,
    marker::CASES,
    life::CASES,
    cut::CASES,
    recover::CASES,
    native::CASES,
    native_parts::CASES,
    drop::CASES,
    own::CASES,
    cap::CASES,
];
