//! Loading content beside the live data, under state numbers that nobody knows yet.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use statehold_core::{
    Envelope, Error, ErrorKind, Form, KeyGroup, KeyGroups, Loader, Millis, Model, Result, Revision, Row, StateId,
    StateSpec,
};

use crate::{
    catalog::{Catalog, MAX_EPOCH, above},
    erase,
    inner::Inner,
    layout::{Layout, expiry, letter},
    script::Arg,
};

/// What was loaded so far, and what the store has to go on above.
#[derive(Default)]
pub(crate) struct Loaded {
    pub(crate) states: Vec<(StateId, StateSpec)>,
    pub(crate) now: Millis,
    pub(crate) incarnation: u32,
    pub(crate) session: u32,
    /// The last row's state, group, key and sub: the next is behind it.
    last: Option<(StateId, KeyGroup, Bytes, Bytes)>,
    /// The list with TTL whose head came last.
    list: Option<Bytes>,
}

/// One of a store may load at a time: a newer one takes the place of an older one.
pub(crate) struct RedisLoader {
    inner: Arc<Inner>,
    groups: KeyGroups,
    token: String,
    /// Not there while a call is under way, and never again if that call failed or was dropped.
    loaded: Option<Loaded>,
}

impl Inner {
    pub(crate) async fn begin_load(self: &Arc<Self>, groups: KeyGroups) -> Result<RedisLoader> {
        self.check_writable()?;
        let (own, asked) = (self.groups, groups);
        if own.total() != asked.total() || asked.iter().any(|group| !own.contains(group)) {
            return Err(Error::invalid(format!("the key groups {asked} are not all among the store's {own}"))
                .about("groups")
                .advise("load into the stores that own them"));
        }
        // Made first: dropped in the middle of what follows, it still cleans up behind itself.
        let loader = RedisLoader { inner: Arc::clone(self), groups, token: token()?, loaded: Some(Loaded::default()) };
        self.change(|catalog| {
            catalog.abandon_load();
            catalog.loader.clone_from(&loader.token);
            Ok(Some(()))
        })
        .await?;
        erase::leftovers(self).await?;
        Ok(loader)
    }
}

/// A word that no other loader draws.
fn token() -> Result<String> {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes)
        .map_err(|e| Error::internal("the system gives no random bytes").because(e).advise("see the system's log"))?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// The loader that may still publish is the one that began last.
pub(crate) fn check_loader(catalog: &Catalog, token: &str) -> Result<()> {
    if catalog.loader == token {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Conflict, "another load of this store began").advise("load again, one at a time"))
}

impl RedisLoader {
    fn take(&mut self) -> Result<Loaded> {
        self.loaded.take().ok_or_else(|| {
            Error::new(ErrorKind::Conflict, "an earlier call to this loader failed or was dropped")
                .advise("drop the loader and load again")
        })
    }

    async fn name(&self, loaded: &mut Loaded, spec: &StateSpec) -> Result<StateId> {
        if let Some((id, known)) = loaded.states.iter().find(|(_, known)| known.name == spec.name) {
            if known == spec {
                return Ok(*id);
            }
            return Err(Error::invalid("the state was named already, as something else").in_state(&spec.name));
        }
        self.inner.check_open()?;
        spec.check_for(&self.inner.capabilities, &self.inner.limits)?;
        let id = self
            .inner
            .change(|catalog| {
                check_loader(catalog, &self.token)?;
                let id = catalog.number();
                catalog.loading.insert(id.0, letter(spec.model).to_owned());
                Ok(Some(id))
            })
            .await?
            .ok_or_else(crate::error::unexpected)?;
        loaded.states.push((id, spec.clone()));
        Ok(id)
    }

    async fn rows(&self, loaded: &mut Loaded, state: StateId, group: KeyGroup, rows: &[Row]) -> Result<()> {
        self.inner.check_open()?;
        let (_, spec) = loaded
            .states
            .iter()
            .find(|(id, _)| *id == state)
            .ok_or_else(|| Error::invalid(format!("state number {} is not of this loader", state.0)))?;
        let (form, name) = (Form::of(state, spec), spec.name.clone());
        for row in rows {
            self.check_row(loaded, form, group, row).map_err(|e| e.in_state(&name))?;
        }
        check_loader(&self.inner.catalog(), &self.token)?;
        if !rows.is_empty() {
            self.inner.commit_raw(group, changes(form, group, rows)?, false).await?;
        }
        Ok(())
    }

    fn check_row(&self, loaded: &mut Loaded, form: Form, group: KeyGroup, row: &Row) -> Result<()> {
        self.inner.limits.check_key(&row.key, &row.sub)?;
        self.inner.limits.check_value(row.cell.value.len().saturating_sub(Envelope::BYTES))?;
        form.check_expiry(&row.cell)?;
        let is_head = form.has_heads() && row.sub.is_empty();
        if is_head {
            form.check_shape(&row.key)?;
            loaded.list = Some(row.key.clone());
        } else {
            form.check(&row.key, &row.sub)?;
        }
        let place = (form.id, group, row.key.clone(), row.sub.clone());
        let ascending =
            |last: &(StateId, KeyGroup, Bytes, Bytes)| (last.0, last.1) != (form.id, group) || *last < place;
        if !loaded.last.as_ref().is_none_or(ascending) {
            return Err(Error::invalid("rows are not ascending").advise("load rows in (key, subkey) order"));
        }
        if form.model == Model::List && !is_head {
            if form.has_heads() && loaded.list.as_ref() != Some(&row.key) {
                return Err(Error::invalid("an element of a list with TTL comes without the list's head")
                    .advise("load the head row, with empty sub and value, before the list's elements"));
            }
            let ordinal = row.sub[..].try_into().map_or(u64::MAX, u64::from_be_bytes);
            // The upper 24 bits fit.
            loaded.session = loaded.session.max((ordinal >> Revision::SEQUENCE_BITS) as u32);
            above(loaded.session, "sessions")?;
        }
        let incarnation = (row.cell.revision.0 >> Revision::SEQUENCE_BITS) as u32;
        loaded.incarnation = loaded.incarnation.max(incarnation);
        loaded.last = Some(place);
        Ok(())
    }
}

/// Rows as changes of the commit script, with the revisions and ordinals that they have.
fn changes(form: Form, group: KeyGroup, rows: &[Row]) -> Result<Vec<Arg>> {
    let place = form.place(group);
    let mut out: Vec<Arg> = Vec::new();
    match form.model {
        Model::Kv => {
            out.extend(["P".into(), place.into(), false.into(), rows.len().into()]);
            for row in rows {
                out.extend([Arg::from(&row.key), form.whole_row(&row.cell).into()]);
            }
        }
        Model::Map => {
            for of_key in rows.chunk_by(|a, b| a.key == b.key) {
                out.extend(["M".into(), place.clone().into(), Arg::from(&of_key[0].key)]);
                out.extend([false.into(), of_key.len().into()]);
                for row in of_key {
                    out.extend([Arg::from(&row.sub), form.whole_row(&row.cell).into()]);
                }
            }
        }
        Model::List => {
            for of_key in rows.chunk_by(|a, b| a.key == b.key) {
                let head = of_key[0].sub.is_empty().then_some(&of_key[0]);
                let elements = &of_key[usize::from(head.is_some())..];
                out.extend(["L".into(), place.clone().into(), Arg::from(&of_key[0].key)]);
                out.push(head.map_or(Arg::Word(""), |head| expiry(head.cell.expires_at).into()));
                out.push(elements.len().into());
                out.extend(elements.iter().map(|row| [&row.sub[..], &row.cell.value].concat().into()));
            }
        }
        _ => return Err(Error::unsupported("a model that this backend does not know")),
    }
    Ok(out)
}

#[async_trait]
impl Loader for RedisLoader {
    async fn state(&mut self, spec: &StateSpec) -> Result<StateId> {
        let mut loaded = self.take()?;
        let id = self.name(&mut loaded, spec).await.map_err(|e| self.inner.named(e))?;
        self.loaded = Some(loaded);
        Ok(id)
    }

    async fn load(&mut self, state: StateId, group: KeyGroup, rows: Vec<Row>) -> Result<()> {
        if !self.groups.contains(group) {
            return Err(self.inner.named(
                Error::invalid(format!("key group {group} is not among the {} being loaded", self.groups))
                    .advise("begin the load for all groups that the rows are of"),
            ));
        }
        let mut loaded = self.take()?;
        self.rows(&mut loaded, state, group, &rows).await.map_err(|e| self.inner.named(e))?;
        self.loaded = Some(loaded);
        Ok(())
    }

    fn floor(&mut self, now: Millis, incarnation: u32) -> Result<()> {
        if incarnation >= MAX_EPOCH {
            return Err(Error::invalid(format!("incarnation {incarnation} is above what a store can keep"))
                .advise(format!("incarnations end at {MAX_EPOCH}")));
        }
        let mut loaded = self.take()?;
        loaded.now = loaded.now.max(now);
        loaded.incarnation = loaded.incarnation.max(incarnation);
        self.loaded = Some(loaded);
        Ok(())
    }

    async fn publish(mut self: Box<Self>) -> Result<()> {
        let loaded = self.take()?;
        let (inner, token, groups) = (Arc::clone(&self.inner), self.token.clone(), self.groups);
        // Goes on to its end if the caller drops this future.
        let published = tokio::spawn(async move {
            // Lives until all is done: what was not published is then erased.
            let _loader = self;
            inner.publish(&token, groups, loaded).await.map_err(|e| inner.named(e))
        });
        published.await.map_err(|e| Error::internal("publishing ended without an answer").because(e))?
    }
}

/// What was not published is removed: now, or when the store is opened again.
impl Drop for RedisLoader {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (inner, token) = (Arc::clone(&self.inner), std::mem::take(&mut self.token));
        runtime.spawn(async move {
            if inner.check_open().is_err() {
                return;
            }
            let given_up = inner.change(|catalog| {
                if catalog.loader != token {
                    return Ok(None);
                }
                catalog.abandon_load();
                Ok(Some(()))
            });
            let cleared = match given_up.await {
                Ok(Some(())) => erase::leftovers(&inner).await,
                other => other.map(drop),
            };
            if let Err(error) = cleared
                && inner.check_open().is_ok()
            {
                tracing::warn!(store = %inner.name, %error, "leftovers of a load stay until the store is opened again");
            }
        });
    }
}
