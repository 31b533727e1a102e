//! [`Claim`]: an owner's token, and whether its bearer is still there.
//!
//! The token is in the catalog and names one of the owner's connections. Whether that connection is there
//! decides only whether a second owner is refused or takes over: what fences the first is the epoch, which
//! every commit compares.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use redis::Value;
use statehold_core::Result;

use crate::{link::Link, reply};

/// Tokens of this process whose stores are open or being opened.
static LIVE: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Marks the tokens of this process.
fn process() -> Result<&'static str> {
    static PROCESS: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    if let Some(known) = PROCESS.get() {
        return Ok(known);
    }
    let fresh = random()?;
    Ok(PROCESS.get_or_init(|| fresh))
}

/// A word that nobody else draws.
pub(crate) fn random() -> Result<String> {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes).map_err(|e| {
        statehold_core::Error::internal("the system gives no random bytes").because(e).advise("see the system's log")
    })?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// A token of this process. Dropping it says that its bearer is gone.
#[derive(Debug)]
pub(crate) struct Claim(pub(crate) String);

impl Claim {
    pub(crate) fn new() -> Result<Self> {
        let token = format!("statehold-{}-{}", process()?, random()?);
        LIVE.lock().insert(token.clone());
        Ok(Self(token))
    }

    /// Its bearer is gone.
    pub(crate) fn release(&self) {
        LIVE.lock().remove(&self.0);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.release();
    }
}

/// Whether the bearer of `token` is still there, as far as this user may know.
pub(crate) async fn is_held(link: &Link, token: &str) -> Result<bool> {
    if token.is_empty() {
        return Ok(false);
    }
    // Of our own process we know it better than the server, which learns of a closed connection later.
    if token.starts_with(&format!("statehold-{}-", process()?)) {
        return Ok(LIVE.lock().contains(token));
    }
    for attempt in 0..2 {
        if attempt > 0 {
            // A process that was killed just now: its connections are about to be closed.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        if !is_listed(link, token).await {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn is_listed(link: &Link, token: &str) -> bool {
    let mut list = redis::cmd("CLIENT");
    list.arg("LIST");
    let Ok(answers) = link.everywhere(&list).await else {
        // Not allowed: the newest owner wins.
        return false;
    };
    let name = format!(" name={token} ");
    answers.into_iter().any(|answer| {
        let text = match answer {
            Value::VerbatimString { text, .. } => text,
            other => reply::text(other).unwrap_or_default(),
        };
        text.contains(&name)
    })
}
