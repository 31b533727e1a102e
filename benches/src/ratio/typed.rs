//! [`Typed`]: our side.

use bytes::Bytes;
use statehold::{Descriptor, KeyMapState, KeyValueState, Result, StateManager, ValueType};

use super::driver::Driver;

pub(super) struct Typed {
    manager: StateManager,
    values: KeyValueState<u64, Bytes>,
    maps: KeyMapState<u64, u64, Bytes>,
}

impl Typed {
    pub(super) async fn open(descriptor: Descriptor) -> Result<Self> {
        let manager = StateManager::builder(descriptor).open().await?;
        let values = manager.key_value_of("values", ValueType::bytes()).await?;
        let maps = manager.key_map_of("maps", ValueType::bytes()).await?;
        Ok(Self { manager, values, maps })
    }

    pub(super) async fn close(self) -> Result<()> {
        self.manager.close().await
    }
}

impl Driver for Typed {
    async fn put(&mut self, key: u64, value: Bytes) -> Result<()> {
        self.values.put(&key, value).await
    }

    async fn get(&mut self, key: u64) -> Result<()> {
        self.values.get(&key).await.map(drop)
    }

    async fn put_entry(&mut self, key: u64, sub: u64, value: Bytes) -> Result<()> {
        self.maps.put(&key, &sub, value).await
    }

    async fn get_entry(&mut self, key: u64, sub: u64) -> Result<()> {
        self.maps.get(&key, &sub).await.map(drop)
    }

    async fn put_many(&mut self, rows: Vec<(u64, Bytes)>) -> Result<()> {
        self.values.put_many(rows).await
    }

    async fn get_many(&mut self, keys: &[u64]) -> Result<()> {
        self.values.get_many(keys).await.map(drop)
    }
}
