//! Claims that go on with what is on a local disk (decision 0020, rule 3).

use statehold_core::{Error, ErrorKind, KeyGroups, Result};

use super::{super::timeline::Timeline, Archive, Claim, Select};
use crate::archive::token::Token;

/// What a store keeps of the claims that wrote it: the last of them that the log knows, and those behind it whose
/// records may never have come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Left {
    /// The store, for errors.
    pub(crate) store: String,
    pub(crate) tokens: Vec<Token>,
}

impl Left {
    /// Forgets claims before the last that `timeline` knows.
    fn shorten(&mut self, timeline: &Timeline) {
        if let Some(last) = self.tokens.iter().rposition(|token| timeline.claim_of(*token).is_some()) {
            self.tokens.drain(..last);
        }
    }

    /// Refuses content that somebody else has gone on with, or that never was on the timeline.
    fn check(&self, timeline: &Timeline) -> Result<()> {
        let last = self.tokens.iter().rev().find_map(|token| timeline.claim_of(*token));
        let refused = match last {
            Some(epoch) => timeline.successor(epoch).map(|(by, owner)| {
                let message = format!(
                    "the store holds what claim {epoch} wrote, which is superseded by claim {by} of `{}`",
                    owner.escape_debug()
                );
                Error::fenced(message).advise(
                    "of a directory and its copy only one goes on: recover the latest checkpoint, or use the other",
                )
            }),
            None => timeline.find(Select::Latest).map(|latest| {
                let message = format!("the archive has checkpoint {}, and the store holds nothing of it", latest.id);
                Error::new(ErrorKind::Conflict, message)
                    .advise("open it with `recover`, or with `discard` to begin anew")
            }),
        };
        refused.map_or(Ok(()), |e| Err(e.in_store(&self.store)))
    }
}

impl Archive {
    /// Whether stores that hold `left` may be gone on with; shortens it to what still matters.
    pub(crate) async fn check_left(&self, left: &mut [Left]) -> Result<()> {
        let timeline = self.log.follow().await?;
        for left in left {
            left.shorten(&timeline);
            left.check(&timeline)?;
        }
        Ok(())
    }

    /// As [`Archive::claim_latest`], for stores that hold `left`; the claim's name is `token`, which they keep
    /// already.
    ///
    /// # Errors
    /// `Fenced` if somebody has gone on with what a store holds, `Conflict` if a store holds nothing of the latest
    /// checkpoint, and nothing changes; else as [`Archive::claim_latest`].
    pub(crate) async fn claim_left(
        &self,
        groups: KeyGroups,
        owner: &str,
        left: &[Left],
        token: Token,
    ) -> Result<Claim> {
        let check = |timeline: &Timeline| left.iter().try_for_each(|left| left.check(timeline));
        self.claim_after(check, groups, owner, Some(Select::Latest), token).await
    }
}
