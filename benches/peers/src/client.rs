//! [`Client`]: operations as a user of OpenDAL writes them.

use bytes::Bytes;
use futures::{TryStreamExt, future::try_join_all};
use opendal::{Buffer, Operator};
use statehold_bench_kit::{
    Op,
    op::{head, modified},
};
use statehold_core::{Error, ErrorKind, Result};

/// One task's operator.
pub(crate) struct Client {
    operator: Operator,
}

/// Where `key` is, below the root.
pub(crate) fn path(key: u64) -> String {
    format!("{key:016x}")
}

/// What OpenDAL failed with.
pub(crate) fn failed(error: opendal::Error) -> Error {
    let kind = match error.kind() {
        opendal::ErrorKind::Unsupported => ErrorKind::Unsupported,
        opendal::ErrorKind::ConfigInvalid => ErrorKind::InvalidInput,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, "OpenDAL failed").because(error)
}

impl Client {
    /// A client of this operator.
    pub(crate) fn new(operator: Operator) -> Self {
        Self { operator }
    }

    async fn read(&self, key: u64) -> Result<Option<Buffer>> {
        match self.operator.read(&path(key)).await {
            Ok(value) => Ok(Some(value)),
            Err(e) if e.kind() == opendal::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(failed(e)),
        }
    }

    /// A value that must be there.
    async fn get(&self, key: u64) -> Result<Bytes> {
        // One piece, as the services here answer it: nothing is copied.
        let value = self.read(key).await?.map(|value| value.to_bytes());
        value.ok_or_else(|| Error::internal(format!("OpenDAL has lost the value of key {key}")))
    }

    async fn put(&self, key: u64, value: Bytes) -> Result<()> {
        self.operator.write(&path(key), value).await.map(drop).map_err(failed)
    }

    /// Not atomic: OpenDAL has neither transactions nor conditions on these services.
    async fn modify(&self, key: u64) -> Result<u64> {
        let value = self.get(key).await?;
        let read = head(&value);
        self.put(key, modified(value)).await?;
        Ok(read)
    }

    /// Not atomic either.
    async fn increment(&self, key: u64) -> Result<u64> {
        let count = self.read(key).await?.map_or(0, |value| head(&value.to_bytes())) + 1;
        self.put(key, Bytes::copy_from_slice(&count.to_le_bytes())).await?;
        Ok(count)
    }

    /// OpenDAL lists keys on RocksDB, and reads their values with them.
    async fn count(&self) -> Result<u64> {
        let listed = self.operator.lister_with("/").recursive(true).await;
        let mut entries = listed.map_err(|e| match e.kind() {
            opendal::ErrorKind::Unsupported => Error::unsupported("OpenDAL does not list keys on this engine"),
            _ => failed(e),
        })?;
        let mut count = 0;
        while let Some(entry) = entries.try_next().await.map_err(failed)? {
            count += u64::from(entry.metadata().is_file());
        }
        Ok(count)
    }
}

impl statehold_bench_kit::Client for Client {
    async fn apply(&mut self, op: &mut Op) -> Result<u64> {
        match op.take() {
            Op::Put(key, value) => self.put(key, value).await.map(|()| 0),
            Op::Get(key) => self.get(key).await.map(|value| head(&value)),
            Op::GetAbsent(key) => self.read(key).await.map(|value| u64::from(value.is_none())),
            Op::Modify(key) => self.modify(key).await,
            Op::Increment(key) => self.increment(key).await,
            // OpenDAL has no batches, so all at once, which is not all or nothing. On RocksDB, whose calls block, one
            // after the other would be somewhat faster; code that is to run on every service is not written so.
            Op::PutMany(records) => {
                try_join_all(records.into_iter().map(|(key, value)| self.put(key, value))).await.map(|_| 0)
            }
            Op::GetMany(keys) => {
                let values = try_join_all(keys.into_iter().map(|key| self.get(key))).await?;
                Ok(values.iter().fold(0, |sum, value| sum.wrapping_add(head(value))))
            }
            Op::CountKeys => self.count().await,
            Op::PutEntry(..) | Op::GetEntry(..) | Op::EntryAbsent(..) | Op::Entries(..) | Op::Page(..) => {
                Err(Error::unsupported("OpenDAL has no maps"))
            }
            Op::Append(..) | Op::Replace(..) | Op::Elements(..) => Err(Error::unsupported("OpenDAL has no lists")),
        }
    }
}
