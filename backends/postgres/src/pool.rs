//! [`Pool`]: the connections for reads and commits.
//!
//! Not sqlx's: that one asks the server for a sign of life with each hand-over, which costs a round trip, and takes
//! connections back from dropped futures in whatever state they are. Here a connection comes back only from a
//! statement that was answered; every other one is closed.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use sqlx::{Connection, PgConnection, error::Error as SqlError};
use statehold_core::{Error, ErrorKind, Result};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout_at,
};

use crate::{
    connect::{Connector, Purpose},
    error::{self, Fate},
};

/// A connection that nobody used for so long is asked whether it still is one.
const DOUBTFUL: Duration = Duration::from_secs(2);
/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(50);

/// One statement, or several of a read, on a connection.
pub(crate) trait Work: Sync {
    type Out: Send;

    fn run<'c>(&'c self, on: &'c mut PgConnection) -> impl Future<Output = Result<Self::Out, SqlError>> + Send + 'c;
}

pub(crate) struct Pool {
    connector: Connector,
    idle: Mutex<Vec<(PgConnection, Instant)>>,
    permits: Semaphore,
    most: usize,
    timeout: Duration,
    closed: AtomicBool,
}

/// A connection taken out; dropping it closes it.
struct Lease<'a> {
    connection: PgConnection,
    _permit: SemaphorePermit<'a>,
}

impl Pool {
    pub(crate) fn new(connector: Connector, most: usize, timeout: Duration) -> Self {
        let idle = Mutex::default();
        Self { connector, idle, permits: Semaphore::new(most), most, timeout, closed: AtomicBool::new(false) }
    }

    pub(crate) fn connector(&self) -> &Connector {
        &self.connector
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) { Err(error::closed()) } else { Ok(()) }
    }

    /// Nothing begins any more.
    pub(crate) fn begin_close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Waits for what is under way and closes every connection.
    pub(crate) async fn close(&self) {
        // All permits: nobody holds a connection.
        let all = self.permits.acquire_many(u32::try_from(self.most).unwrap_or(u32::MAX)).await;
        let idle = std::mem::take(&mut *self.idle.lock());
        for (connection, _) in idle {
            // The server ends the session either way.
            let _ = connection.close().await;
        }
        drop(all);
    }

    /// Does a read, again and again until it is answered or the time is over.
    pub(crate) async fn read<W: Work>(&self, work: &W) -> Result<W::Out> {
        let until = self.deadline();
        loop {
            let mut lease = self.take(until).await?;
            match timeout_at(until, work.run(&mut lease.connection)).await {
                Ok(Ok(out)) => {
                    self.give_back(lease);
                    return Ok(out);
                }
                Ok(Err(e)) => match error::fate(&e) {
                    Fate::Undone => {
                        self.give_back(lease);
                        return Err(error::of(e));
                    }
                    Fate::Again => self.give_back(lease),
                    Fate::Unknown => self.suspect(),
                },
                Err(_) => return Err(self.too_late()),
            }
        }
    }

    /// Does what changes the store, once: again only if the server says that it was undone.
    /// `Indeterminate` if it was sent and not answered.
    pub(crate) async fn write<W: Work>(&self, work: &W) -> Result<W::Out> {
        let until = self.deadline();
        loop {
            let mut lease = self.take(until).await?;
            match timeout_at(until, work.run(&mut lease.connection)).await {
                Ok(Ok(out)) => {
                    self.give_back(lease);
                    return Ok(out);
                }
                Ok(Err(e)) => match error::fate(&e) {
                    Fate::Undone => {
                        self.give_back(lease);
                        return Err(error::of(e));
                    }
                    Fate::Again => self.give_back(lease),
                    Fate::Unknown => {
                        self.suspect();
                        return Err(error::indeterminate(&e.to_string()));
                    }
                },
                Err(_) => {
                    return Err(error::indeterminate(&format!("nothing came within {} ms", self.timeout.as_millis())));
                }
            }
        }
    }

    /// The server's own statement time-out comes first, so that most late statements are known to be undone.
    fn deadline(&self) -> tokio::time::Instant {
        tokio::time::Instant::now() + self.timeout + self.timeout / 4
    }

    fn too_late(&self) -> Error {
        error::timeout(self.timeout)
    }

    async fn take(&self, until: tokio::time::Instant) -> Result<Lease<'_>> {
        let permit = timeout_at(until, self.permits.acquire())
            .await
            .map_err(|_| self.too_late())?
            .map_err(|_| error::closed())?;
        self.check_open()?;
        loop {
            let idle = self.idle.lock().pop();
            let Some((mut connection, since)) = idle else { break };
            let lives = since.elapsed() < DOUBTFUL || matches!(timeout_at(until, connection.ping()).await, Ok(Ok(())));
            if lives {
                return Ok(Lease { connection, _permit: permit });
            }
        }
        let mut last = None;
        loop {
            let failed = match timeout_at(until, self.connector.connect(Purpose::Work)).await {
                Ok(Ok(connection)) => return Ok(Lease { connection, _permit: permit }),
                Ok(Err(e)) => e,
                // Why no attempt before succeeded says more.
                Err(_) => return Err(last.unwrap_or_else(|| self.too_late())),
            };
            let helps = matches!(failed.kind(), ErrorKind::Unavailable | ErrorKind::ResourceExhausted);
            if !helps || tokio::time::Instant::now() + PAUSE >= until {
                return Err(failed);
            }
            self.check_open()?;
            last = Some(failed);
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn give_back(&self, lease: Lease<'_>) {
        if self.check_open().is_ok() {
            self.idle.lock().push((lease.connection, Instant::now()));
        }
    }

    /// Where one connection broke, the others may be broken too: they are not used again.
    fn suspect(&self) {
        drop(std::mem::take(&mut *self.idle.lock()));
    }
}
