//! [`RocksImage`]: a RocksDB snapshot that outlives the call that took it.

use std::{
    sync::{Arc, mpsc},
    thread,
};

use bytes::Bytes;
use parking_lot::Mutex;
use rocksdb::{DB, ReadOptions};
use statehold_core::{
    Error, ErrorKind, Result,
    ordered::{EngineRead, Visit},
};

use crate::engine;

/// A snapshot borrows its database, so a thread holds both: it sleeps, hands out read options that
/// show the snapshot, and ends with the image. Reads run on the caller's thread.
pub(crate) struct RocksImage {
    db: Arc<DB>,
    options: ReadOptions,
    /// Answers with further options; `None` once the image is going.
    keeper: Option<(Mutex<Keeper>, thread::JoinHandle<()>)>,
}

struct Keeper {
    ask: mpsc::Sender<()>,
    answers: mpsc::Receiver<ReadOptions>,
}

impl Keeper {
    fn options(&self) -> Result<ReadOptions> {
        let answer = self.ask.send(()).ok().and_then(|()| self.answers.recv().ok());
        answer.ok_or_else(|| Error::internal("the thread that keeps a snapshot has ended"))
    }
}

/// Scans of an image are long and read once: they leave the block cache to others.
fn options_at(snapshot: &rocksdb::Snapshot<'_>) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_snapshot(snapshot);
    options.fill_cache(false);
    options
}

impl RocksImage {
    pub(crate) fn take(db: &Arc<DB>) -> Result<Self> {
        let (ask, asked) = mpsc::channel();
        let (answer, answers) = mpsc::channel();
        let held = Arc::clone(db);
        let thread = thread::Builder::new()
            .name("rocksdb-snapshot".into())
            .spawn(move || {
                let snapshot = held.snapshot();
                // Ends when the image drops its side.
                for () in asked {
                    if answer.send(options_at(&snapshot)).is_err() {
                        return;
                    }
                }
            })
            .map_err(|e| {
                Error::new(ErrorKind::ResourceExhausted, "no thread could be started to keep a snapshot")
                    .advise("raise the limit of threads, or take fewer snapshots at once")
                    .because(e)
            })?;
        let keeper = Keeper { ask, answers };
        let options = keeper.options()?;
        Ok(Self { db: Arc::clone(db), options, keeper: Some((Mutex::new(keeper), thread)) })
    }
}

impl EngineRead for RocksImage {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        engine::get(&self.db, key, &self.options)
    }

    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Bytes>>> {
        engine::get_many(&self.db, keys, &self.options)
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<()> {
        let Some((keeper, _)) = &self.keeper else { return Err(Error::internal("the snapshot is gone")) };
        let options = keeper.lock().options()?;
        engine::scan(&self.db, from, to, options, visit)
    }
}

impl Drop for RocksImage {
    /// The database must not be held when this returns: a `close` may wait for its lock.
    fn drop(&mut self) {
        if let Some((keeper, thread)) = self.keeper.take() {
            drop(keeper);
            if thread.join().is_err() {
                tracing::warn!("the thread that kept a snapshot panicked");
            }
        }
    }
}
