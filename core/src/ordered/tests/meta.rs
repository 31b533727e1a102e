//! What a store writes about itself.

use bytes::Bytes;

use crate::{
    Committed, ErrorKind, KeyGroup, KeyGroups, Marker, Model, Ownership, Revision, StateId, StateSpec, WriterId,
    ordered::{
        EngineBatch,
        catalog::State,
        erase,
        layout::Table,
        meta::{self, Head, StoredMarker},
        testing::Bench,
    },
};

#[test]
fn name_5_golden_meta_keys() {
    assert_eq!(meta::head_key(), b"\xFF\xFF\x00");
    assert_eq!(meta::catalog_key(StateId(0x0102_0304)), b"\xFF\xFF\x01\x01\x02\x03\x04");
    assert_eq!(meta::sequence_key(KeyGroup(0x0102)), *b"\xFF\xFF\x02\x01\x02");
    assert_eq!(meta::marker_key(WriterId(7)), b"\xFF\xFF\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x07");
}

#[test]
fn name_5_golden_head() {
    let golden = b"\0\x01\x62\xc2\x0b\x3e\x80\x01\0\x80\x01\x01\0\0\x01\0\x01";
    let head = Head::new(KeyGroups::all(128).unwrap());
    assert_eq!(meta::seal(&head).unwrap().escape_ascii().to_string(), golden.escape_ascii().to_string());
    assert_eq!(meta::unseal::<Head>("the head", golden).unwrap(), head);
}

#[test]
fn name_5_a_newer_format_is_refused() {
    let mut sealed = meta::seal(&Head::new(KeyGroups::all(8).unwrap())).unwrap();
    sealed[1] = 3;
    let e = meta::unseal::<Head>("the head", &sealed).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Unsupported);
    assert!(e.message().contains("format 3") && e.message().contains("up to 2"), "{e}");
}

#[test]
fn name_5_a_state_is_written_in_format_1_unless_its_rows_have_another_number() {
    let spec = StateSpec::bytes("s", Model::Kv).unwrap();
    let own = State::new(StateId(7), spec.clone());
    assert_eq!(meta::seal_state(&own).unwrap(), meta::seal(&spec).unwrap());
    let taken_over = State::at(StateId(300), Table(7), spec.clone());
    let golden = b"\0\x02\xfe\xc2\x20\x41\x01s\0\x01\x05bytes\0\x05bytes\0\0\0\0\x07";
    assert_eq!(meta::seal_state(&taken_over).unwrap().escape_ascii().to_string(), golden.escape_ascii().to_string());
    for state in [own, taken_over] {
        let read = meta::unseal_state(state.form.id, &meta::seal_state(&state).unwrap()).unwrap();
        assert_eq!((read.form, &*read.spec), (state.form, &spec));
    }
}

#[test]
fn a_flipped_bit_in_a_meta_row_is_corrupt() {
    let sealed = meta::seal(&Head::new(KeyGroups::all(8).unwrap())).unwrap();
    for at in 2..sealed.len() {
        let mut damaged = sealed.clone();
        damaged[at] ^= 4;
        assert_eq!(meta::unseal::<Head>("the head", &damaged).unwrap_err().kind(), ErrorKind::Corrupt, "byte {at}");
    }
    assert_eq!(meta::unseal::<Head>("the head", &sealed[..3]).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn batch_4_a_stored_marker_gives_its_revisions_back() {
    let revisions = [5, 6, 7, 0, 0, 9, 0, 12].map(Revision).to_vec();
    let committed = Committed { revisions, duplicate: false };
    let marker = Marker { writer: WriterId(3), sequence: 1, position: Some(Bytes::from_static(&[1, 2])) };
    let stored = StoredMarker::new(&marker, 9, &committed);
    let read: StoredMarker = meta::unseal("a marker", &meta::seal(&stored).unwrap()).unwrap();
    assert_eq!(read.answer(), Committed { duplicate: true, ..committed });
    assert_eq!((read.sequence, read.session, read.position), (1, 9, Some(vec![1, 2])));
}

#[test]
fn batch_4_a_marker_that_claims_too_much_is_corrupt() {
    // Sequence, position, session, runs of (first, how many): as a marker is encoded.
    let stored = |runs: Vec<(u64, u32)>| meta::seal(&(1_u64, None::<Vec<u8>>, 9_u32, runs)).unwrap();
    let read = meta::unseal_marker(&stored(vec![(5, 2), (0, 1)])).unwrap();
    assert_eq!(read.answer().revisions, [5, 6, 0].map(Revision));
    for runs in [vec![(0, u32::MAX)], vec![(1, 1 << 23); 3], vec![(u64::MAX, 1)]] {
        let error = meta::unseal_marker(&stored(runs.clone())).unwrap_err();
        assert_eq!((error.kind(), error.subject()), (ErrorKind::Corrupt, Some("a writer's marker")), "{runs:?}");
    }
}

#[test]
fn name_3_another_number_of_key_groups_is_refused_naming_both() {
    let mut bench = Bench::new();
    drop(bench.open().unwrap());
    bench.request.groups = KeyGroups::new(0..8, 16).unwrap();
    let e = bench.open().unwrap_err();
    assert_eq!((e.kind(), e.subject()), (ErrorKind::InvalidInput, Some("key_groups")));
    assert!(e.message().contains("= 8") && e.message().contains("16"), "{e}");

    bench.request.groups = KeyGroups::new(0..4, 8).unwrap();
    let e = bench.open().unwrap_err();
    assert_eq!((e.kind(), e.subject()), (ErrorKind::InvalidInput, Some("groups")));
}

#[test]
fn own_1_read_only_finds_nothing_and_writes_nothing() {
    let mut bench = Bench::new();
    bench.request.ownership = Ownership::ReadOnly;
    assert_eq!(bench.open().unwrap_err().kind(), ErrorKind::NotFound);
    assert!(bench.disk.rows().is_empty());
}

#[test]
fn an_engine_full_of_something_else_is_refused() {
    use crate::ordered::{Engine, EngineBatch, WriteLevel, testing::TestEngine};
    let bench = Bench::new();
    let engine = TestEngine(bench.disk.clone());
    let mut batch = engine.batch();
    batch.put(b"foreign", b"row");
    engine.write(&mut batch, WriteLevel::Synced).unwrap();
    assert_eq!(bench.open().unwrap_err().kind(), ErrorKind::InvalidInput);
}

/// The ranges removed.
#[derive(Default)]
struct Ranges(Vec<(Vec<u8>, Vec<u8>)>);

impl EngineBatch for Ranges {
    fn put(&mut self, _key: &[u8], _value: &[u8]) {}
    fn delete(&mut self, _key: &[u8]) {}
    fn delete_range(&mut self, from: &[u8], to: &[u8]) {
        self.0.push((from.to_vec(), to.to_vec()));
    }
    fn clear(&mut self) {
        self.0.clear();
    }
}

#[test]
fn life_4_what_an_unfinished_load_left_goes_and_a_damaged_catalog_takes_nothing_else_along() {
    let groups = KeyGroups::all(1).unwrap();
    let removed = |keep: &[Table]| {
        let mut ranges = Ranges::default();
        erase::tables_except(&mut ranges, groups, Table(5), keep);
        ranges.0
    };
    let at = |table: u32| [&[0, 0][..], &table.to_be_bytes()].concat();
    let end = vec![0, 1];
    assert_eq!(removed(&[Table(3)]), [(at(5), end.clone())]);
    assert_eq!(removed(&[Table(5), Table(6), Table(9)]), [(at(7), at(9)), (at(10), end)]);
    // A number that no store gives.
    assert_eq!(removed(&[Table(u32::MAX)]), [(at(5), at(u32::MAX))]);
}
