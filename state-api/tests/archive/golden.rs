//! Contract NAME-5: archives written in older formats are read.

use std::{fs, path::PathBuf};

use serde_json::Value;
use statehold::archive::{Archive, Select};

use crate::{
    shelf::{counts, everything},
    support::{checkpoint, groups, recover, resources},
};

/// The newest format.
const FORMAT: u32 = 2;

fn folder(format: u32) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/archive-{format}"))
}

async fn open(folder: &std::path::Path) -> Archive {
    Archive::open(&format!("file://{}", folder.display()), &"orders".parse().unwrap(), &resources()).await.unwrap()
}

/// A claim and a checkpoint of everything.
async fn write(folder: &std::path::Path) {
    let archive = open(folder).await;
    let claim = archive.claim(groups(), "golden", None).await.unwrap();
    checkpoint(&archive, &claim, 7, &everything()).await.unwrap();
}

#[tokio::test]
async fn name_5_the_golden_archives_are_read() {
    for format in 1..=FORMAT {
        let archive = open(&folder(format)).await;
        let verified = archive.verify(Select::Latest).await.unwrap();
        assert_eq!((verified.checkpoint.id.0, verified.rows), (7, Some(11)));
        let shelf = counts(3);
        let info = recover(&archive, Select::Latest, &shelf).await.unwrap();
        assert_eq!(shelf.content(), everything().content());
        assert_eq!(info.summary.metadata.get("offset").and_then(Value::as_u64), Some(7));
    }
}

#[tokio::test]
async fn name_5_a_record_written_today_has_the_golden_records_shape() {
    let fresh = tempfile::tempdir().unwrap();
    write(fresh.path()).await;
    for number in 1..=2 {
        let read = |folder: PathBuf| -> Value {
            let bytes = fs::read(folder.join(format!("orders/log/{number:020}.json"))).unwrap();
            serde_json::from_slice(&bytes).unwrap()
        };
        assert_eq!(shape(&read(fresh.path().into())), shape(&read(folder(FORMAT))), "change the format's number");
    }
}

/// Names and kinds, without the values.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(name, v)| (name.clone(), shape(v))).collect(),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::String(_) => "text".into(),
        Value::Number(_) => "number".into(),
        Value::Bool(_) => "bool".into(),
        Value::Null => Value::Null,
    }
}

#[tokio::test]
#[ignore = "writes the golden archive, once for each format"]
async fn write_golden() {
    assert!(!folder(FORMAT).exists(), "golden files never change");
    write(&folder(FORMAT)).await;
}
