//! [`Claim`]: who owns which key groups of an archive (contract OWN-1).

mod left;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use statehold_core::{Error, ErrorKind, KeyGroups, Result};
use tokio::sync::RwLock;

use super::{
    Archive,
    checkpoint::{CheckpointId, Select},
    part::{ObjectName, within},
    record::{ClaimEntry, Entry},
    timeline::Timeline,
    token::Token,
};

pub(crate) use left::Left;

/// The right to write checkpoints of some key groups, until somebody claims one of them anew.
///
/// A claim that is superseded gets `Fenced` from everything it writes, and changes nothing.
/// Clones are the same claim.
#[derive(Debug, Clone)]
pub struct Claim {
    epoch: u64,
    token: Token,
    groups: KeyGroups,
    base: Option<CheckpointId>,
    attempts: Arc<AtomicU64>,
    /// To read: somebody writes a checkpoint under it. To write: nobody does.
    pub(super) writing: Arc<RwLock<()>>,
}

impl Claim {
    /// The longest name of an owner, in bytes.
    pub const MAX_OWNER_BYTES: usize = 256;

    /// Its place in the order of all claims: a later claim has a greater epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// What it owns.
    #[must_use]
    pub fn groups(&self) -> KeyGroups {
        self.groups
    }

    /// The checkpoint that the owner's content comes from.
    #[must_use]
    pub fn base(&self) -> Option<CheckpointId> {
        self.base
    }

    /// Its name, for stores to keep.
    pub(crate) fn token(&self) -> Token {
        self.token
    }

    /// A name that no other object has or will have.
    pub(super) fn name(&self, hash: blake3::Hash) -> ObjectName {
        ObjectName { hash, claim: self.epoch, attempt: self.attempts.fetch_add(1, Ordering::Relaxed) }
    }

    /// Refuses a claim that is not, or no longer, of the archive.
    pub(super) fn check(&self, timeline: &Timeline) -> Result<()> {
        if timeline.claimed(self.epoch) != Some(self.groups) {
            return Err(Error::invalid(format!("claim {} was not made on this archive", self.epoch))
                .advise("claim the groups on the archive that is written"));
        }
        match timeline.successor(self.epoch) {
            None => Ok(()),
            Some((epoch, owner)) => Err(Error::fenced(format!(
                "claim {} is superseded by claim {epoch} of `{}`; nothing was recorded",
                self.epoch,
                owner.escape_debug()
            ))
            .advise("stop this owner; or, if it is the right one, open it again")),
        }
    }
}

impl Archive {
    /// Claims `groups` for `owner` (a name for people) and so supersedes every claim that has
    /// one of them: those owners' later writes are `Fenced`.
    ///
    /// `base` is the checkpoint that the owner's content comes from: what it recovers, or the
    /// latest if its store holds what came after it. Checkpoints that `base` does not build on
    /// are superseded from now on. Without a base the owner begins with nothing, and all are.
    ///
    /// # Errors
    /// - `NotFound`: there is no checkpoint `base`; the advice names the nearest.
    /// - `InvalidInput`: the namespace has another number of key groups.
    /// - `Indeterminate`: the object store does not tell whether it took the claim; claim again.
    pub async fn claim(&self, groups: KeyGroups, owner: &str, base: Option<CheckpointId>) -> Result<Claim> {
        self.claim_after(|_| Ok(()), groups, owner, base.map(Select::Id), Token::fresh()?).await
    }

    /// As [`Archive::claim`], to go on from the checkpoint that is the latest when the claim comes into the log; from
    /// nothing if there is none then. Whoever looks it up first may find another.
    ///
    /// # Errors
    /// As [`Archive::claim`].
    pub async fn claim_latest(&self, groups: KeyGroups, owner: &str) -> Result<Claim> {
        self.claim_after(|_| Ok(()), groups, owner, Some(Select::Latest), Token::fresh()?).await
    }

    /// Claims what `claim` has once more, to go on from `base`: what its owner does before it recovers.
    ///
    /// # Errors
    /// `Fenced` if somebody else has claimed one of the groups since, and nothing changes; else as
    /// [`Archive::claim`].
    pub async fn renew(&self, claim: &Claim, owner: &str, base: Option<CheckpointId>) -> Result<Claim> {
        let check = |timeline: &Timeline| claim.check(timeline);
        self.claim_after(check, claim.groups, owner, base.map(Select::Id), Token::fresh()?).await
    }

    async fn claim_after(
        &self,
        check: impl Fn(&Timeline) -> Result<()> + Send + Sync,
        groups: KeyGroups,
        owner: &str,
        base: Option<Select>,
        token: Token,
    ) -> Result<Claim> {
        if owner.len() > Claim::MAX_OWNER_BYTES {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!("an owner's name of {} bytes is over the limit of {}", owner.len(), Claim::MAX_OWNER_BYTES),
            )
            .advise("shorten it"));
        }
        let entries = |timeline: &Timeline, _| {
            check(timeline)?;
            if let Some(total) = timeline.key_groups().filter(|t| *t != groups.total()) {
                return Err(Error::invalid(format!(
                    "the archive has {total} key groups, and {} are asked for",
                    groups.total()
                ))
                .about("key_groups")
                .advise("key_groups never changes: write the archive's number"));
            }
            let base = match base {
                Some(Select::Latest) => timeline.find(Select::Latest),
                Some(id) => Some(timeline.resolve(id)?),
                None => None,
            };
            let claim = ClaimEntry { owner: owner.to_owned(), groups: groups.into(), base: base.map(|b| b.record) };
            Ok(vec![Entry::Claim(claim)])
        };
        let record = self.log.append_as(token, entries).await.map_err(|e| e.during("claim"))?;
        let base = match record.entries.first() {
            Some(Entry::Claim(ClaimEntry { base: Some(base), .. })) => Some(self.log.follow().await?.at(*base)?.id),
            _ => None,
        };
        tracing::info!(archive = %self.folder, epoch = record.number, %groups, owner, "claimed");
        Ok(Claim { epoch: record.number, token, groups, base, attempts: Arc::default(), writing: Arc::default() })
    }
}

/// Whether a claim has all of `groups`.
pub(super) fn check_owned(claim: &Claim, groups: KeyGroups) -> Result<()> {
    if within(groups, claim.groups) {
        return Ok(());
    }
    Err(Error::invalid(format!("the store has key groups {groups}, and the claim only {}", claim.groups))
        .advise("claim all groups that are written"))
}
