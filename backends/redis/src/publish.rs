//! Publishing a load: one change of the catalog makes it the content.
//!
//! First every unit is raised to the new incarnation, so that no commit to the old content is acknowledged any
//! more; then the catalog is switched; then what was replaced is erased.

use statehold_core::{Error, ErrorKind, Form, KeyGroups, Result, StateId, StateSpec};

use crate::{
    catalog::{Catalog, above},
    erase,
    inner::Inner,
    layout::{Layout, letter},
    link::Lane,
    load::{Loaded, check_loader},
    names::Unit,
    reply,
};

/// So many keys are copied at once.
const COPIES: usize = 200;

impl Inner {
    pub(crate) async fn publish(&self, token: &str, groups: KeyGroups, loaded: Loaded) -> Result<()> {
        self.check_writable()?;
        let Loaded { mut states, now, incarnation, session, .. } = loaded;
        let before = self.refresh().await?;
        check_loader(&before, token)?;
        let raised = above(before.incarnation.max(incarnation), "incarnations")?;
        let session = above(before.session.max(session), "sessions")?;
        self.raise(raised, now.max(self.clock.now()), session).await?;
        if groups != self.groups {
            self.keep_other_groups(&before, token, groups, &mut states).await?;
        }
        self.change(|catalog| {
            check_loader(catalog, token)?;
            if catalog.incarnation >= raised {
                return Err(Error::new(ErrorKind::Conflict, "the store changed while the load was published")
                    .advise("load again"));
            }
            let old: Vec<u32> = catalog.states.keys().copied().collect();
            for id in old {
                catalog.remove(StateId(id));
            }
            for (id, spec) in &states {
                catalog.loading.remove(&id.0);
                catalog.states.insert(id.0, spec.clone());
            }
            catalog.loader.clear();
            catalog.incarnation = raised;
            catalog.session = session;
            if self.exclusive {
                catalog.clean = self.durability != statehold_core::Durability::Visible;
            } else {
                catalog.clean = true;
            }
            Ok(Some(()))
        })
        .await?;
        self.suspect.store(false, std::sync::atomic::Ordering::Release);
        erase::leftovers(self).await
    }

    /// A load of some groups keeps the rows of all others: they are copied to the new states. Nobody
    /// commits to them meanwhile.
    async fn keep_other_groups(
        &self,
        live: &Catalog,
        token: &str,
        loaded: KeyGroups,
        states: &mut Vec<(StateId, StateSpec)>,
    ) -> Result<()> {
        for (old, spec) in live.list() {
            let new = match states.iter_mut().find(|(_, new)| new.name == spec.name) {
                Some((id, new)) => {
                    *new = new.merged(&spec)?;
                    *id
                }
                None => {
                    let named = self.change(|catalog| {
                        check_loader(catalog, token)?;
                        let id = catalog.number();
                        catalog.loading.insert(id.0, letter(spec.model).to_owned());
                        Ok(Some(id))
                    });
                    let id = named.await?.ok_or_else(crate::error::unexpected)?;
                    states.push((id, spec.clone()));
                    id
                }
            };
            let (from, to) = (Form::of(old, &spec), Form::of(new, &spec));
            for (unit, groups) in self.units() {
                for group in groups.into_iter().filter(|group| !loaded.contains(*group)) {
                    self.copy(&unit, &from.place(group), &to.place(group), letter(spec.model)).await?;
                }
            }
        }
        Ok(())
    }

    async fn copy(&self, unit: &Unit, from: &str, to: &str, model: &str) -> Result<()> {
        let link = self.link()?;
        if model != "k" {
            self.copy_keys(unit, from, to).await?;
        }
        let base = &unit.base;
        let mut copies = redis::pipe();
        for kind in ["h", "o"] {
            copies.cmd("COPY").arg(format!("{base}{kind}{from}")).arg(format!("{base}{kind}{to}")).arg("REPLACE");
        }
        link.ask_all(Lane::Life, &copies).await.map(drop)
    }

    /// The maps or lists of one state in one group.
    async fn copy_keys(&self, unit: &Unit, from: &str, to: &str) -> Result<()> {
        let link = self.link()?;
        let base = &unit.base;
        let index = format!("{base}o{from}");
        let mut first = 0;
        loop {
            let mut names = redis::cmd("ZRANGE");
            names.arg(&index).arg(first).arg(first + COPIES - 1);
            let names = reply::array(link.ask(Lane::Life, &names).await?)?;
            if names.is_empty() {
                return Ok(());
            }
            first += names.len();
            let mut copies = redis::pipe();
            for name in names {
                let name = reply::bytes(name)?;
                for kind in ["k", "x"] {
                    let key = |place: &str| [format!("{base}{kind}{place}:").as_bytes(), &name].concat();
                    copies.cmd("COPY").arg(key(from)).arg(key(to)).arg("REPLACE");
                }
            }
            link.ask_all(Lane::Life, &copies).await?;
        }
    }
}
