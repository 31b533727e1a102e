//! What crosses the wire.

use bytes::Bytes;
use statehold::{
    Descriptor, KeyMapState, Model, StateDescriptor, StateManager, StoreDescriptor, ValueType, core::Durability,
};

use crate::{proxy::Proxy, server::on_both};

const ENTRIES: u64 = 10_000;
/// Of a value, in bytes.
const VALUE: usize = 100;

on_both! {
    async fn map_1_an_entry_of_a_large_map_crosses_the_wire_alone(server: Server) {
        let proxy = Proxy::to(&server).await;
        let mut store = StoreDescriptor::new(server.kind()).durability(Durability::Process);
        store.options = server.options_at(proxy.address.port());
        let descriptor = Descriptor::new("wire").store("s", store).state("maps", StateDescriptor::new(Model::Map).codec("bytes"));
        let manager = StateManager::builder(descriptor).open().await.unwrap();
        let maps: KeyMapState<u64, u64, Bytes> = manager.key_map_of("maps", ValueType::bytes()).await.unwrap();
        let value = |version: u8| Bytes::from(vec![version; VALUE]);
        maps.put_many((0..ENTRIES).map(|sub| (1, sub, value(0)))).await.unwrap();
        manager.finish().await.unwrap();
        let whole = proxy.passed();
        assert!(whole > ENTRIES as usize * VALUE, "the proxy counts: {whole}");
        let mut greatest = 0;
        for sub in [0, 1, 4_999, ENTRIES - 1] {
            for version in 1..=2 {
                let before = proxy.passed();
                maps.put(&1, &sub, value(version)).await.unwrap();
                manager.finish().await.unwrap();
                assert_eq!(maps.get(&1, &sub).await.unwrap(), Some(value(version)));
                greatest = greatest.max(proxy.passed() - before);
            }
        }
        // The value there and back, names, and for the first of its kind the statement's text.
        assert!(greatest < 8_192, "{greatest} bytes for one entry of {whole}");
        assert_eq!(maps.get(&1, &5_000).await.unwrap(), Some(value(0)));
        manager.close().await.unwrap();
    }
}
