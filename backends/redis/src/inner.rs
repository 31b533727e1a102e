//! [`Inner`]: what a store's handle, its snapshots and its loaders share.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};
use redis::Value;
use statehold_core::{
    Address, Capabilities, Durability, Error, ErrorKind, KeyGroup, KeyGroups, Limits, Millis, Result, StoreClock,
};

use crate::{
    catalog::{Catalog, above},
    error::{closed, lost},
    link::{Lane, Link},
    names::{Names, Unit},
    reply::{self, worded},
    script::UNIT,
};

/// An opened store.
pub(crate) struct Inner {
    pub(crate) name: String,
    pub(crate) groups: KeyGroups,
    pub(crate) limits: Limits,
    pub(crate) durability: Durability,
    pub(crate) read_only: bool,
    pub(crate) exclusive: bool,
    pub(crate) capabilities: Capabilities,
    pub(crate) clock: StoreClock,
    pub(crate) names: Names,
    pub(crate) epoch: u64,
    /// Opened after an unclean end, and not recovered since: never marked clean.
    pub(crate) suspect: AtomicBool,
    closed: AtomicBool,
    link: RwLock<Option<Arc<Link>>>,
    catalog: RwLock<Arc<Catalog>>,
    /// The greatest cut this handle knows of; in a Cluster every commit carries it.
    pub(crate) cut: AtomicU64,
    /// Cuts that nobody reads any more and that are still open in some unit.
    pub(crate) dropped_cuts: Mutex<BTreeSet<u64>>,
    /// Commits hold it shared while a Cluster's units are cut one after the other.
    pub(crate) gate: tokio::sync::RwLock<()>,
}

/// What `open` found or made.
pub(crate) struct Parts {
    pub(crate) link: Arc<Link>,
    pub(crate) names: Names,
    pub(crate) catalog: Catalog,
    pub(crate) floor: Millis,
    pub(crate) suspect: bool,
}

impl Inner {
    pub(crate) fn new(parts: Parts, request: &statehold_core::OpenRequest, capabilities: Capabilities) -> Self {
        use statehold_core::Ownership;
        Self {
            name: request.store.clone(),
            groups: request.groups,
            limits: request.limits,
            durability: request.durability,
            read_only: request.ownership == Ownership::ReadOnly,
            exclusive: request.ownership == Ownership::Exclusive,
            capabilities,
            clock: StoreClock::new(request.resources.clock.clone(), parts.floor),
            names: parts.names,
            epoch: parts.catalog.epoch,
            suspect: AtomicBool::new(parts.suspect),
            closed: AtomicBool::new(false),
            link: RwLock::new(Some(parts.link)),
            cut: AtomicU64::new(0),
            catalog: RwLock::new(Arc::new(parts.catalog)),
            dropped_cuts: Mutex::default(),
            gate: tokio::sync::RwLock::default(),
        }
    }

    pub(crate) fn link(&self) -> Result<Arc<Link>> {
        self.check_open()?;
        self.link.read().clone().ok_or_else(closed)
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) { Err(closed()) } else { Ok(()) }
    }

    /// Nothing begins any more; `false` if it was closed before.
    pub(crate) fn begin_close(&self) -> bool {
        !self.closed.swap(true, Ordering::AcqRel)
    }

    /// The connections, for the last time.
    pub(crate) fn take_link(&self) -> Option<Arc<Link>> {
        self.link.write().take()
    }

    pub(crate) fn check_writable(&self) -> Result<()> {
        self.check_open()?;
        if self.read_only {
            return Err(Error::unsupported("the store is open for reading only")
                .advise("open it with exclusive or shared ownership to write"));
        }
        Ok(())
    }

    pub(crate) fn check_group(&self, group: KeyGroup) -> Result<()> {
        if self.groups.contains(group) {
            return Ok(());
        }
        Err(Error::invalid(format!("key group {group} is not in the store's {}", self.groups))
            .advise("ask the owner of that group"))
    }

    pub(crate) fn check_address(&self, at: &Address) -> Result<()> {
        self.check_group(at.group)?;
        self.limits.check_key(&at.key, &at.sub)
    }

    /// Names the store in an error.
    pub(crate) fn named(&self, error: Error) -> Error {
        error.in_store(&self.name)
    }

    /// The catalog as this handle knows it.
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        self.catalog.read().clone()
    }

    /// Keeps what is newer.
    pub(crate) fn learn(&self, catalog: Catalog) -> Arc<Catalog> {
        let version = |c: &Catalog| c.version.as_ref().and_then(|v| v.parse::<u64>().ok()).unwrap_or(0);
        let mut known = self.catalog.write();
        if version(&catalog) > version(&known) {
            *known = Arc::new(catalog);
        }
        known.clone()
    }

    /// Reads the catalog anew.
    pub(crate) async fn refresh(&self) -> Result<Arc<Catalog>> {
        let catalog = Catalog::read(&*self.link()?, &self.names.catalog()).await?;
        if catalog.version.is_none() {
            return Err(lost());
        }
        self.check_epoch(catalog.epoch)?;
        Ok(self.learn(catalog))
    }

    fn check_epoch(&self, epoch: u64) -> Result<()> {
        if self.read_only || epoch == self.epoch { Ok(()) } else { Err(fenced()) }
    }

    /// Changes the catalog in one atomic step; `change` may be called several times, and answers
    /// what the caller wants to know, or nothing where nothing is to change.
    pub(crate) async fn change<T>(
        &self,
        mut change: impl FnMut(&mut Catalog) -> Result<Option<T>> + Send,
    ) -> Result<Option<T>> {
        let mut known = self.catalog();
        loop {
            self.check_epoch(known.epoch)?;
            let mut next = (*known).clone();
            let Some(out) = change(&mut next)? else { return Ok(None) };
            match known.replace(&*self.link()?, &self.names.catalog(), next).await? {
                Some(written) => {
                    self.learn(written);
                    return Ok(Some(out));
                }
                None => known = self.refresh().await?,
            }
        }
    }

    /// Units that hold some of `groups`.
    pub(crate) fn units(&self) -> Vec<(Unit, Vec<KeyGroup>)> {
        self.names.units(self.groups)
    }

    /// Raises every unit to an incarnation, a floor of time and a session; what they have may be higher.
    pub(crate) async fn raise(&self, incarnation: u32, floor: Millis, session: u32) -> Result<()> {
        let link = self.link()?;
        for (unit, _) in self.units() {
            let raised = Raise { epoch: self.epoch, incarnation, floor, session, make: false, forget_cuts: false };
            raised.unit(&link, &unit).await?;
        }
        self.clock.raise(floor);
        Ok(())
    }

    /// A unit is of a later incarnation than the catalog: somebody is publishing, or failed at it. Waits
    /// a little, then takes that incarnation, so that who comes to publish in it fails.
    pub(crate) async fn settle(&self, incarnation: u32, attempt: usize) -> Result<()> {
        const PATIENCE: usize = 50;
        if self.refresh().await?.incarnation >= incarnation {
            return Ok(());
        }
        if attempt < PATIENCE {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            return Ok(());
        }
        // The load under way may be a later one, even the caller's own: it goes on.
        let raised = self.change(|catalog| {
            let behind = catalog.incarnation < incarnation;
            catalog.incarnation = catalog.incarnation.max(incarnation);
            Ok(behind.then_some(()))
        });
        raised.await.map(drop)
    }

    /// One incarnation above the present one.
    pub(crate) fn next_incarnation(catalog: &Catalog) -> Result<u32> {
        above(catalog.incarnation, "incarnations")
    }
}

/// What a unit is raised to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raise {
    pub(crate) epoch: u64,
    pub(crate) incarnation: u32,
    pub(crate) floor: Millis,
    pub(crate) session: u32,
    /// Make it where there is none.
    pub(crate) make: bool,
    /// Nobody reads the cuts any more that were opened so far.
    pub(crate) forget_cuts: bool,
}

/// A unit's own numbers, after it was raised.
#[derive(Debug, Clone)]
pub(crate) struct Raised {
    pub(crate) incarnation: u32,
    pub(crate) floor: Millis,
    pub(crate) session: u32,
    /// Cuts whose pre-images are to be erased.
    pub(crate) dropped: Vec<u64>,
}

impl Raise {
    pub(crate) async fn unit(self, link: &Link, unit: &Unit) -> Result<Raised> {
        let call = UNIT
            .on(&unit.meta)
            .arg(unit.base.clone())
            .arg("raise")
            .arg(self.epoch)
            .arg(self.incarnation)
            .arg(self.floor.0.to_be_bytes())
            .arg(self.session)
            .arg(self.make)
            .arg(self.forget_cuts);
        let mut parts = answered(link.call(Lane::Life, &call).await?)?;
        let mut next = || reply::next(&mut parts);
        Ok(Raised {
            incarnation: reply::number(next()?)?,
            floor: reply::millis(next()?)?,
            session: reply::number(next()?)?,
            dropped: reply::array(next()?)?.into_iter().map(reply::number).collect::<Result<_>>()?,
        })
    }
}

/// The rest of a script's `OK`; other words are errors.
pub(crate) fn answered(value: Value) -> Result<std::vec::IntoIter<Value>> {
    let (word, parts) = worded(value)?;
    match word.as_str() {
        "OK" => Ok(parts),
        "LOST" => Err(lost()),
        "FENCED" => Err(fenced()),
        "GONE" => Err(Error::new(ErrorKind::Unavailable, "the cut was given up: the store has another owner since")
            .advise("take another one")),
        _ => Err(crate::error::unexpected()),
    }
}

pub(crate) fn fenced() -> Error {
    Error::fenced("the store has another owner since")
        .advise("this owner is done; open the store again to take it back")
}
