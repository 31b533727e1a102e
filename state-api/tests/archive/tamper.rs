//! Contract LIFE-4: what was altered, cut short, lost or exchanged is `Corrupt`, and named.

use std::{fs, path::PathBuf};

use statehold::archive::{Archive, Select};
use statehold_core::{Cell, Error, ErrorKind};
use tempfile::TempDir;

use crate::{
    shelf::{counts, everything, sealed},
    support::{checkpoint, fresh, groups, id, recover, resources},
};

/// A file archive with checkpoints 1 and 2.
struct Victim {
    folder: TempDir,
}

impl Victim {
    async fn new() -> Self {
        let victim = Self { folder: tempfile::tempdir().unwrap() };
        let archive = victim.open("orders").await.unwrap();
        let claim = archive.claim(groups(), "test", None).await.unwrap();
        checkpoint(&archive, &claim, 1, &everything()).await.unwrap();
        checkpoint(&archive, &claim, 2, &counts(20)).await.unwrap();
        victim
    }

    async fn open(&self, namespace: &str) -> statehold_core::Result<Archive> {
        let url = format!("file://{}", self.folder.path().display());
        Archive::open(&url, &namespace.parse()?, &resources()).await
    }

    fn record(&self, number: u64) -> PathBuf {
        self.folder.path().join(format!("orders/log/{number:020}.json"))
    }

    /// The objects of checkpoint `id`.
    async fn objects(&self, of: u64) -> Vec<PathBuf> {
        let info = self.open("orders").await.unwrap().show(id(of)).await.unwrap();
        let objects = info.contents.iter().flat_map(|c| &c.objects);
        objects.map(|o| self.folder.path().join("orders/objects").join(&o.name)).collect()
    }

    /// Recover and verify fail alike, and the store keeps what it had.
    async fn corrupt(&self, select: Select) -> Error {
        let archive = self.open("orders").await.unwrap();
        let shelf = counts(3);
        let error = recover(&archive, select, &shelf).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert_eq!(shelf.content(), counts(3).content());
        let verified = archive.verify(select).await.unwrap_err();
        assert_eq!((verified.kind(), verified.subject()), (ErrorKind::Corrupt, error.subject()));
        error
    }
}

fn named(error: &Error, file: &std::path::Path) {
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(error.to_string().contains(name), "{error} does not name {name}");
    assert!(error.advice().is_some(), "{error}");
}

#[tokio::test]
async fn life_4_an_object_with_a_flipped_bit_is_corrupt() {
    let victim = Victim::new().await;
    let object = victim.objects(1).await.remove(0);
    let whole = fs::read(&object).unwrap();
    for at in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&object, bytes).unwrap();
        named(&victim.corrupt(id(1)).await, &object);
    }
    victim.open("orders").await.unwrap().verify(id(2)).await.unwrap();
}

#[tokio::test]
async fn life_4_an_object_cut_short_grown_or_lost_is_corrupt() {
    let victim = Victim::new().await;
    let object = victim.objects(1).await.remove(0);
    let whole = fs::read(&object).unwrap();
    for bytes in [&whole[..whole.len() - 1], &[], &[&whole[..], b"x"].concat()] {
        fs::write(&object, bytes).unwrap();
        named(&victim.corrupt(id(1)).await, &object);
    }
    fs::remove_file(&object).unwrap();
    named(&victim.corrupt(id(1)).await, &object);
}

#[tokio::test]
async fn life_4_exchanged_objects_are_corrupt() {
    let victim = Victim::new().await;
    let (one, two) = (victim.objects(1).await.remove(0), victim.objects(2).await.remove(0));
    let bytes = (fs::read(&one).unwrap(), fs::read(&two).unwrap());
    fs::write(&one, bytes.1).unwrap();
    fs::write(&two, bytes.0).unwrap();
    named(&victim.corrupt(id(1)).await, &one);
    named(&victim.corrupt(id(2)).await, &two);
}

#[tokio::test]
async fn life_4_a_record_altered_cut_short_or_lost_is_corrupt() {
    let victim = Victim::new().await;
    for number in 1..=2 {
        let record = victim.record(number);
        let whole = fs::read(&record).unwrap();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        for bytes in [&flipped[..], &whole[..whole.len() - 1], &[], b"{}"] {
            fs::write(&record, bytes).unwrap();
            let error = victim.open("orders").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            named(&error, &record);
        }
        fs::remove_file(&record).unwrap();
        let error = victim.open("orders").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        named(&error, &record);
        fs::write(&record, whole).unwrap();
    }
}

#[tokio::test]
async fn life_4_a_record_of_another_place_is_corrupt() {
    let victim = Victim::new().await;
    fs::create_dir_all(victim.folder.path().join("payments/log")).unwrap();
    fs::copy(victim.record(1), victim.folder.path().join("payments/log/00000000000000000001.json")).unwrap();
    assert_eq!(victim.open("payments").await.unwrap_err().kind(), ErrorKind::Corrupt);
    fs::copy(victim.record(3), victim.record(4)).unwrap();
    named(&victim.open("orders").await.unwrap_err(), &victim.record(4));
}

#[tokio::test]
async fn files_that_are_no_records_are_left_alone() {
    let victim = Victim::new().await;
    fs::write(victim.folder.path().join("orders/log/README"), "hands off").unwrap();
    fs::write(victim.record(4).with_extension("json#1"), "half").unwrap();
    let archive = victim.open("orders").await.unwrap();
    archive.verify(Select::Latest).await.unwrap();
    archive.claim(groups(), "test", None).await.unwrap();
}

#[tokio::test]
async fn own_6_verify_finds_a_value_that_was_damaged_before_it_was_archived() {
    let (archive, claim) = fresh().await;
    let shelf = counts(3);
    shelf.put_cell("counts", b"pear", b"", Cell::new(sealed("counts", b"apple", b"", None, b"1")));
    checkpoint(&archive, &claim, 1, &shelf).await.unwrap();
    let error = archive.verify(id(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.state(), error.subject()), (ErrorKind::Corrupt, Some("counts"), Some("pear")));
}

/// A record with other content and the right hash for it.
fn forge(record: &std::path::Path, change: impl Fn(&str) -> String) {
    let text = fs::read_to_string(record).unwrap();
    let (head, rest) = text.split_once(r#"","#).unwrap();
    let head = &head[..head.rfind('"').unwrap()];
    let rest = change(rest);
    fs::write(record, format!("{head}\"{}\",{rest}", blake3::hash(rest.as_bytes()))).unwrap();
}

#[tokio::test]
async fn life_4_a_forged_record_reaches_nothing_outside_the_archive() {
    let victim = Victim::new().await;
    let record = victim.record(3);
    let object = victim.objects(2).await.remove(0);
    let name = object.file_name().unwrap().to_str().unwrap();
    for other in ["../../../etc/passwd", "/etc/passwd", "..", ""] {
        let whole = fs::read(&record).unwrap();
        forge(&record, |rest| rest.replace(name, other));
        let error = victim.open("orders").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{other}: {error}");
        named(&error, &record);
        fs::write(&record, whole).unwrap();
    }
    forge(&record, |rest| rest.replace(r#""rows":20"#, r#""rows":18446744073709551615"#));
    assert_eq!(victim.corrupt(id(2)).await.kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn name_5_a_record_of_a_newer_format_is_refused_and_named() {
    let victim = Victim::new().await;
    forge(&victim.record(2), |rest| rest.replace(r#""format":2"#, r#""format":3"#));
    let error = victim.open("orders").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    named(&error, &victim.record(2));
}
