//! Objects and records that were altered, cut short, lost, exchanged or forged: every one is told as what it is, and
//! neither the store nor another checkpoint suffers.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use statehold::{
    Error, ErrorKind,
    archive::{Archive, CheckpointId, Retention, Select},
};

use crate::{
    Context,
    content::{self, Content},
    dice::Dice,
    failure::{Failure, Verdict, ensure},
    place::{Place, STORE},
};

const TRIES: usize = 60;

/// A place with checkpoints 1, behind write 1, and 2, behind writes 1 and 2.
async fn two_checkpoints(cx: &Context, dir: &Path) -> Result<Place, Failure> {
    let place = Place::new(&cx.subject, dir, cx.form, 1)?;
    let job = place.open(statehold::RecoverFrom::AsLeft).await?;
    for n in 1..=2 {
        job.write(n).await?;
        job.take(n, usize::try_from(n)?).await?;
    }
    job.close().await?;
    Ok(place)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = fs::read_dir(folder)?.map(|e| e.map(|e| e.path())).collect::<std::io::Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

/// Does one random damage to `file`; says which.
fn damage(file: &Path, others: &[PathBuf], dice: &mut Dice) -> std::io::Result<String> {
    let mut bytes = fs::read(file)?;
    let what = match dice.below(6) {
        0 => {
            let at = dice.below(bytes.len());
            bytes[at] ^= 1 << dice.below(8);
            format!("a bit of byte {at}")
        }
        1 => {
            bytes.truncate(dice.below(bytes.len()));
            format!("cut to {}", bytes.len())
        }
        2 => {
            bytes.push(0);
            "one byte more".to_owned()
        }
        3 => {
            let from = dice.below(bytes.len());
            bytes[from..].fill(0);
            // Zeros may have been zeros.
            bytes.push(1);
            format!("zeros from {from}")
        }
        4 => {
            fs::remove_file(file)?;
            return Ok("gone".into());
        }
        _ => {
            let other = &others[dice.below(others.len())];
            let foreign = fs::read(other)?;
            if foreign == bytes {
                bytes.clear();
            } else {
                bytes = foreign;
            }
            format!("the bytes of {}", other.display())
        }
    };
    fs::write(file, bytes)?;
    Ok(what)
}

/// Recovers the latest into a store that holds write 9, which it holds still if that fails.
async fn recovered(place: &Place, archive: &Archive, checkpoint: u64) -> Result<Result<Content, Error>, Failure> {
    let elsewhere = tempfile::tempdir()?;
    let fresh = place.elsewhere(elsewhere.path()).await?;
    content::write(std::slice::from_ref(&fresh), 9).await?;
    let store = fresh.store(STORE)?;
    let select = Select::Id(CheckpointId(checkpoint));
    let outcome = archive.recover_into(select, STORE, &*store, fresh.groups()).await;
    if outcome.is_err() {
        let kept = Content::read(std::slice::from_ref(&fresh)).await?;
        ensure!(kept == Content::of(&[9]), "a recover that failed has changed the store");
    }
    fresh.close().await?;
    match outcome {
        // A forged type of a state is found when the state is opened.
        Ok(_) => Ok(place.content_of(archive, checkpoint).await),
        Err(e) => Ok(Err(e)),
    }
}

pub(crate) async fn life_4_damaged_objects_and_records_are_found_and_named(
    cx: &Context,
    dir: &Path,
    mut dice: Dice,
) -> Verdict {
    let place = two_checkpoints(cx, dir).await?;
    let whole = place.archive().await?;
    let named = |id| {
        let whole = &whole;
        async move {
            let contents = whole.show(Select::Id(CheckpointId(id))).await?.contents;
            Ok::<Vec<String>, Error>(contents.into_iter().flat_map(|s| s.objects).map(|o| o.name).collect())
        }
    };
    let (first, second) = (named(1).await?, named(2).await?);
    for _ in 0..TRIES * if cx.long { 20 } else { 1 } {
        let damaged = tempfile::tempdir()?;
        copy(&place.archive_dir(), damaged.path())?;
        let (objects, log) = (damaged.path().join("life/objects"), damaged.path().join("life/log"));
        let records = files(&log)?;
        let of_record = dice.below(3) == 0;
        let file = match of_record {
            // The last may be lost without a trace: then the log is that of a moment before.
            true => records[dice.below(records.len() - 1)].clone(),
            false => objects.join(&second[dice.below(second.len())]),
        };
        let what = damage(&file, &if of_record { records } else { files(&objects)? }, &mut dice)?;
        let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let checked = check(&place, damaged.path(), (of_record, &name), (&first, &second)).await;
        checked.map_err(|f| f.at(&format!("{name}, {what}")))?;
    }
    Ok(())
}

/// The damage is found, named, and does not spread.
async fn check(
    place: &Place,
    folder: &Path,
    (of_record, name): (bool, &str),
    (first, _second): (&[String], &[String]),
) -> Verdict {
    let corrupt = |e: &Error| {
        ensure!(e.kind() == ErrorKind::Corrupt && e.advice().is_some(), "it is told as {:?}: {e}", e.kind());
        ensure!(e.to_string().contains(name), "it is not named: {e}");
        Ok(())
    };
    let archive = match place.archive_at(folder).await {
        Err(e) if of_record => return corrupt(&e),
        opened => opened?,
    };
    ensure!(!of_record, "a damaged record is not noticed");
    match archive.verify(Select::Id(CheckpointId(2))).await {
        Ok(_) => return Err(Failure::new("verify does not notice it")),
        Err(e) => corrupt(&e)?,
    }
    match recovered(place, &archive, 2).await? {
        Ok(_) => return Err(Failure::new("recover does not notice it")),
        Err(e) => corrupt(&e)?,
    }
    if !first.iter().any(|object| object == name) {
        let content = recovered(place, &archive, 1).await??;
        ensure!(content == Content::of(&[1]), "checkpoint 1 is another now");
    }
    Ok(())
}

/// Puts something hostile somewhere into the JSON; `outside` is nobody's business.
fn forge(value: &mut Value, dice: &mut Dice, outside: &Path) {
    let inside = match value {
        Value::Object(fields) if !fields.is_empty() => {
            let at = dice.below(fields.len());
            fields.values_mut().nth(at)
        }
        Value::Array(items) if !items.is_empty() => {
            let at = dice.below(items.len());
            items.get_mut(at)
        }
        _ => None,
    };
    if let Some(inside) = inside.filter(|_| dice.below(6) > 0) {
        return forge(inside, dice, outside);
    }
    *value = match dice.below(9) {
        // From the objects of an archive.
        0 => Value::from("../../../../outside"),
        1 => Value::from(outside.to_string_lossy()),
        2 => Value::from(u64::MAX),
        3 => Value::from(-1),
        4 => Value::Null,
        5 => Value::from("x".repeat(1 << 16)),
        6 => Value::Array(vec![value.clone(); 2]),
        7 => (0..100).fold(value.take(), |inner, _| Value::Array(vec![inner])),
        _ => Value::from(dice.next() % 300),
    };
}

pub(crate) async fn life_4_forged_records_reach_nothing_and_are_refused(
    cx: &Context,
    dir: &Path,
    mut dice: Dice,
) -> Verdict {
    let place = two_checkpoints(cx, dir).await?;
    let mut refused = 0;
    let tries = 4 * TRIES * if cx.long { 20 } else { 1 };
    for _ in 0..tries {
        let above = tempfile::tempdir()?;
        let (outside, beside) = (above.path().join("outside"), above.path().join("beside"));
        fs::write(&outside, "nobody's business")?;
        fs::create_dir(&beside)?;
        let folder = beside.join("archive");
        copy(&place.archive_dir(), &folder)?;
        ensure!(folder.join("life/objects/../../../../outside").exists(), "the forged name leads nowhere");
        let records = files(&folder.join("life/log"))?;
        let file = &records[dice.below(records.len())];
        let mut record: Value = serde_json::from_slice(&fs::read(file)?)?;
        forge(&mut record["entries"], &mut dice, &outside);
        let Value::Object(fields) = &mut record else { return Err(Failure::new("a record is no object")) };
        fields.remove("blake3");
        let rest = serde_json::to_string(&fields)?;
        let rest = &rest[1..];
        let hash = blake3::hash(rest.as_bytes()).to_hex();
        fs::write(file, format!("{{\"blake3\":\"{hash}\",{rest}"))?;

        let shown: String = record["entries"].to_string().chars().take(400).collect();
        let looked = async {
            let archive = place.archive_at(&folder).await?;
            for one in archive.list().await? {
                archive.show(Select::Id(one.id)).await?;
                archive.verify(Select::Id(one.id)).await?;
            }
            archive.prune(&Retention { keep_last: 1, keep_for: None }, None).await?;
            Ok::<_, Error>(archive)
        };
        let outcome = match looked.await {
            Ok(archive) => recovered(&place, &archive, 2).await?.map(drop),
            Err(e) => {
                refused += 1;
                Err(e)
            }
        };
        if let Err(e) = outcome {
            let typed = !matches!(e.kind(), ErrorKind::Internal | ErrorKind::Indeterminate);
            ensure!(typed && e.advice().is_some(), "{:?} without advice, or our own fault: {e}; {shown}", e.kind());
        }
        let left = [files(above.path())?, files(&beside)?].concat();
        ensure!(left == [beside, outside.clone(), folder], "the folders above the archive have {left:?}; {shown}");
        ensure!(fs::read(&outside)? == b"nobody's business", "a file outside the archive is another now; {shown}");
    }
    ensure!(refused > tries / 4, "only {refused} of {tries} forged records were refused");
    Ok(())
}
