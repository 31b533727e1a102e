//! Publishing a load: the transaction that loaded switches the catalog and ends.

use std::sync::{Arc, atomic::Ordering};

use sqlx::{PgConnection, error::Error as SqlError, query, query_as, query_scalar, raw_sql};
use statehold_core::{Durability, Error, ErrorKind, Millis, Result, StateId, StateSpec};

use crate::{
    bits::{flip, flop},
    catalog::{self, States, spec_text},
    error::{self, Fate},
    load::{Loading, MAX_INCARNATION, superseded},
    place::RowKey,
    pool::Work,
    store::Inner,
};

/// The last load that was begun, and the incarnation. Waits for a transaction that is about to change them.
struct Published {
    store: i32,
}

impl Work for Published {
    type Out = Option<(i64, i32)>;

    async fn run(&self, on: &mut PgConnection) -> Result<Self::Out, SqlError> {
        let sql = "SELECT loader, incarnation FROM stores WHERE id = $1 FOR SHARE";
        query_as(sql).bind(self.store).fetch_optional(on).await
    }
}

impl Inner {
    pub(crate) async fn publish(self: &Arc<Self>, mut loading: Loading) -> Result<()> {
        self.check_writable()?;
        loading.send().await?;
        lock(&mut loading.connection, self).await?;
        let sql = "SELECT loader, incarnation, floor FROM stores WHERE id = $1";
        let (loader, incarnation, floor): (i64, i32, i64) =
            query_as(sql).bind(self.store).fetch_one(&mut loading.connection).await.map_err(error::of)?;
        if loader != loading.number {
            return Err(superseded());
        }
        let incarnation = above(u32::try_from(incarnation).unwrap_or_default().max(loading.incarnation))?;
        let floor = Millis(flop(floor)).max(loading.now);
        let live = States { store: self.store }.run(&mut loading.connection).await.map_err(error::of)?;
        let (live, _) = catalog::parse(live)?;
        if loading.groups != self.groups {
            self.keep_other_groups(&mut loading, &live).await?;
        }
        self.switch(&mut loading, incarnation, floor).await?;
        let (number, commit) = (loading.number, raw_sql("COMMIT").execute(&mut loading.connection).await);
        if let Err(e) = commit {
            self.was_published(e, number, incarnation).await?;
        }

        self.catalog.replace(&loading.states, incarnation);
        self.clock.raise(floor);
        if self.durability == Durability::Visible {
            self.counted.store(true, Ordering::Release);
        }
        self.suspect.store(false, Ordering::Release);
        drop(loading);
        self.purge_or_warn().await;
        Ok(())
    }

    /// Whether the transaction whose COMMIT failed with `e` was committed all the same.
    async fn was_published(&self, e: SqlError, number: i64, incarnation: i32) -> Result<()> {
        if error::fate(&e) != Fate::Unknown {
            return Err(error::of(e));
        }
        let unknown = || {
            Error::new(ErrorKind::Indeterminate, format!("the content may have been replaced, or not: {e}"))
                .advise("load it again: a store is whole either way")
        };
        match self.pool.read(&Published { store: self.store }).await.map_err(|_| unknown())? {
            Some((loader, now)) if loader == number && now == incarnation => Ok(()),
            Some((loader, _)) if loader == number => Err(error::of(e)),
            // Another load has begun since: what it began on is not told.
            _ => Err(unknown()),
        }
    }

    /// A load of some groups keeps the rows of all others, under the new numbers.
    async fn keep_other_groups(&self, loading: &mut Loading, live: &[(StateId, StateSpec)]) -> Result<()> {
        for (old, stored) in live {
            let new = match loading.states.iter_mut().find(|(_, spec)| spec.name == stored.name) {
                Some((id, spec)) => {
                    *spec = spec.merged(stored)?;
                    *id
                }
                None => {
                    let id = loading.add(self, stored).await?;
                    loading.states.push((id, stored.clone()));
                    id
                }
            };
            let range = loading.groups.range();
            let kept = [
                (RowKey::start(*old, 0), RowKey::start(*old, range.start)),
                (RowKey::start(*old, range.end), RowKey::end(*old)),
            ];
            for (from, until) in kept {
                let sql = "UPDATE entries SET key = int4send($1) || substring(key FROM 5) WHERE key >= $2 AND key < $3";
                let query = query(sql).bind(catalog::id(new)).bind(from).bind(until);
                query.execute(&mut loading.connection).await.map_err(error::of)?;
            }
        }
        Ok(())
    }

    /// What was loaded is all that there is.
    async fn switch(&self, loading: &mut Loading, incarnation: i32, floor: Millis) -> Result<()> {
        let on = &mut loading.connection;
        let end = "UPDATE states SET phase = 'dead' WHERE store = $1 AND phase = 'live'";
        query(end).bind(self.store).execute(&mut *on).await.map_err(error::of)?;
        let begin = "UPDATE states SET phase = 'live', spec = n.spec::jsonb
            FROM unnest($1::int4[], $2::text[]) n (id, spec) WHERE states.id = n.id";
        let ids: Vec<i32> = loading.states.iter().map(|(id, _)| catalog::id(*id)).collect();
        let specs = loading.states.iter().map(|(_, spec)| spec_text(spec)).collect::<Result<Vec<_>>>()?;
        query(begin).bind(ids).bind(specs).execute(&mut *on).await.map_err(error::of)?;
        let forget = "DELETE FROM markers WHERE store = $1";
        query(forget).bind(self.store).execute(&mut *on).await.map_err(error::of)?;
        let reset = "UPDATE stripes SET sequence = 0, incarnation = $2 WHERE store = $1";
        query(reset).bind(self.store).bind(incarnation).execute(&mut *on).await.map_err(error::of)?;
        let ordinals = "UPDATE stripes g SET ordinal = greatest(g.ordinal, n.ordinal)
            FROM unnest($2::int2[], $3::int8[]) n (stripe, ordinal) WHERE g.store = $1 AND g.stripe = n.stripe";
        let stripes: Vec<i16> = loading.ordinals.keys().copied().collect();
        let numbers: Vec<i64> = loading.ordinals.values().map(|ordinal| flip(*ordinal)).collect();
        query(ordinals).bind(self.store).bind(stripes).bind(numbers).execute(&mut *on).await.map_err(error::of)?;
        let head = "UPDATE stores SET incarnation = $2, floor = $3, unclean = $4 WHERE id = $1";
        let unclean = i32::from(self.durability == Durability::Visible);
        let query = query(head).bind(self.store).bind(incarnation).bind(flip(floor.0)).bind(unclean);
        query.execute(&mut *on).await.map_err(error::of).map(drop)
    }
}

/// Waits for the commits under way and keeps others away until the transaction ends.
pub(crate) async fn lock(on: &mut PgConnection, inner: &Inner) -> Result<()> {
    let sql = "SELECT statehold_lock($1, $2)";
    let owned: bool = query_scalar(sql).bind(inner.store).bind(inner.epoch).fetch_one(on).await.map_err(error::of)?;
    if owned { Ok(()) } else { Err(error::fenced()) }
}

/// The next incarnation, if there is one.
pub(crate) fn above(incarnation: u32) -> Result<i32> {
    if incarnation >= MAX_INCARNATION {
        return Err(Error::new(ErrorKind::ResourceExhausted, "the store's incarnations are used up")
            .advise("archive it, and recover into a new store"));
    }
    // 24 bits fit.
    Ok(incarnation as i32 + 1)
}
