//! Taking answers apart.

use bytes::Bytes;
use redis::Value;
use statehold_core::{Millis, Result, Revision};

use crate::error::unexpected;

pub(crate) fn array(value: Value) -> Result<Vec<Value>> {
    match value {
        Value::Array(values) | Value::Set(values) => Ok(values),
        Value::Nil => Ok(Vec::new()),
        _ => Err(unexpected()),
    }
}

pub(crate) fn maybe_bytes(value: Value) -> Result<Option<Bytes>> {
    match value {
        Value::BulkString(bytes) => Ok(Some(Bytes::from(bytes))),
        Value::SimpleString(text) => Ok(Some(Bytes::from(text))),
        Value::Okay => Ok(Some(Bytes::from_static(b"OK"))),
        Value::Int(number) => Ok(Some(Bytes::from(number.to_string()))),
        Value::Nil => Ok(None),
        _ => Err(unexpected()),
    }
}

pub(crate) fn bytes(value: Value) -> Result<Bytes> {
    maybe_bytes(value)?.ok_or_else(unexpected)
}

pub(crate) fn text(value: Value) -> Result<String> {
    String::from_utf8(bytes(value)?.to_vec()).map_err(|_| unexpected())
}

pub(crate) fn number<T: std::str::FromStr>(value: Value) -> Result<T> {
    text(value)?.parse().map_err(|_| unexpected())
}

/// Eight bytes, big-endian.
pub(crate) fn word(bytes: &[u8]) -> Result<u64> {
    bytes.try_into().map(u64::from_be_bytes).map_err(|_| unexpected())
}

pub(crate) fn millis(value: Value) -> Result<Millis> {
    word(&bytes(value)?).map(Millis)
}

pub(crate) fn revision(value: Value) -> Result<Revision> {
    word(&bytes(value)?).map(Revision)
}

/// A script's answer: its first word and the rest.
pub(crate) fn worded(value: Value) -> Result<(String, std::vec::IntoIter<Value>)> {
    let mut parts = array(value)?.into_iter();
    let word = text(parts.next().ok_or_else(unexpected)?)?;
    Ok((word, parts))
}

pub(crate) fn next(parts: &mut std::vec::IntoIter<Value>) -> Result<Value> {
    parts.next().ok_or_else(unexpected)
}
