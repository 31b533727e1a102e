//! Scans that somebody holds: they read ahead, and hold nothing of the engine meanwhile.

use futures::{StreamExt, TryStreamExt};
use statehold::{Descriptor, Model, ScanOrder, StateDescriptor, StateManager, StoreDescriptor};

use crate::server::{Server, on_both};

const KEYS: u64 = 4_000;

on_both! {
    async fn kv_4_a_scan_that_is_held_holds_no_connection(server: Server) {
        let mut store = StoreDescriptor::new(server.kind());
        store.options = server.options();
        if let Server::Postgres(_) = server {
            store.options = store.options.with("pool", 1).with("timeout_ms", 5_000);
        }
        let mut descriptor = Descriptor::new("scans").store("store", store).state("kv", StateDescriptor::new(Model::Kv));
        descriptor.key_groups = 8;
        let manager = StateManager::builder(descriptor).open().await.unwrap();
        let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
        kv.put_many((0..KEYS).map(|key| (key, 0))).await.unwrap();
        manager.finish().await.unwrap();

        let (mut scan, mut seen) = (kv.scan(ScanOrder::Group), 0);
        while let Some((key, value)) = scan.try_next().await.unwrap() {
            assert_eq!(value, 0);
            kv.put(&key, 1).await.unwrap();
            seen += 1;
            if seen % 500 == 0 {
                manager.finish().await.unwrap();
            }
        }
        assert_eq!(seen, KEYS);

        let mut held = kv.scan(ScanOrder::Group);
        held.next().await.unwrap().unwrap();
        manager.close().await.unwrap();
        drop(held);
    }
}
