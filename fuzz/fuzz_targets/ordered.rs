//! Any rows as the content of an ordered engine: the store opens and is read, or says what is damaged.
#![no_main]

use bytes::Bytes;
use futures::executor::block_on;
use libfuzzer_sys::fuzz_target;
use statehold_core::{
    Address, Batch, ErrorKind, KeyGroup, Marker, Reads, ScanRequest, StateOperator, Store, WriterId, collect,
};
use statehold_fuzz::{assert_refused, engine, tape};

/// What a store says of damaged rows, of another store's, and of one whose numbers are used up.
fn assert_told(error: &statehold_core::Error) {
    if !matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::ResourceExhausted | ErrorKind::Conflict) {
        assert_refused(error);
    }
}

/// Every row that a page shows is found by its address too, as the same.
fn look(store: &dyn Store, reads: &dyn Reads) {
    for (state, spec) in block_on(store.states()).expect("an open store has its states at hand") {
        for group in store.groups().iter() {
            let rows = match block_on(collect(reads, ScanRequest::all(state, group))) {
                Ok(rows) => rows,
                Err(e) => {
                    assert_refused(&e);
                    continue;
                }
            };
            assert!(rows.is_sorted_by(|a, b| (&a.key, &a.sub) <= (&b.key, &b.sub)), "{spec:?} {rows:?}");
            for row in rows {
                let at = Address { group, state, key: row.key.clone(), sub: row.sub.clone() };
                match block_on(reads.get(&at).finish()) {
                    Ok(cell) => assert_eq!(cell.as_ref(), Some(&row.cell), "{spec:?} {at:?}"),
                    // No list has a row at such an ordinal.
                    Err(e) => assert_told(&e),
                }
            }
        }
    }
}

/// The last commit of a writer, sent once more, is answered as it was then.
fn repeat(store: &dyn Store, writer: WriterId) {
    let last = match block_on(store.last_marker(writer)) {
        Ok(last) => last,
        Err(e) => return assert_told(&e),
    };
    let Some((sequence, position)) = last else { return };
    let batch = Batch { marker: Some(Marker { writer, sequence, position }), ..Batch::default() };
    match block_on(store.commit(batch).finish()) {
        Ok(answer) => assert!(answer.duplicate),
        Err(e) => assert_told(&e),
    }
}

fuzz_target!(|input: &[u8]| {
    let rows = tape::read(input);
    let writers: Vec<WriterId> = rows
        .keys()
        .filter_map(|key| key.strip_prefix(&[0xFF, 0xFF, 3][..]))
        .filter_map(|key| Some(WriterId(u128::from_be_bytes(key.try_into().ok()?))))
        .collect();
    let store = match engine::open(engine::MapEngine::new(rows)) {
        Ok(store) => store,
        Err(e) => return assert_told(&e),
    };
    look(&*store, &*store);
    match block_on(store.snapshot()) {
        Ok(snapshot) => look(&*store, &*snapshot),
        Err(e) => assert_told(&e),
    }
    for writer in writers {
        repeat(&*store, writer);
    }
    // Points that no scan came by.
    for (state, _) in block_on(store.states()).expect("an open store has its states at hand") {
        let key = Bytes::from_static(b"12345678");
        let at = Address { group: KeyGroup::of(&key, 8), state, key: key.clone(), sub: key };
        if let Err(e) = block_on(store.get(&at).finish()) {
            assert_told(&e);
        }
    }
    if let Err(e) = block_on(store.compact()) {
        assert_told(&e);
    }
});
