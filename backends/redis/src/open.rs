//! Opening: the server is checked, the store found or made, its ownership claimed.

use std::{collections::BTreeMap, sync::Arc};

use redis::Value;
use statehold_core::{Durability, Error, ErrorKind, Millis, OpenRequest, Ownership, Result, Store, Unclean};

use crate::{
    catalog::{Catalog, above, swap},
    check,
    config::Config,
    erase,
    inner::{Inner, Parts, Raise},
    link::{Lane, Link},
    names::Names,
    reply,
    store::RedisStore,
};

pub(crate) async fn open(config: Config, request: OpenRequest) -> Result<Arc<dyn Store>> {
    let capabilities = config.capabilities();
    request.check(&capabilities)?;
    let link = Link::connect(&config).await?;
    check::server(&link, &config, &request).await?;
    let number = register(&link, &config.prefix, &request).await?;
    let names = Names::new(&config.prefix, number, config.cluster);
    let (catalog, floor, suspect) = if request.ownership == Ownership::ReadOnly {
        look(&link, &names).await?
    } else {
        take(&link, &names, &request).await?
    };
    let parts = Parts { link, names, catalog, floor, suspect };
    let inner = Arc::new(Inner::new(parts, &request, capabilities));
    if !inner.read_only {
        erase::leftovers(&inner).await?;
        crate::commit::forget_silent_writers(&inner).await?;
    }
    Ok(Arc::new(RedisStore { inner }))
}

fn nothing_there() -> Error {
    Error::new(ErrorKind::NotFound, "there is no store to look at")
        .advise("open it with exclusive or shared ownership once, or look elsewhere")
}

/// The store's short number; writes down its key groups where it is new.
async fn register(link: &Link, prefix: &str, request: &OpenRequest) -> Result<u64> {
    let key = Names::registry(prefix);
    let groups = request.groups;
    let namespace = format!("n:{}", request.namespace);
    let stores = format!("s:{}/", request.namespace);
    let own = format!("{stores}{}-{}", groups.range().start, groups.range().end);
    loop {
        let mut fields = read(link, &key).await?;
        let version = fields.remove("v");
        if version.is_none() && !fields.is_empty() {
            return Err(Error::invalid(format!("the key `{key}` holds something that statehold did not write"))
                .about("prefix")
                .advise("choose another `prefix`, which nobody else uses"));
        }
        if let Some(total) = fields.get(&namespace)
            && *total != groups.total().to_string().into_bytes()
        {
            let total = String::from_utf8_lossy(total).into_owned();
            return Err(Error::invalid(format!(
                "the namespace was written with key_groups = {total}, and is opened with {}",
                groups.total()
            ))
            .about("key_groups")
            .advise(format!("set key_groups = {total}; it is fixed for the life of a namespace")));
        }
        if let Some(number) = fields.get(&own) {
            return reply::number(Value::BulkString(number.clone()));
        }
        if request.ownership == Ownership::ReadOnly {
            return Err(nothing_there());
        }
        for other in fields.keys().filter_map(|field| field.strip_prefix(&stores)) {
            let bounds =
                other.split_once('-').and_then(|(a, b)| Some((a.parse::<u16>().ok()?, b.parse::<u16>().ok()?)));
            if bounds.is_some_and(|(start, end)| start < groups.range().end && groups.range().start < end) {
                return Err(Error::invalid(format!(
                    "there is a store of the key groups {other}, which {groups} overlaps"
                ))
                .about("groups")
                .advise("open it for its own range; rescale by archive and recover into another `prefix`"));
            }
        }
        let next = match fields.get("next") {
            Some(next) => reply::number(Value::BulkString(next.clone()))?,
            None => 1u64,
        };
        let mut changed = fields.clone();
        changed.insert("next".into(), (next + 1).to_string().into_bytes());
        changed.insert(namespace.clone(), groups.total().to_string().into_bytes());
        changed.insert(own.clone(), next.to_string().into_bytes());
        let version = version.map(|v| String::from_utf8_lossy(&v).into_owned());
        if swap(link, &key, version.as_deref(), &fields, &changed).await?.is_some() {
            return Ok(next);
        }
    }
}

async fn read(link: &Link, key: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    let flat = reply::array(link.ask(Lane::Life, redis::cmd("HGETALL").arg(key)).await?)?;
    let mut fields = BTreeMap::new();
    let mut parts = flat.into_iter();
    while let (Some(field), Some(value)) = (parts.next(), parts.next()) {
        fields.insert(reply::text(field)?, reply::bytes(value)?.to_vec());
    }
    Ok(fields)
}

/// A reader's view.
async fn look(link: &Link, names: &Names) -> Result<(Catalog, Millis, bool)> {
    let catalog = Catalog::read(link, &names.catalog()).await?;
    if catalog.version.is_none() {
        return Err(nothing_there());
    }
    Ok((catalog, Millis(0), false))
}

/// Takes the store over, or joins those who share it.
async fn take(link: &Link, names: &Names, request: &OpenRequest) -> Result<(Catalog, Millis, bool)> {
    let shared = request.ownership == Ownership::Shared;
    let key = names.catalog();
    let (mut catalog, suspect, fresh_owner) = loop {
        let found = Catalog::read(link, &key).await?;
        let fresh = found.version.is_none();
        let mut next = if fresh { Catalog::fresh() } else { found.clone() };
        let mut suspect = false;
        if !next.clean {
            match request.unclean {
                Unclean::Refuse => return Err(unclean()),
                Unclean::Recover => suspect = true,
                Unclean::Discard => {
                    let ids: Vec<u32> = next.states.keys().copied().collect();
                    for id in ids {
                        next.remove(statehold_core::StateId(id));
                    }
                    next.incarnation = above(next.incarnation, "incarnations")?;
                }
            }
        }
        let joins = shared && found.shared && !fresh;
        if joins && !suspect && found.clean {
            break (found, false, false);
        }
        next.epoch += 1;
        next.shared = shared;
        next.clean = !suspect && (shared || request.durability != Durability::Visible);
        next.abandon_load();
        if let Some(written) = found.replace(link, &key, next).await? {
            break (written, suspect, true);
        }
    };
    let mut raise = Raise {
        epoch: catalog.epoch,
        incarnation: catalog.incarnation,
        floor: Millis(0),
        session: catalog.session,
        make: true,
        forget_cuts: fresh_owner,
    };
    let mut floor = Millis(0);
    let mut highest = catalog.incarnation;
    for (unit, _) in names.units(request.groups) {
        let raised = raise.unit(link, &unit).await?;
        for cut in &raised.dropped {
            erase::cut(link, &unit, *cut).await?;
        }
        floor = floor.max(raised.floor);
        highest = highest.max(raised.incarnation);
        raise.session = raise.session.max(raised.session);
    }
    // Somebody died while publishing: what it had not switched to counts as never loaded.
    while fresh_owner && highest > catalog.incarnation {
        let next = Catalog { incarnation: highest, ..catalog.clone() };
        catalog = match catalog.replace(link, &key, next).await? {
            Some(written) => written,
            None => Catalog::read(link, &key).await?,
        };
    }
    Ok((catalog, floor, suspect))
}

fn unclean() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "the store has durability `visible` and was not closed cleanly: its last writes may be lost",
    )
    .about("unclean")
    .advise("recover it from a checkpoint, or open it with `discard` to begin empty")
}
