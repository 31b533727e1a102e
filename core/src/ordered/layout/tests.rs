//! The layout's bytes never change, and their order is the order of rows.

use std::ops::Bound;

use proptest::prelude::*;

use super::*;
use crate::{PageLimit, Position};

fn form(model: Model, shape: KeyShape, revisions: bool, ttl: bool) -> Form {
    Form { rows: crate::Form { id: StateId(9), model, shape, revisions, ttl }, table: Table(0x0102_0304) }
}

fn row(form: Form, key: &[u8], sub: &[u8]) -> Vec<u8> {
    let mut out = b"left over".to_vec();
    form.row(KeyGroup(0x0A0B), key, sub, &mut out);
    out
}

#[test]
fn name_5_golden_row_keys() {
    let kv = form(Model::Kv, KeyShape::Variable, false, false);
    assert_eq!(row(kv, b"k\0", b""), b"\x0A\x0B\x01\x02\x03\x04k\0");
    let fixed = form(Model::Map, KeyShape::Fixed(2), false, false);
    assert_eq!(row(fixed, b"k\0", b"s"), b"\x0A\x0B\x01\x02\x03\x04k\0s");
    let escaped = form(Model::Map, KeyShape::Variable, false, false);
    assert_eq!(row(escaped, b"k\0\xFF", b"s"), b"\x0A\x0B\x01\x02\x03\x04k\0\xFF\xFF\0\x01s");
}

#[test]
fn name_5_golden_row_values() {
    let cell = Cell { value: Bytes::from_static(b"v"), expires_at: Some(Millis(0x0102)), ..Cell::default() };
    let written = |revisions, ttl| {
        let mut out = Vec::new();
        form(Model::Kv, KeyShape::Variable, revisions, ttl).value(Revision::new(1, 2), &cell, &mut out);
        out
    };
    assert_eq!(written(false, false), b"v");
    assert_eq!(written(true, false), b"\0\0\x01\0\0\0\0\x02v");
    assert_eq!(written(false, true), b"\0\0\0\0\0\0\x01\x02v");
    assert_eq!(written(true, true), b"\0\0\x01\0\0\0\0\x02\0\0\0\0\0\0\x01\x02v");
}

#[test]
fn no_expiry_is_the_greatest_number() {
    let form = form(Model::Kv, KeyShape::Variable, false, true);
    let mut out = Vec::new();
    form.value(Revision::NONE, &Cell::new("v"), &mut out);
    assert_eq!(out, b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFv");
    assert_eq!(form.cell(Bytes::from(out)).unwrap(), Cell::new("v"));
}

#[test]
fn rows_of_other_lengths_are_damaged() {
    let mut key = Vec::new();
    let fixed = form(Model::Map, KeyShape::Fixed(4), true, true);
    assert!(fixed.split(b"abc", &mut key).is_err());
    assert!(fixed.cell(Bytes::from_static(b"fifteen bytes..")).is_err());
    let escaped = form(Model::Map, KeyShape::Variable, false, false);
    for tail in [&b"no end"[..], b"cut\0", b"k\0\x02s", b""] {
        assert!(escaped.split(tail, &mut key).is_err(), "{tail:?}");
    }
}

#[test]
fn keys_of_another_length_are_refused_where_it_is_fixed() {
    let fixed = form(Model::Kv, KeyShape::Fixed(4), false, false);
    assert!(fixed.check(b"abcd", b"").is_ok());
    assert!(fixed.check(b"abc", b"").is_err());
    assert!(fixed.check(b"abcd", b"sub").is_err(), "KV has no subkeys");
}

/// Few distinct bytes, so that prefixes and equal keys are common.
fn bytes(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(0), Just(1), Just(2), Just(0xFE), Just(0xFF)], len)
}

fn forms() -> impl Strategy<Value = Form> {
    prop_oneof![
        Just(form(Model::Kv, KeyShape::Variable, false, false)),
        Just(form(Model::Map, KeyShape::Variable, false, false)),
        Just(form(Model::Map, KeyShape::Fixed(3), false, false)),
    ]
}

fn key_of(form: Form) -> impl Strategy<Value = Vec<u8>> {
    bytes(if form.shape == KeyShape::Variable { 1..5 } else { 3..4 })
}

fn sub_of(form: Form) -> impl Strategy<Value = Vec<u8>> {
    bytes(if form.model == Model::Kv { 0..1 } else { 0..3 })
}

fn bound(len: std::ops::Range<usize>) -> impl Strategy<Value = Bound<Bytes>> {
    prop_oneof![
        Just(Bound::Unbounded),
        bytes(len.clone()).prop_map(|b| Bound::Included(b.into())),
        bytes(len).prop_map(|b| Bound::Excluded(b.into())),
    ]
}

proptest! {
    #[test]
    fn byte_order_is_key_and_sub_order(
        (form, a, b) in forms().prop_flat_map(|f| (Just(f), (key_of(f), sub_of(f)), (key_of(f), sub_of(f)))),
    ) {
        prop_assert_eq!(row(form, &a.0, &a.1).cmp(&row(form, &b.0, &b.1)), a.cmp(&b));
    }

    #[test]
    fn a_row_is_split_as_it_was_joined((form, key, sub) in forms().prop_flat_map(|f| (Just(f), key_of(f), sub_of(f)))) {
        let row = row(form, &key, &sub);
        let mut buffer = b"left over".to_vec();
        prop_assert_eq!(form.split(&row[PREFIX..], &mut buffer).unwrap(), (&key[..], &sub[..]));
    }

    #[test]
    fn bounds_hold_exactly_the_rows_of_the_range(
        (form, key, sub, of, subs, keys, after) in forms().prop_flat_map(|f| (
            Just(f), key_of(f), sub_of(f), key_of(f),
            (bound(0..3), bound(0..3)),
            (bound(0..5), bound(0..5)),
            prop::option::of((key_of(f), sub_of(f))),
        )),
    ) {
        let ranges = [
            ScanRange::All,
            ScanRange::Keys(keys.0, keys.1),
            ScanRange::Subs(of.into(), subs.0, subs.1),
        ];
        let row = row(form, &key, &sub);
        for range in ranges {
            let request = ScanRequest {
                state: form.id,
                group: KeyGroup(0x0A0B),
                range,
                after: after.clone().map(|(key, sub)| Position { key: key.into(), sub: sub.into() }),
                limit: PageLimit::default(),
                keys_only: false,
            };
            let (from, to) = form.bounds(&request).unwrap();
            let behind = after.as_ref().is_none_or(|after| (&key, &sub) > (&after.0, &after.1));
            prop_assert_eq!(row >= from && row < to, behind && request.range.contains(&key, &sub), "{:?}", request);
        }
    }
}
