//! Writes the seeds that are made by code into `fuzz/corpus`: files, rows and values as statehold writes them.
//! `RUSTFLAGS="--cfg fuzzing" cargo run --example seeds`

use std::{error::Error, fs, path::PathBuf};

use bytes::Bytes;
use futures::executor::block_on;
use statehold::{Codec, Json, Postcard, archive::fuzzing};
use statehold_core::{
    Address, Batch, Cell, Envelope, KeyGroup, KeyShape, Marker, Millis, Model, Mutation, Revision, Row, StateSpec,
    Store, WriterId,
    key::{EncodeKey, escape},
};
use statehold_fuzz::{
    engine::{self, MapEngine},
    order::{Line, Order},
    specs, tape,
};

type Outcome = Result<(), Box<dyn Error>>;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn seed(target: &str, name: &str, bytes: &[u8]) -> Outcome {
    let folder = root().join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    Ok(fs::write(folder.join(name), bytes)?)
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits = hex.trim_matches('.').as_bytes();
    digits.chunks(2).filter_map(|d| u8::from_str_radix(std::str::from_utf8(d).ok()?, 16).ok()).collect()
}

/// The golden envelopes.
fn envelopes() -> Outcome {
    let golden = fs::read_to_string(root().join("../conformance/tests/golden/envelopes.txt"))?;
    for (line, number) in golden.lines().filter(|l| !l.starts_with('#')).zip(0..) {
        let [state, _, key, sub, expiry, _, sealed] = line.split(' ').collect::<Vec<_>>()[..] else { continue };
        let expiry = expiry.parse::<u64>().map_or_else(|_| Vec::new(), |at| at.to_be_bytes().to_vec());
        let mut input = Vec::new();
        for field in [state.as_bytes(), &unhex(key), &unhex(sub), &expiry, &7_u32.to_be_bytes()] {
            input.push(field.len().min(255) as u8);
            input.extend_from_slice(&field[..field.len().min(255)]);
        }
        input.extend_from_slice(&unhex(sealed));
        seed("envelope", &format!("golden-{number}"), &input)?;
    }
    Ok(())
}

fn keys() -> Outcome {
    let encode = |key: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        key(&mut out);
        out
    };
    seed("key_decode", "string-u32", &encode(&|out| ("a\0b", 7_u32).encode(out)))?;
    seed("key_decode", "bool-char-string", &encode(&|out| (true, 'ß', "x").encode(out)))?;
    seed("key_decode", "four", &encode(&|out| (&b"\0\0"[..], "é", -3_i8, &b"\0"[..]).encode(out)))?;
    seed("key_decode", "nested", &encode(&|out| (("a", 1_u16), (&b"b\0"[..], &b"c"[..])).encode(out)))?;
    seed("key_decode", "escaped", &encode(&|out| escape(b"a\0\0b", out)))?;
    seed("key_decode", "integer", &encode(&|out| (-5_i64).encode(out)))
}

fn order() -> Order {
    Order {
        id: 4711,
        signed: -3,
        name: "pear".into(),
        raw: vec![0, 255],
        note: Some("ripe".into()),
        counts: [("a".to_owned(), 1), ("b".to_owned(), -1)].into(),
        lines: vec![
            Line::Empty,
            Line::Text("t".into()),
            Line::Pair(7, 'ß'),
            Line::Named { on: true, nested: vec![Some(1), None] },
        ],
        weight: 0.1,
        small: 1.5e-7,
    }
}

fn values() -> Outcome {
    // Four zeros choose the arm that takes bytes.
    let mut postcard = vec![0; 4];
    Codec::<Order>::encode(&Postcard, &order(), &mut postcard)?;
    seed("values", "postcard", &postcard)?;
    let mut json = vec![0; 4];
    Codec::<Order>::encode(&Json, &order(), &mut json)?;
    seed("values", "json", &json)
}

/// A row as a state keeps it: sealed, but for a list's head.
fn row(spec: &StateSpec, key: &str, sub: &[u8], value: &[u8], expires_at: Option<u64>) -> fuzzing::Placed {
    let expires_at = expires_at.map(Millis);
    let envelope = Envelope::of_state(&spec.name);
    let value = match (spec.model, sub) {
        (Model::List, []) => Bytes::new(),
        (Model::List, _) => envelope.seal(0, key.as_bytes(), b"", None, value),
        _ => envelope.seal(0, key.as_bytes(), sub, expires_at, value),
    };
    let expires_at = expires_at.filter(|_| spec.model != Model::List || sub.is_empty());
    let revision = if spec.revisions { Revision::new(1, 1) } else { Revision::NONE };
    let row = Row {
        key: Bytes::copy_from_slice(key.as_bytes()),
        sub: Bytes::copy_from_slice(sub),
        cell: Cell { value, revision, expires_at },
    };
    let state = specs().iter().position(|s| s.name == spec.name).unwrap_or(0) as u32;
    (state, KeyGroup::of(key.as_bytes(), 8), row)
}

fn files() -> Outcome {
    let specs = specs();
    let [counts, queues, carts] = &specs[..] else { return Err("three states".into()) };
    let sorted = |mut rows: Vec<fuzzing::Placed>| {
        rows.sort_by(|a, b| (a.1, a.0, &a.2.key, &a.2.sub).cmp(&(b.1, b.0, &b.2.key, &b.2.sub)));
        rows
    };
    let many = (0..40).map(|i| row(counts, &format!("k{i}"), b"", &[i; 3], None)).collect();
    let one = vec![row(counts, "apple", b"", b"1", Some(5_000))];
    let all = vec![
        row(counts, "apple", b"", b"1", None),
        row(queues, "q", b"", b"", Some(9_000)),
        row(queues, "q", &1_u64.to_be_bytes(), b"first", None),
        row(queues, "q", &2_u64.to_be_bytes(), b"second", None),
        row(carts, "c", b"", b"empty sub", None),
        row(carts, "c", b"pear", b"3", Some(9_000)),
    ];
    let large = vec![row(counts, "large", b"", &b"abc".repeat(500), None)];
    for (name, rows) in [("one", one), ("all", sorted(all)), ("many", sorted(many)), ("large", large)] {
        let file = fuzzing::write_file(rows, &specs)?.ok_or("there are rows")?;
        seed("portable", name, &file)?;
        if name == "one" {
            seed("portable", "dictionary-of-billions", &with_large_dictionary(&file)?)?;
        }
    }
    Ok(())
}

/// The dictionary of the key groups has one value, and claims to have 2^31 - 1.
fn with_large_dictionary(file: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let headers = file.windows(5).enumerate().filter(|(_, bytes)| *bytes == [0x4c, 0x15, 2, 0x15, 0]);
    // Behind those of states and models.
    let (at, _) = headers.skip(2).next().ok_or("three columns have dictionaries")?;
    Ok([&file[..at + 2], &[0xfe, 0xff, 0xff, 0xff, 0x0f], &file[at + 3..]].concat())
}

/// The rows of a store that was used.
fn ordered() -> Outcome {
    let engine = MapEngine::default();
    let store = engine::open(engine.clone())?;
    seed("ordered", "empty", &tape::write(&engine.rows()))?;
    let cell = |expires_at: Option<u64>| Cell { expires_at: expires_at.map(Millis), ..Cell::new(&b"12345value"[..]) };
    for (mut spec, number) in specs().into_iter().zip(0_u128..) {
        spec.key_shape = if spec.model == Model::Map { KeyShape::Fixed(3) } else { KeyShape::Variable };
        let state = block_on(store.register(&spec))?;
        let key = Bytes::from_static(b"a\0b");
        let group = KeyGroup::of(&key, 8);
        let at = |sub: &'static [u8]| Address { group, state, key: key.clone(), sub: Bytes::from_static(sub) };
        let mutations = match spec.model {
            Model::Kv => vec![Mutation::Put(at(b""), cell(Some(9_000)))],
            Model::List => vec![Mutation::Append { at: at(b""), cells: vec![cell(Some(9_000)), cell(Some(9_000))] }],
            _ => vec![Mutation::Put(at(b""), cell(None)), Mutation::Put(at(b"sub"), cell(Some(9_000)))],
        };
        let marker = Marker { writer: WriterId(number), sequence: 1, position: Some(Bytes::from_static(b"17")) };
        let mut batch = Batch { mutations, marker: Some(marker), ..Batch::default() };
        batch.sort();
        block_on(store.commit(batch).finish())?;
    }
    seed("ordered", "used", &tape::write(&engine.rows()))
}

fn main() -> Outcome {
    envelopes()?;
    keys()?;
    values()?;
    files()?;
    ordered()
}
