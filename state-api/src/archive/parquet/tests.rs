//! Rows through a file and back, and files that nobody would write.

use std::{
    io::{Read, Write},
    sync::Arc,
};

use bytes::Bytes;
use parquet::file::{
    metadata::{KeyValue, ParquetMetaDataReader},
    properties::WriterProperties,
    reader::{ChunkReader, FileReader, SerializedFileReader},
    writer::SerializedFileWriter,
};
use proptest::prelude::*;
use statehold_core::{Cell, Envelope, ErrorKind, KeyGroup, Millis, Model, Revision, Row, StateSpec};

use super::*;
use crate::archive::chunks::{ChunkWriter, Chunks};

fn labels() -> Vec<StateLabel> {
    let spec = |(name, model)| StateLabel::of(&StateSpec::bytes(name, model).unwrap());
    [("counts", Model::Kv), ("queues", Model::List), ("carts", Model::Map)].map(spec).to_vec()
}

fn encode(rows: &[ArchivedRow]) -> Encoded {
    let mut encoder = Encoder::new().unwrap();
    let mut group = RowGroup::default();
    for row in rows {
        if let Some(back) = group.push(row.clone()) {
            encoder.write(&group, &labels()).unwrap();
            group = RowGroup::default();
            assert_eq!(group.push(back), None);
        }
    }
    encoder.write(&group, &labels()).unwrap();
    encoder.finish().unwrap().unwrap()
}

fn decode(file: &Encoded) -> statehold_core::Result<Vec<ArchivedRow>> {
    let mut decoder = Decoder::open(file.chunks.clone(), file.rows)?;
    let mut rows = Vec::new();
    while let Some(more) = decoder.read(&labels())? {
        rows.extend(more);
    }
    Ok(rows)
}

fn bytes_of(file: &Encoded) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.chunks.get_read(0).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

fn chunks_of(bytes: &[u8]) -> Chunks {
    let mut writer = ChunkWriter::default();
    writer.write_all(bytes).unwrap();
    writer.finish()
}

fn row(state: u32, key: &[u8], sub: &[u8], value: Vec<u8>) -> ArchivedRow {
    let row = Row { key: Bytes::copy_from_slice(key), sub: Bytes::copy_from_slice(sub), cell: Cell::new(value) };
    ArchivedRow { state, group: KeyGroup(3), row }
}

fn any_row() -> impl Strategy<Value = ArchivedRow> {
    let cell = (prop::collection::vec(any::<u8>(), 0..40), any::<u64>(), any::<Option<u64>>()).prop_map(
        |(value, revision, expires_at)| Cell {
            value: value.into(),
            revision: Revision(revision),
            expires_at: expires_at.map(Millis),
        },
    );
    let bytes = || prop::collection::vec(any::<u8>(), 0..20);
    (0..3_u32, any::<u16>(), bytes(), bytes(), cell).prop_map(|(state, group, key, sub, cell)| ArchivedRow {
        state,
        group: KeyGroup(group),
        row: Row { key: key.into(), sub: sub.into(), cell },
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn life_7_every_row_comes_back_byte_for_byte(rows in prop::collection::vec(any_row(), 1..200)) {
        let file = encode(&rows);
        prop_assert_eq!(file.rows, rows.len() as u64);
        prop_assert_eq!(file.first_group, rows.iter().map(|r| r.group.0).min().unwrap());
        prop_assert_eq!(file.last_group, rows.iter().map(|r| r.group.0).max().unwrap());
        prop_assert_eq!(decode(&file).unwrap(), rows);
    }

    #[test]
    fn life_4_a_damaged_file_never_panics(flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u32), 1..4)) {
        let mut file = encode(&[row(0, b"a", b"", b"12345xyz".to_vec()), row(2, b"b", b"s", vec![])]);
        let mut bytes = bytes_of(&file);
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
        }
        file.chunks = chunks_of(&bytes);
        if let Err(error) = decode(&file) {
            prop_assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported), "{}", error);
        }
    }
}

#[test]
fn row_groups_are_bounded_in_bytes_and_a_row_over_the_bound_is_alone() {
    let large = RowGroup::MAX_BYTES + 1;
    let rows: Vec<ArchivedRow> = [10, large, 10, large / 2, large / 2, 10]
        .iter()
        .enumerate()
        .map(|(i, size)| row(0, &[i as u8 + 1], b"", vec![7; Envelope::BYTES + size]))
        .collect();
    let file = encode(&rows);
    let reader = SerializedFileReader::new(file.chunks.clone()).unwrap();
    let counts: Vec<i64> = reader.metadata().row_groups().iter().map(|g| g.num_rows()).collect();
    assert_eq!(counts, [1, 1, 2, 2]);
    assert_eq!(decode(&file).unwrap(), rows);
}

#[test]
fn a_truncated_file_and_a_wrong_row_count_are_corrupt() {
    let file = encode(&[row(0, b"a", b"", b"12345xyz".to_vec())]);
    let bytes = bytes_of(&file);
    for length in 0..bytes.len() {
        let error = Decoder::open(chunks_of(&bytes[..length]), 1).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{length}");
    }
    assert_eq!(Decoder::open(file.chunks, 2).err().unwrap().kind(), ErrorKind::Corrupt);
}

/// An empty file with another format or schema.
fn other(message: &str, format: Option<&str>) -> ErrorKind {
    let pairs = format.map(|f| vec![KeyValue::new("statehold.format".to_owned(), f.to_owned())]);
    let properties = WriterProperties::builder().set_key_value_metadata(pairs).build();
    let schema = Arc::new(parquet::schema::parser::parse_message_type(message).unwrap());
    let writer = SerializedFileWriter::new(ChunkWriter::default(), schema, Arc::new(properties)).unwrap();
    Decoder::open(writer.into_inner().unwrap().finish(), 0).err().unwrap().kind()
}

#[test]
fn name_5_a_newer_format_is_refused() {
    let other_columns = "message m { required int32 x; }";
    assert_eq!(other(other_columns, Some("2")), ErrorKind::Unsupported);
    assert_eq!(other(other_columns, Some("1")), ErrorKind::Corrupt);
    assert_eq!(other(other_columns, Some("one")), ErrorKind::Corrupt);
    assert_eq!(other(other_columns, None), ErrorKind::Corrupt);
}

#[test]
fn a_row_of_a_state_that_the_part_does_not_name_is_corrupt() {
    let file = encode(&[row(2, b"a", b"s", b"12345xyz".to_vec())]);
    let mut decoder = Decoder::open(file.chunks, 1).unwrap();
    let error = decoder.read(&labels()[..2]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("carts"), "{error}");
}

#[test]
fn life_4_a_dictionary_that_claims_billions_of_values_is_refused_before_they_are_made() {
    let file = encode(&[row(0, b"a", b"", b"12345xyz".to_vec())]);
    let mut bytes = bytes_of(&file);
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&file.chunks).unwrap();
    let groups = metadata.row_group(0).column(2).dictionary_page_offset().unwrap() as usize;
    // The page's header: kind, two lengths, and the dictionary's own: one value.
    let one = groups + 8;
    assert_eq!(bytes[one - 2..=one], [0x4c, 0x15, 2]);
    // 2^31 - 1 in the same notation; what is behind it is not reached.
    bytes.splice(one..=one, [0xfe, 0xff, 0xff, 0xff, 0x0f]);
    let error = decode(&Encoded { chunks: chunks_of(&bytes), ..file }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("2147483647 values in a row group of 1 rows"), "{cause}");
}
