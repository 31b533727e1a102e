//! What must hold of a place whatever happened to it.

use std::collections::BTreeSet;

use statehold::archive::{Archive, CheckpointId, Select, Status};

use crate::{
    content::Content,
    failure::{Failure, Verdict, ensure},
    place::{Job, Place},
    plan::World,
};

/// What the archive lists, as [`World::listed`] tells it.
pub(crate) async fn listed(archive: &Archive) -> Result<Vec<(u64, u64, Status)>, Failure> {
    let line = |c: &statehold::archive::CheckpointSummary| {
        (c.id.0, c.metadata.get("writes").and_then(|v| v.as_u64()).unwrap_or(u64::MAX), c.status)
    };
    Ok(archive.list().await?.iter().map(line).collect())
}

/// The archive is that of one of these worlds, and every checkpoint in it is whole and exact. Answers which world.
pub(crate) async fn archive_is(place: &Place, worlds: &[World]) -> Result<World, Failure> {
    let archive = place.archive().await?;
    let found = listed(&archive).await?;
    let Some(world) = worlds.iter().find(|world| world.listed() == found) else {
        let expected: Vec<_> = worlds.iter().map(World::listed).collect();
        return Err(Failure::new(format!("the archive lists {found:?}, and may list one of {expected:?}")));
    };
    let latest = archive.resolve(Select::Latest).await.ok().map(|c| c.id.0);
    ensure!(latest == world.latest().map(|c| c.id), "the latest is {latest:?} among {found:?}");
    for kept in &world.checkpoints {
        archive.verify(Select::Id(CheckpointId(kept.id))).await?;
        let content = place.content_of(&archive, kept.id).await?;
        ensure!(content == Content::of(&kept.writes), "checkpoint {} does not hold writes {:?}", kept.id, kept.writes);
    }
    Ok(world.clone())
}

/// The job holds what these writes leave.
pub(crate) async fn job_holds(job: &Job, writes: &[u64]) -> Verdict {
    ensure!(job.content().await? == Content::of(writes), "the stores do not hold writes {writes:?}");
    Ok(())
}

/// The job can go on: it writes, takes a checkpoint, goes back to it, and gives up all others with all that they and
/// failed attempts left.
pub(crate) async fn goes_on(place: &Place, job: &mut Job, writes: &[u64]) -> Verdict {
    const NUMBER: u64 = 900;
    let mut writes = writes.to_vec();
    job_holds(job, &writes).await?;
    writes.push(NUMBER);
    job.write(NUMBER).await?;
    job.take(NUMBER, writes.len()).await?;
    job_holds(job, &writes).await?;
    job.prune(1).await?;
    let archive = place.archive().await?;
    let found = listed(&archive).await?;
    ensure!(found == [(NUMBER, writes.len() as u64, Status::Current)], "after a prune {found:?} are left");
    let content = place.content_of(&archive, NUMBER).await?;
    ensure!(content == Content::of(&writes), "the last checkpoint does not hold writes {writes:?}");
    let contents = archive.show(Select::Latest).await?.contents;
    let named: BTreeSet<String> = contents.into_iter().flat_map(|s| s.objects).map(|o| o.name).collect();
    let stored: BTreeSet<String> = objects(place)?.into_iter().collect();
    ensure!(stored == named, "objects {stored:?} are stored, and named are {named:?}");
    Ok(())
}

/// The names of all objects.
pub(crate) fn objects(place: &Place) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(place.objects_dir())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // What the file system's object store had not finished is no object.
        if !name.contains('#') {
            names.push(name);
        }
    }
    Ok(names)
}
