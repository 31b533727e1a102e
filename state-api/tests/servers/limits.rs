//! Values at the limit and over it.

use bytes::Bytes;
use statehold::{
    ErrorKind, KeyGroup,
    core::{Address, Batch, Cell, Envelope, Limits, Model, Mutation, StateId, StateSpec},
};

use crate::{server::on_both, support::GROUPS};

fn put(state: StateId, size: usize) -> Batch {
    let key = Bytes::from_static(b"key");
    let at = Address { group: KeyGroup::of(&key, GROUPS), state, key, sub: Bytes::new() };
    Batch { mutations: vec![Mutation::Put(at, Cell::new(vec![7; size]))], ..Batch::default() }
}

on_both! {
    async fn name_2_a_value_at_the_limit_is_kept_and_one_over_it_is_refused(server: Server) {
        let store = server.open().await.unwrap();
        let state = store.register(&StateSpec::bytes("kv", Model::Kv).unwrap()).await.unwrap();
        let most = Limits::default().value + Envelope::BYTES;
        store.commit(put(state, most)).finish().await.unwrap();
        let error = store.commit(put(state, most + 1)).finish().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error}");
        assert!(error.advice().is_some(), "{error}");
        let Mutation::Put(at, _) = &put(state, 0).mutations[0] else { unreachable!() };
        let found = store.get(at).finish().await.unwrap().unwrap();
        assert_eq!(found.value.len(), most);
    }

    async fn name_2_a_limit_above_the_engines_own_is_refused(server: Server) {
        let above = |r: &mut statehold::core::OpenRequest| r.limits.value = 1 << 40;
        let error = server.open_with(server.options(), above).await.err().unwrap();
        assert!([ErrorKind::LimitExceeded, ErrorKind::InvalidInput].contains(&error.kind()), "{error}");
        assert!(error.advice().is_some(), "{error}");
    }
}
