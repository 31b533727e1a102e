//! [`Source`]: where a job stands in its input, kept by the store with the job's changes (contract BATCH-5).

use std::sync::Arc;

use bytes::Bytes;
use statehold_core::{AtomicScope, Error, ErrorKind, MAX_POSITION_BYTES, Marker, Result, WriterId};

use crate::runtime::{StoreRuntime, is_unknown};

/// Bytes before each stored position, which no other commit has: a repetition is told from a commit of somebody else,
/// or of this handle when it was dropped, under the same sequence.
const NONCE: usize = 16;

/// A job's input, and how far a store's content has come in it.
///
/// [`WriteBatch::commit_at`](crate::WriteBatch::commit_at) stores changes and the position behind them in one atomic
/// commit. A job that makes all its changes so goes on after a crash where [`position`](Self::position) says, exactly
/// once, without reloading its state. The position belongs to the store's content: after a recovery from a checkpoint
/// there is none, and the checkpoint's metadata has the job's position.
///
/// One job at a time goes on with a source: when another handle has, in this process or elsewhere, commits fail with
/// `Conflict`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> statehold::Result<()> {
/// use statehold::{Model, WriteBatch, testing};
/// let manager = testing::memory_manager(&[("counts", Model::Kv)]).await?;
/// let counts = manager.key_value::<String, u64>("counts").await?;
/// let mut orders = manager.source("memory", "orders-0").await?;
/// let mut offset = orders.position().map_or(0, |at| at.len());
/// for order in ["pear", "apple"].iter().skip(offset) {
///     offset += 1;
///     let mut batch = WriteBatch::new();
///     batch.put(&counts, *order, counts.get(*order).await?.unwrap_or(0) + 1)?;
///     batch.commit_at(&mut orders, vec![b'.'; offset]).await?;
/// }
/// assert_eq!(manager.source("memory", "orders-0").await?.position().map(|at| at.len()), Some(2));
/// # manager.close().await }
/// ```
pub struct Source {
    name: Arc<str>,
    runtime: Arc<StoreRuntime>,
    /// The content that the position belongs to.
    epoch: u64,
    writer: WriterId,
    sequence: u64,
    position: Option<Bytes>,
    /// A commit ended without an answer: only the store knows the position.
    unsure: bool,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("store", &self.runtime.name).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Source {
    /// The greatest position, in bytes.
    pub const MAX_POSITION: usize = MAX_POSITION_BYTES - NONCE;

    pub(crate) async fn open(runtime: Arc<StoreRuntime>, namespace: &str, name: &str) -> Result<Self> {
        let capabilities = runtime.store.capabilities();
        if !capabilities.markers || capabilities.scope != AtomicScope::Store {
            return Err(Error::unsupported("the store keeps no position of a job: it is not atomic as a whole")
                .advise("take checkpoints with the position in their metadata, and begin with `RecoverFrom::Latest`"));
        }
        let mut source = Self {
            name: name.into(),
            epoch: runtime.epoch(),
            runtime,
            writer: writer_of(namespace, name),
            sequence: 0,
            position: None,
            unsure: true,
        };
        source.reload().await?;
        Ok(source)
    }

    /// The position of the last commit; `None` if the store's content has none.
    #[must_use]
    pub fn position(&self) -> Option<&Bytes> {
        self.position.as_ref()
    }

    /// Asks the store for the position: to go on after a commit whose outcome is unknown.
    ///
    /// # Errors
    /// `Fenced` if the content was replaced; what the engine fails with.
    pub async fn reload(&mut self) -> Result<()> {
        self.check()?;
        let last = self.runtime.store.last_marker(self.writer).await?;
        (self.sequence, self.position) = match last {
            None => (0, None),
            Some((sequence, position)) => (sequence, position.map(|p| p.slice(NONCE.min(p.len())..))),
        };
        self.unsure = false;
        Ok(())
    }

    fn check(&self) -> Result<()> {
        self.stands()()
    }

    /// To be asked whether the content is still the one that the position belongs to.
    pub(super) fn stands(&self) -> impl Fn() -> Result<()> + Send + 'static {
        let (name, runtime, epoch) = (self.name.clone(), self.runtime.clone(), self.epoch);
        move || {
            if epoch == runtime.epoch() {
                return Ok(());
            }
            Err(Error::fenced(format!("the content that source `{name}` stood in was replaced"))
                .in_store(&runtime.name)
                .advise("open the source again; after a recovery the checkpoint's metadata has the position"))
        }
    }

    pub(super) fn runtime(&self) -> &Arc<StoreRuntime> {
        &self.runtime
    }

    /// The marker of the next commit.
    pub(super) fn next(&mut self, position: &Bytes) -> Result<Marker> {
        self.check()?;
        if self.unsure {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("the outcome of the last commit of source `{}` is unknown", self.name),
            )
            .in_store(&self.runtime.name)
            .advise("nothing was written; call `reload`, and go on from its position"));
        }
        if position.len() > Self::MAX_POSITION {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!("a position of {} bytes is over the limit of {}", position.len(), Self::MAX_POSITION),
            )
            .in_store(&self.runtime.name));
        }
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce)
            .map_err(|e| Error::new(ErrorKind::Unavailable, "the system gives no random bytes").because(e))?;
        // Until the answer is there.
        self.unsure = true;
        let stored = [&nonce[..], position].concat().into();
        Ok(Marker { writer: self.writer, sequence: self.sequence + 1, position: Some(stored) })
    }

    /// What became of the commit with this marker: it happened, answered as a duplicate or not, or failed.
    pub(super) async fn settle(&mut self, marker: Marker, outcome: Result<bool>) -> Result<()> {
        match outcome {
            Ok(duplicate) => {
                if duplicate {
                    // Sent again after an unknown outcome, or another handle had this sequence first.
                    let last = self.runtime.store.last_marker(self.writer).await?;
                    if last != Some((marker.sequence, marker.position.clone())) {
                        return Err(self.taken());
                    }
                }
                self.sequence = marker.sequence;
                self.position = marker.position.map(|stored| stored.slice(NONCE..));
                self.unsure = false;
                Ok(())
            }
            Err(e) => {
                self.unsure = is_unknown(&e);
                // A marker that is older than the last is a conflict without conditions.
                if e.kind() == ErrorKind::Conflict && e.conditions_failed().is_none() {
                    self.unsure = true;
                    return Err(self.taken().because(e));
                }
                Err(e)
            }
        }
    }

    fn taken(&self) -> Error {
        Error::new(ErrorKind::Conflict, format!("another handle has gone on with source `{}`", self.name))
            .in_store(&self.runtime.name)
            .advise("nothing was written; let one job at a time read a source, or call `reload` to take it over")
    }
}

/// The same in every process.
fn writer_of(namespace: &str, name: &str) -> WriterId {
    let mut hasher = blake3::Hasher::new_derive_key("statehold 2026 writer of a source");
    hasher.update(&(namespace.len() as u64).to_le_bytes());
    hasher.update(namespace.as_bytes());
    hasher.update(name.as_bytes());
    let mut bits = [0; 16];
    hasher.finalize_xof().fill(&mut bits);
    WriterId(u128::from_le_bytes(bits))
}
