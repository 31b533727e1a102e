//! How many bytes an entry takes in RocksDB and in a checkpoint: the numbers of `docs/src/backends/rocksdb.md`.
//!
//! ```sh
//! cargo run -p statehold --features rocksdb --example bytes_per_entry
//! ```

use std::{fs, path::Path};

use statehold::{
    Descriptor, Model, Result, StateDescriptor, StateManager, StoreDescriptor, ValueType,
    archive::{CheckpointId, Metadata},
};

/// Entries of each kind.
const ENTRIES: u64 = 1_000_000;
/// Entries of one key, in maps and lists.
const EACH: u64 = 100;

/// Bytes that do not compress, the same for the same number.
fn noise(number: u64, bytes: usize) -> Vec<u8> {
    let mut state = number;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

fn size(folder: &Path, end: &str) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size(&entry.path(), end),
        Ok(meta) if entry.path().to_string_lossy().ends_with(end) => meta.len(),
        _ => 0,
    });
    sizes.sum()
}

/// Runs `fill` on a manager of its own, and prints what an entry of it takes.
async fn measure(
    what: &str,
    payload: u64,
    state: StateDescriptor,
    fill: impl AsyncFnOnce(&StateManager) -> Result<()>,
) -> Result<()> {
    let folder = tempfile::tempdir().map_err(|e| statehold::Error::internal("no temporary folder").because(e))?;
    let shown = folder.path().display();
    let descriptor = Descriptor::new("sizes")
        .archive(&format!("file://{shown}/archive"))
        .store("local", StoreDescriptor::new("rocksdb").option("path", format!("{shown}/data")))
        .state("state", state);
    let manager = StateManager::builder(descriptor).open().await?;
    fill(&manager).await?;
    manager.finish().await?;
    manager.compact().await?;
    let checkpoint = manager.archive(CheckpointId(1), &Metadata::new()).await?;
    manager.close().await?;
    let per_entry = |bytes: u64| bytes as f64 / ENTRIES as f64;
    #[allow(clippy::print_stdout, reason = "this is what it is for")]
    {
        println!(
            "| {what} | {payload} | {:.1} | {:.1} |",
            per_entry(size(&folder.path().join("data"), ".sst")),
            per_entry(checkpoint.summary.new_bytes)
        );
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let kv = || StateDescriptor::new(Model::Kv).codec("bytes");
    for bytes in [8, 100, 1000] {
        let plain = async |manager: &StateManager| {
            let state = manager.key_value_of::<u64, _>("state", ValueType::bytes()).await?;
            for key in 0..ENTRIES {
                state.put(&key, noise(key, bytes).into()).await?;
            }
            Ok(())
        };
        measure(&format!("KV, `u64` → {bytes} bytes"), 8 + bytes as u64, kv(), plain).await?;
        if bytes == 100 {
            measure("the same with `ttl`", 108, kv().ttl(86_400_000), plain).await?;
            measure("the same with `revisions`", 108, kv().revisions(), plain).await?;
        }
    }
    let map = StateDescriptor::new(Model::Map).codec("bytes");
    let fill = async |manager: &StateManager| {
        let state = manager.key_map_of::<u64, u64, _>("state", ValueType::bytes()).await?;
        for entry in 0..ENTRIES {
            state.put(&(entry / EACH), &(entry % EACH), noise(entry, 8).into()).await?;
        }
        Ok(())
    };
    measure(&format!("map, {EACH} of `u64` → 8 bytes a key"), 24, map, fill).await?;
    let list = StateDescriptor::new(Model::List).codec("bytes");
    let fill = async |manager: &StateManager| {
        let state = manager.key_list_of::<u64, _>("state", ValueType::bytes()).await?;
        for element in 0..ENTRIES {
            state.append(&(element % (ENTRIES / EACH)), noise(element, 8).into()).await?;
        }
        Ok(())
    };
    measure(&format!("list, {EACH} of 8 bytes a key"), 16, list, fill).await
}
