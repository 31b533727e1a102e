//! Cuts: opened in every unit, closed when their snapshot is dropped.
//!
//! On a single server one script opens a cut: it is one instant. In a Cluster units are cut one after the other:
//! this handle's own commits wait meanwhile, and those of other handles carry the greatest cut they know of, so that
//! what comes after a cut in one unit comes after it in all (causal).

use std::sync::{Arc, atomic::Ordering};

use statehold_core::{Error, Millis, Result};

use crate::{
    catalog::Catalog,
    erase,
    inner::{Inner, answered},
    link::Lane,
    reply,
    script::UNIT,
};

/// An open cut.
pub(crate) struct Cut {
    pub(crate) inner: Arc<Inner>,
    pub(crate) number: u64,
    pub(crate) now: Millis,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) incarnation: u32,
}

impl Inner {
    pub(crate) async fn open_cut(self: &Arc<Self>) -> Result<Cut> {
        self.check_open()?;
        self.close_cuts().await?;
        if self.read_only {
            return Err(Error::unsupported("a cut of a store that is open for reading only")
                .advise("archive it where it is open for writing"));
        }
        let number = self
            .change(|catalog| {
                catalog.next_cut += 1;
                Ok(Some(catalog.next_cut - 1))
            })
            .await?
            .ok_or_else(crate::error::unexpected)?;
        let link = self.link()?;
        let _no_commits = self.gate.write().await;
        let mut cut =
            Cut { inner: Arc::clone(self), number, now: self.clock.now(), catalog: self.catalog(), incarnation: 0 };
        self.cut.fetch_max(number, Ordering::AcqRel);
        // The greatest floor of all units, before the first of them is cut.
        let mut sessions = 0;
        for (unit, _) in self.units() {
            let call = UNIT.on(&unit.meta).arg(unit.base.clone()).arg("open").arg(number).arg(cut.now.0.to_be_bytes());
            let mut parts = answered(link.call(Lane::Life, &call).await?)?;
            let _incarnation = reply::next(&mut parts)?;
            let floor = reply::millis(reply::next(&mut parts)?)?;
            sessions = sessions.max(reply::number(reply::next(&mut parts)?)?);
            cut.now = cut.now.max(floor);
        }
        self.clock.raise(cut.now);
        // Who loads this cut must go on above its revisions and its ordinals.
        let catalog = if self.exclusive { self.catalog() } else { self.refresh().await? };
        cut.incarnation = catalog.incarnation.max(catalog.session).max(sessions);
        cut.catalog = catalog;
        Ok(cut)
    }

    /// Closes the cuts that are dropped, those too that could not be closed when they were: as long as one is open,
    /// every commit keeps what it replaces.
    pub(crate) async fn close_cuts(&self) -> Result<()> {
        let dropped: Vec<u64> = self.dropped_cuts.lock().iter().copied().collect();
        for number in dropped {
            self.close_cut(number).await?;
            self.dropped_cuts.lock().remove(&number);
        }
        Ok(())
    }

    async fn close_cut(&self, number: u64) -> Result<()> {
        let link = self.link()?;
        for (unit, _) in self.units() {
            let call = UNIT.on(&unit.meta).arg(unit.base.clone()).arg("close").arg(number);
            let mut parts = answered(link.call(Lane::Life, &call).await?)?;
            let dropped: Vec<u64> =
                reply::array(reply::next(&mut parts)?)?.into_iter().map(reply::number).collect::<Result<_>>()?;
            for cut in dropped {
                erase::cut(&link, &unit, cut).await?;
            }
        }
        erase::leftovers(self).await
    }
}

/// The units keep no pre-images any longer; the next cut, compaction or owner sees to what cannot be done now.
impl Drop for Cut {
    fn drop(&mut self) {
        self.inner.dropped_cuts.lock().insert(self.number);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let inner = Arc::clone(&self.inner);
        runtime.spawn(async move {
            if inner.check_open().is_ok()
                && let Err(error) = inner.close_cuts().await
                && inner.check_open().is_ok()
            {
                tracing::warn!(store = %inner.name, %error, "a cut's pre-images stay until the next cut or compaction");
            }
        });
    }
}
