//! [`Tape`]: an archive in memory, so that archive and recover are tested without an object store.

use async_trait::async_trait;
use statehold_core::{
    ArchiveSink, ArchiveSource, ArchiveStep, Error, KeyGroup, KeyGroups, Millis, Result, Row, StateId, StateSpec, Store,
};

/// The steps of one archive, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tape {
    pub(crate) steps: Vec<ArchiveStep>,
}

impl Tape {
    /// What `store` archives of `groups` now.
    pub(crate) async fn record(store: &dyn Store, groups: KeyGroups) -> Result<Self> {
        let mut tape = Self::default();
        store.archive(groups, &mut tape).await?;
        Ok(tape)
    }

    /// A source that yields all of it.
    pub(crate) fn play(&self) -> Playback {
        Playback { steps: self.steps.clone().into(), breaks: false }
    }

    /// A source that yields `steps` steps and then finds the archive damaged.
    pub(crate) fn play_broken(&self, steps: usize) -> Playback {
        Playback { steps: self.steps.iter().take(steps).cloned().collect(), breaks: true }
    }

    /// The keys of all rows.
    pub(crate) fn keys(&self) -> Vec<bytes::Bytes> {
        let rows = self.steps.iter().filter_map(|step| match step {
            ArchiveStep::Rows(_, _, rows) => Some(rows),
            _ => None,
        });
        rows.flatten().map(|row| row.key.clone()).collect()
    }

    /// Recovers `store` from it.
    pub(crate) async fn restore(&self, store: &dyn Store, groups: KeyGroups) -> Result<()> {
        store.recover(groups, &mut self.play()).await
    }
}

#[async_trait]
impl ArchiveSink for Tape {
    async fn state(&mut self, id: StateId, spec: &StateSpec) -> Result<()> {
        self.steps.push(ArchiveStep::State(id.0, spec.clone()));
        Ok(())
    }

    async fn rows(&mut self, id: StateId, group: KeyGroup, rows: Vec<Row>) -> Result<()> {
        self.steps.push(ArchiveStep::Rows(id.0, group, rows));
        Ok(())
    }

    async fn floor(&mut self, now: Millis, incarnation: u32) -> Result<()> {
        self.steps.push(ArchiveStep::Floor(now, incarnation));
        Ok(())
    }
}

/// A tape being played.
#[derive(Debug)]
pub(crate) struct Playback {
    steps: std::collections::VecDeque<ArchiveStep>,
    breaks: bool,
}

#[async_trait]
impl ArchiveSource for Playback {
    async fn next(&mut self) -> Result<Option<ArchiveStep>> {
        match self.steps.pop_front() {
            None if self.breaks => Err(Error::corrupt("the suite damaged this archive on purpose")),
            step => Ok(step),
        }
    }
}
