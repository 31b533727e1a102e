//! The order-preserving key codec: encoded keys sort as the keys themselves do.
//!
//! ```text
//! u8..u128      big-endian
//! i8..i128      big-endian with the sign bit flipped
//! bool, char    as u8, as u32
//! [u8; N]       as they are
//! text, bytes   as they are; inside a tuple, unless last: 0x00 becomes 0x00 0xFF, then 0x00 0x01
//! tuples        their parts, one after the other
//! ```
//! The escape is that of CockroachDB's `EncodeBytesAscending`: it keeps order and needs no length.
//! The encoding is part of the storage format; `core/tests/golden` pins it.

use std::hash::Hash;

use bytes::Bytes;

use crate::{Error, KeyShape, Result};

/// What can be written as a key, owned or borrowed: `str` encodes as `String` does, so a
/// state of `String` keys is asked with `&str`.
pub trait EncodeKey {
    /// Appends the encoding, which may reach to the end of the key.
    fn encode(&self, out: &mut Vec<u8>);

    /// Appends an encoding that tells its own end, for all but the last part of a tuple.
    fn encode_part(&self, out: &mut Vec<u8>);
}

/// What is written as a key of type `K`: a `K`, or a borrowed form that encodes as it does. A type of
/// your own implements it for itself.
pub trait AsKey<K>: EncodeKey {}

impl<K, T: AsKey<K> + ?Sized> AsKey<K> for &T {}

macro_rules! as_key {
    ($($type:ty: $($form:ty),+;)*) => {$($(
        impl AsKey<$type> for $form {}
    )+)*};
}

as_key! {
    String: String, str;
    Vec<u8>: Vec<u8>, [u8], Bytes;
    Bytes: Bytes, [u8], Vec<u8>;
}

impl<const N: usize> AsKey<[u8; N]> for [u8; N] {}
impl<A: AsKey<K>, B: AsKey<L>, K, L> AsKey<(K, L)> for (A, B) {}
impl<A: AsKey<K>, B: AsKey<L>, C: AsKey<M>, K, L, M> AsKey<(K, L, M)> for (A, B, C) {}
impl<A: AsKey<K>, B: AsKey<L>, C: AsKey<M>, D: AsKey<N>, K, L, M, N> AsKey<(K, L, M, N)> for (A, B, C, D) {}

/// A key's type.
///
/// ```
/// use statehold_core::key::{EncodeKey, Key};
/// let (mut small, mut great) = (Vec::new(), Vec::new());
/// (-5i32, "b").encode(&mut small);
/// (3i32, "a").encode(&mut great);
/// assert!(small < great);
/// assert_eq!(<(i32, String)>::decode(&small)?, (-5, "b".to_owned()));
/// # Ok::<(), statehold_core::Error>(())
/// ```
pub trait Key: EncodeKey + Clone + Eq + Hash + Send + Sync + Sized + 'static {
    /// Whether all encodings have one length.
    const SHAPE: KeyShape;

    /// The type's name in the catalog.
    fn type_name() -> String;

    /// Reads a whole encoding.
    ///
    /// # Errors
    /// `Corrupt` if `bytes` are not one.
    fn decode(bytes: &[u8]) -> Result<Self>;

    /// Reads a part off the front of `bytes`.
    ///
    /// # Errors
    /// `Corrupt` if there is none.
    fn decode_part(bytes: &mut &[u8]) -> Result<Self>;
}

#[cold]
fn malformed(what: &str) -> Error {
    Error::corrupt(format!("a stored key is not an encoded {what}"))
}

fn whole<T>(what: &str, mut bytes: &[u8], read: impl FnOnce(&mut &[u8]) -> Result<T>) -> Result<T> {
    let value = read(&mut bytes)?;
    if bytes.is_empty() { Ok(value) } else { Err(malformed(what)) }
}

fn take<const N: usize>(what: &str, bytes: &mut &[u8]) -> Result<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>().ok_or_else(|| malformed(what))?;
    *bytes = rest;
    Ok(*head)
}

macro_rules! fixed {
    ($($type:ty, $bits:ty, $name:literal, $to:expr, $from:expr;)*) => {$(
        impl EncodeKey for $type {
            #[inline]
            fn encode(&self, out: &mut Vec<u8>) {
                let bits: $bits = $to(*self);
                out.extend_from_slice(&bits.to_be_bytes());
            }
            #[inline]
            fn encode_part(&self, out: &mut Vec<u8>) {
                self.encode(out);
            }
        }
        impl AsKey<$type> for $type {}
        impl Key for $type {
            const SHAPE: KeyShape = KeyShape::Fixed(size_of::<$bits>() as u16);
            fn type_name() -> String {
                $name.into()
            }
            #[inline]
            fn decode(bytes: &[u8]) -> Result<Self> {
                whole($name, bytes, Self::decode_part)
            }
            #[inline]
            fn decode_part(bytes: &mut &[u8]) -> Result<Self> {
                let bits = <$bits>::from_be_bytes(take($name, bytes)?);
                $from(bits).ok_or_else(|| malformed($name))
            }
        }
    )*};
}

fixed! {
    u8, u8, "u8", |v| v, Some;
    u16, u16, "u16", |v| v, Some;
    u32, u32, "u32", |v| v, Some;
    u64, u64, "u64", |v| v, Some;
    u128, u128, "u128", |v| v, Some;
    i8, u8, "i8", |v: i8| (v as u8) ^ (1 << 7), |b: u8| Some((b ^ (1 << 7)) as i8);
    i16, u16, "i16", |v: i16| (v as u16) ^ (1 << 15), |b: u16| Some((b ^ (1 << 15)) as i16);
    i32, u32, "i32", |v: i32| (v as u32) ^ (1 << 31), |b: u32| Some((b ^ (1 << 31)) as i32);
    i64, u64, "i64", |v: i64| (v as u64) ^ (1 << 63), |b: u64| Some((b ^ (1 << 63)) as i64);
    i128, u128, "i128", |v: i128| (v as u128) ^ (1 << 127), |b: u128| Some((b ^ (1 << 127)) as i128);
    bool, u8, "bool", u8::from, |b: u8| (b < 2).then_some(b == 1);
    char, u32, "char", u32::from, char::from_u32;
}

impl<const N: usize> EncodeKey for [u8; N] {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
    fn encode_part(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl<const N: usize> Key for [u8; N] {
    const SHAPE: KeyShape = KeyShape::Fixed(N as u16);
    fn type_name() -> String {
        format!("[u8; {N}]")
    }
    fn decode(bytes: &[u8]) -> Result<Self> {
        whole("byte array", bytes, Self::decode_part)
    }
    fn decode_part(bytes: &mut &[u8]) -> Result<Self> {
        take("byte array", bytes)
    }
}

const ESCAPE: u8 = 0x00;
const ESCAPED_ZERO: u8 = 0xFF;
const END: u8 = 0x01;

/// Whether two keys are equal, as `==` says, for keys that were encoded a moment ago: it compares word by word, as they
/// were written, whereas `memcmp` reads a short key as one wide load, which has to wait for the narrower writes.
///
/// ```
/// use statehold_core::key::same;
/// assert!(same(b"orders-2026", b"orders-2026"));
/// assert!(!same(b"orders-2026", b"orders-2027") && !same(b"orders", b"order"));
/// ```
#[inline]
#[must_use]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    let ((words, rest), (other_words, other_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    a.len() == b.len()
        && words.iter().zip(other_words).all(|(x, y)| u64::from_ne_bytes(*x) == u64::from_ne_bytes(*y))
        && rest.iter().zip(other_rest).all(|(x, y)| x == y)
}

/// Appends `bytes` so that their end can be told and their order is kept.
pub fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(zero) = rest.iter().position(|b| *b == ESCAPE) {
        out.extend_from_slice(&rest[..zero]);
        out.extend_from_slice(&[ESCAPE, ESCAPED_ZERO]);
        rest = &rest[zero + 1..];
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(&[ESCAPE, END]);
}

/// Takes what [`escape`] wrote off the front of `bytes`.
///
/// # Errors
/// `Corrupt` if it does not end or holds an unknown escape.
pub fn unescape(bytes: &mut &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = *bytes;
    loop {
        let zero = rest.iter().position(|b| *b == ESCAPE).ok_or_else(|| malformed("byte string"))?;
        out.extend_from_slice(&rest[..zero]);
        match rest.get(zero + 1) {
            Some(&ESCAPED_ZERO) => out.push(ESCAPE),
            Some(&END) => {
                *bytes = &rest[zero + 2..];
                return Ok(out);
            }
            _ => return Err(malformed("byte string")),
        }
        rest = &rest[zero + 2..];
    }
}

macro_rules! byte_string {
    ($($type:ty, $bytes:expr;)*) => {$(
        impl EncodeKey for $type {
            #[inline]
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice($bytes(self));
            }
            fn encode_part(&self, out: &mut Vec<u8>) {
                escape($bytes(self), out);
            }
        }
    )*};
}

byte_string! {
    str, str::as_bytes;
    String, String::as_bytes;
    [u8], |v| v;
    Vec<u8>, Vec::as_slice;
    Bytes, |v| v;
}

impl<T: EncodeKey + ?Sized> EncodeKey for &T {
    fn encode(&self, out: &mut Vec<u8>) {
        (**self).encode(out);
    }
    fn encode_part(&self, out: &mut Vec<u8>) {
        (**self).encode_part(out);
    }
}

macro_rules! owned_bytes {
    ($($type:ty, $name:literal, $from:expr;)*) => {$(
        impl Key for $type {
            const SHAPE: KeyShape = KeyShape::Variable;
            fn type_name() -> String {
                $name.into()
            }
            fn decode(bytes: &[u8]) -> Result<Self> {
                let make: fn(Vec<u8>) -> Result<Self> = $from;
                make(bytes.to_vec())
            }
            fn decode_part(bytes: &mut &[u8]) -> Result<Self> {
                let make: fn(Vec<u8>) -> Result<Self> = $from;
                make(unescape(bytes)?)
            }
        }
    )*};
}

owned_bytes! {
    String, "string", |v| String::from_utf8(v).map_err(|_| malformed("string"));
    Vec<u8>, "bytes", Ok;
    Bytes, "bytes", |v| Ok(Bytes::from(v));
}

const fn joined(a: KeyShape, b: KeyShape) -> KeyShape {
    match (a, b) {
        (KeyShape::Fixed(a), KeyShape::Fixed(b)) => KeyShape::Fixed(a + b),
        _ => KeyShape::Variable,
    }
}

macro_rules! tuple {
    ($($part:ident $index:tt),+; $last:ident $last_index:tt) => {
        impl<$($part: EncodeKey,)+ $last: EncodeKey> EncodeKey for ($($part,)+ $last,) {
            fn encode(&self, out: &mut Vec<u8>) {
                $(self.$index.encode_part(out);)+
                self.$last_index.encode(out);
            }
            fn encode_part(&self, out: &mut Vec<u8>) {
                $(self.$index.encode_part(out);)+
                self.$last_index.encode_part(out);
            }
        }
        impl<$($part: Key,)+ $last: Key> Key for ($($part,)+ $last,) {
            const SHAPE: KeyShape = {
                let shape = $last::SHAPE;
                $(let shape = joined(shape, $part::SHAPE);)+
                shape
            };
            fn type_name() -> String {
                let parts = [$($part::type_name(),)+ $last::type_name()];
                format!("({})", parts.join(", "))
            }
            fn decode(mut bytes: &[u8]) -> Result<Self> {
                Ok(($($part::decode_part(&mut bytes)?,)+ $last::decode(bytes)?,))
            }
            fn decode_part(bytes: &mut &[u8]) -> Result<Self> {
                Ok(($($part::decode_part(bytes)?,)+ $last::decode_part(bytes)?,))
            }
        }
    };
}

tuple!(A 0; B 1);
tuple!(A 0, B 1; C 2);
tuple!(A 0, B 1, C 2; D 3);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded<K: EncodeKey>(key: &K) -> Vec<u8> {
        let mut out = Vec::new();
        key.encode(&mut out);
        out
    }

    type Wide = (i64, String, Vec<u8>, char);

    proptest! {
        #[test]
        fn encoded_keys_round_trip_and_sort_as_the_keys_do(a: Wide, b: Wide) {
            let (x, y) = (encoded(&a), encoded(&b));
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(Wide::decode(&x).unwrap(), a);
        }

        #[test]
        fn nested_tuples_keep_order(a: ((String, i8), String), b: ((String, i8), String)) {
            prop_assert_eq!(encoded(&a).cmp(&encoded(&b)), a.cmp(&b));
        }

        #[test]
        fn hostile_bytes_are_refused_or_decoded_but_never_panic(bytes: Vec<u8>) {
            let _ = Wide::decode(&bytes);
            let _ = <(bool, i128)>::decode(&bytes);
        }
    }

    #[test]
    fn name_5_the_encoding_is_pinned() {
        assert_eq!(encoded(&1u32), [0, 0, 0, 1]);
        assert_eq!(encoded(&-1i16), [0x7F, 0xFF]);
        assert_eq!(encoded(&("a\0", 7u8)), [b'a', 0, 0xFF, 0, 1, 7]);
        assert_eq!(encoded(&(7u8, "a\0")), [7, b'a', 0]);
    }
}
