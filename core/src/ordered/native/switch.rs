//! The switch: joined files take the place of the live ones while readers are held off.

use std::sync::{Arc, atomic::Ordering};

use super::join::Joined;
use crate::{
    Durability, Millis, Result,
    ordered::{
        EngineBatch, FileEngine, NotReplaced, WriteLevel,
        catalog::Catalog,
        inner::{Inner, Writer, closed, first_ordinal, session_of},
        meta::{self, Head},
        publish::replace_meta,
    },
    step,
};

/// Makes `joined` the content of the store, and answers its engine's session. Whoever had the store's images finds them
/// gone.
pub(super) fn to<E: FileEngine>(inner: &Arc<Inner<E>>, writer: &mut Writer<E>, joined: Joined<E>) -> Result<String> {
    inner.check_open()?;
    let old = writer.head;
    let own_session = session_of(inner.ordinals.load(Ordering::Acquire)).max(old.session);
    let (states, next_state) = joined.numbered(old.next_state);
    let head = Head {
        incarnation: Head::above(old.incarnation.max(joined.above.incarnation), "incarnations")?,
        floor: old.floor.max(joined.above.floor),
        session: Head::above(own_session.max(joined.above.session), "sessions")?,
        next_state,
        loading: 0,
        clean: E::IN_MEMORY || inner.durability != Durability::Visible,
        ..old
    };
    let next = Catalog::new(states);
    let Joined { engine: made, path, .. } = joined;
    let mut batch = made.batch();
    replace_meta(&mut batch, &next)?;
    batch.put(&meta::head_key(), &meta::seal(&head)?);
    made.write(&mut batch, WriteLevel::Synced)?;
    made.flush()?;
    drop(made);
    step("native.sealed");

    // From here on no reader is told old or new content, until both engine and catalog are one of them.
    let mut kept = Catalog::default();
    inner.change_catalog(|catalog| {
        kept = catalog.clone();
        catalog.switching = true;
    });
    inner.release_images();
    // A compaction would hold the engine for long.
    if let Ok(engine) = inner.engine() {
        engine.stop();
    }
    let mut live = inner.engine.write();
    let switched = match live.take().map(|engine| engine.replace(&path)) {
        Some(Ok(engine)) => {
            let session = engine.session().to_owned();
            *live = Some(engine);
            Ok(session)
        }
        Some(Err(NotReplaced { error, old })) => {
            if old.is_none() {
                // Nothing can be read any more; the next open finds the old content.
                inner.begin_close();
            }
            *live = old;
            Err(error)
        }
        None => Err(closed()),
    };
    if switched.is_ok() {
        writer.head = head;
        writer.sequences.fill(0);
        writer.highest = 0;
        writer.markers.clear();
        writer.suspect = false;
        inner.clock.raise(Millis(head.floor));
        inner.ordinals.store(first_ordinal(head.session), Ordering::Release);
    }
    inner.change_catalog(|catalog| *catalog = if switched.is_ok() { next } else { kept });
    switched
}
