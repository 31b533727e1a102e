//! A full disk under the archive, and under the store that recovers: on a small file system of its own, which takes
//! root to mount.

use std::path::Path;

use statehold::{
    Error, ErrorKind,
    archive::{CheckpointId, Cut, Retention, Select},
    testing::servers::SmallDisk,
};

use crate::{
    Context,
    check::listed,
    content::{self, Content},
    dice::Dice,
    failure::{Failure, Verdict, ensure},
    place::{Place, STORE, behind},
};

/// Room for a store and an archive, or nothing where none can be mounted.
pub(crate) fn mount() -> Option<SmallDisk> {
    SmallDisk::mount(64)
}

fn mounted() -> Result<SmallDisk, Failure> {
    mount().ok_or_else(|| Failure::new("no tmpfs can be mounted"))
}

fn full(error: &Error) -> Verdict {
    let typed = matches!(error.kind(), ErrorKind::ResourceExhausted | ErrorKind::Unavailable);
    ensure!(typed && error.advice().is_some(), "a full disk is told as {:?}: {error}", error.kind());
    Ok(())
}

/// Free bytes: none, then twice as many each time.
fn growing() -> impl Iterator<Item = u64> {
    std::iter::once(0).chain((0..13).map(|n| 4096 << n))
}

/// The archive's disk is full at some point of a checkpoint.
pub(crate) async fn own_3_a_full_disk_under_the_archive(cx: &Context, dir: &Path, _: Dice) -> Verdict {
    let disk = mounted()?;
    let place = Place::new(&cx.subject, dir, cx.form, 1)?;
    let manager = place.open_alone().await?;
    let archive = place.archive_at(&disk.path().join("archive")).await?;
    let claim = archive.claim(manager.groups(), "disk", None).await?;
    let mut writes = Vec::new();
    let mut refused = 0;
    for (free, id) in growing().zip(1..) {
        content::write(std::slice::from_ref(&manager), id).await?;
        writes.push(id);
        let take = async || {
            let store = manager.store(STORE)?;
            let cut = Cut::take_as(cx.form, &[(STORE, &*store)]).await?;
            archive.write(&claim, CheckpointId(id), &behind(writes.len()), cut).await.map(drop)
        };
        let ballast = disk.fill(free)?;
        let outcome = take().await;
        let before: Vec<u64> = listed(&archive).await?.into_iter().map(|(id, ..)| id).collect();
        drop(ballast);
        if let Err(e) = outcome {
            full(&e)?;
            refused += 1;
            ensure!(!before.contains(&id), "checkpoint {id} failed and is there, with {free} bytes free");
            if id > 1 {
                archive.verify(Select::Latest).await?;
            }
            take().await?;
        }
        let content = place.content_of(&archive, id).await?;
        ensure!(content == Content::of(&writes), "checkpoint {id} does not hold {writes:?}, with {free} bytes free");
        archive.prune(&Retention { keep_last: 2, keep_for: None }, Some(&claim)).await?;
    }
    ensure!((1..14).contains(&refused), "{refused} checkpoints met a full disk");
    Ok(manager.close().await?)
}

/// The disk of the store that recovers is full at some point.
pub(crate) async fn own_3_a_full_disk_under_the_store_that_recovers(cx: &Context, dir: &Path, _: Dice) -> Verdict {
    let disk = mounted()?;
    let place = Place::new(&cx.subject, dir, cx.form, 1)?;
    let job = place.open(statehold::RecoverFrom::AsLeft).await?;
    for n in 1..=20 {
        job.write(n).await?;
    }
    job.take(1, 20).await?;
    job.close().await?;
    let archive = place.archive().await?;
    let mut recovered = false;
    for free in growing() {
        let engine = tempfile::tempdir_in(disk.path())?;
        let manager = place.elsewhere(engine.path()).await?;
        content::write(std::slice::from_ref(&manager), 9).await?;
        let ballast = disk.fill(free)?;
        let store = manager.store(STORE)?;
        let outcome = archive.recover_into(Select::Latest, STORE, &*store, manager.groups()).await;
        drop((ballast, store));
        recovered = outcome.is_ok();
        if let Err(e) = outcome {
            full(&e)?;
            let content = Content::read(std::slice::from_ref(&manager)).await?;
            ensure!(content == Content::of(&[9]), "a recover that failed has changed the store, {free} bytes free");
        }
        // A store that has met a full disk may fail to close; it lets go of everything all the same.
        let closed = manager.close().await;
        ensure!(closed.is_ok() || !recovered, "it recovered and does not close: {closed:?}");
    }
    ensure!(recovered, "with 32 MiB free it does not recover");
    Ok(())
}
