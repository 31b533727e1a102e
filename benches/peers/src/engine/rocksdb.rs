//! RocksDB below OpenDAL.

use std::fs;

use opendal::{Operator, services};
use statehold_bench_kit::case::Open;
use statehold_core::{Error, Result};

use super::{Engine, Opened};
use crate::client::failed;

/// Opens the bench's folder. OpenDAL takes RocksDB's defaults and has no setting for memory or durability.
pub(super) fn open(open: &Open) -> Result<Opened> {
    let dir = &open.place.dir;
    let text = dir.to_str().ok_or_else(|| Error::invalid("OpenDAL takes only folders whose names are UTF-8"))?;
    let service = services::Rocksdb::default().datadir(text).root(&open.place.name);
    let operator = Operator::new(service).map_err(failed)?;
    // Default write options: into the log, which nothing syncs.
    let durability = "process".to_owned();
    Ok(Opened { operator, engine: Engine::RocksDb, durability, version: version(open).unwrap_or("RocksDB".to_owned()) })
}

/// RocksDB tells its version only in the file of options that it writes as it opens.
fn version(open: &Open) -> Option<String> {
    let mut files = fs::read_dir(&open.place.dir).ok()?.filter_map(|entry| entry.ok());
    let options = files.find(|entry| entry.file_name().to_string_lossy().starts_with("OPTIONS-"))?;
    let text = fs::read_to_string(options.path()).ok()?;
    let version = text.lines().find_map(|line| line.trim().strip_prefix("rocksdb_version="))?;
    Some(format!("RocksDB {version}"))
}
