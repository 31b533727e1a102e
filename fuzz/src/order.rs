//! [`Order`]: a value with something of everything.

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

#[derive(Arbitrary, Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
pub struct Order {
    pub id: u64,
    pub signed: i128,
    pub name: String,
    pub raw: Vec<u8>,
    pub note: Option<String>,
    pub counts: BTreeMap<String, i32>,
    pub lines: Vec<Line>,
    pub weight: f64,
    pub small: f32,
}

#[derive(Arbitrary, Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
pub enum Line {
    Empty,
    Text(String),
    Pair(u16, char),
    Named { on: bool, nested: Vec<Option<u8>> },
}
