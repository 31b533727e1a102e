//! Checkpoints, recovery and rescale of a RocksDB store through its archive, beside what RocksDB's own checkpoint and
//! an fsynced copy of its new files cost on the same data in the same run.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bytes::Bytes;
use comfy_table::{Table, presets::NOTHING};
use statehold::{
    Descriptor, Error, KeyValueState, MemoryDescriptor, RecoverFrom, Result, StateManager, ValueType,
    archive::{CheckpointForm, CheckpointId, Metadata},
};
use statehold_bench_kit::input::{Values, permutation, uniform};
use statehold_benches::{
    raw::{Copies, RawRocks, disk},
    report::Spread,
};

use crate::{scratch, store};

const MEMORY: MemoryDescriptor = MemoryDescriptor { engine: 256 << 20, write_buffer: 64 << 20, cache: 0 };
/// Rows in one raw batch.
const BATCH: usize = 1_000;

/// What is measured, and at most how many times what stands beside it.
const ROWS: [(&str, &str, f64); 8] = [
    ("ckpt1_base", "raw checkpoint, new files copied", 1.2),
    ("ckpt2_after_10pct_updates", "raw checkpoint, new files copied", 1.2),
    ("ckpt3_after_1pct_updates", "raw checkpoint, new files copied", 1.2),
    ("longest put beside a checkpoint", "flush of a full buffer", 1.0),
    ("restore_ckpt3", "copied, hashed, opened", 1.3),
    ("savepoint_canonical", "raw checkpoint, all files copied", f64::INFINITY),
    ("restore_savepoint", "restore_ckpt3", 2.0),
    ("ckpt_after_restore", "raw checkpoint, no new file", 1.2),
];

type Times = Vec<(Duration, Duration)>;

async fn timed<T>(work: impl Future<Output = Result<T>>) -> Result<(Duration, T)> {
    let begun = Instant::now();
    let done = work.await?;
    Ok((begun.elapsed(), done))
}

/// A raw database and the copies of its checkpoints.
struct Raw {
    db: RawRocks,
    copies: Copies,
    cuts: u64,
}

impl Raw {
    fn open(folder: &Path, copies: &Path) -> Result<Self> {
        let db = RawRocks::open(&folder.join("db"), MEMORY.engine, false)?;
        Ok(Self { db, copies: Copies::new(folder, copies)?, cuts: 0 })
    }

    fn put(&self, keys: &[u64], values: &Values, version: u64) -> Result<()> {
        keys.chunks(BATCH).try_for_each(|keys| self.db.write(keys.iter().map(|key| (*key, values.of(*key, version)))))
    }

    fn checkpoint(&mut self, whole: bool) -> Result<Duration> {
        let begun = Instant::now();
        self.cuts += 1;
        self.copies.checkpoint(&self.db, self.cuts, whole)?;
        Ok(begun.elapsed())
    }

    fn restore(&self) -> Result<Duration> {
        let begun = Instant::now();
        drop(self.copies.restore(self.cuts, MEMORY.engine, false)?);
        Ok(begun.elapsed())
    }
}

fn descriptor(store: &Path, archive: &Path, form: CheckpointForm) -> Descriptor {
    let url = format!("file://{}", archive.display());
    store::descriptor("rocksdb", store, MEMORY).archive(&url).checkpoint_form(form)
}

async fn open(descriptor: Descriptor, from: RecoverFrom) -> Result<StateManager> {
    StateManager::builder(descriptor).recover(from).open().await
}

async fn state(manager: &StateManager) -> Result<KeyValueState<u64, Bytes>> {
    manager.key_value_of("values", ValueType::bytes()).await
}

async fn put(state: &KeyValueState<u64, Bytes>, keys: &[u64], values: &Values, version: u64) -> Result<()> {
    for key in keys {
        state.put(key, values.of(*key, version)).await?;
    }
    Ok(())
}

/// The longest put of a writer beside a checkpoint.
async fn longest_put(manager: &StateManager, id: u64, keys: &[u64], values: &Values) -> Result<Duration> {
    let kv = state(manager).await?;
    let metadata = Metadata::new();
    let take = manager.archive(CheckpointId(id), &metadata);
    let mut longest = Duration::ZERO;
    let write = async {
        for key in keys.iter().cycle() {
            let begun = Instant::now();
            kv.put(key, values.of(*key, 5)).await?;
            longest = longest.max(begun.elapsed());
            tokio::task::yield_now().await;
        }
        Ok::<(), Error>(())
    };
    tokio::select! {
        taken = take => taken.map(drop)?,
        failed = write => failed?,
    }
    Ok(longest)
}

/// All rows once, in fresh folders; the archive lies in `archives`.
async fn round(n: u64, archives: &Path) -> Result<Times> {
    let folder = scratch()?;
    let archives = tempfile::tempdir_in(archives).map_err(disk)?;
    let (store, archive) = (folder.path().join("typed"), archives.path().join("archive"));
    let mut raw = Raw::open(&folder.path().join("raw"), &archives.path().join("raw"))?;
    let values = Values::new(100);
    let (order, updates) = (permutation(n), uniform(n, (n / 10) as usize, 21));
    let few = updates.get(..(n / 100) as usize).unwrap_or_default();
    let manager = open(descriptor(&store, &archive, CheckpointForm::Native), RecoverFrom::AsLeft).await?;
    let kv = state(&manager).await?;
    let mut times = Times::new();
    for (id, keys, version) in [(1, &order[..], 0), (2, &updates, 3), (3, few, 4)] {
        put(&kv, keys, &values, version).await?;
        raw.put(keys, &values, version)?;
        // The raw side has no buffer: what ours costs to flush is a row of its own.
        manager.finish().await?;
        let (took, _) = timed(manager.archive(CheckpointId(id), &Metadata::new())).await?;
        times.push((took, raw.checkpoint(false)?));
    }
    manager.close().await?;
    drop(kv);

    // Before anything else is written: what is restored is compared with the raw files of now.
    let from = |id| RecoverFrom::Id(CheckpointId(id));
    let again = |name: &str, form| descriptor(&folder.path().join(name), &archive, form);
    let (native, manager) = timed(open(again("native", CheckpointForm::Native), from(3))).await?;
    let restored = (native, raw.restore()?);
    let (took, _) = timed(manager.archive(CheckpointId(4), &Metadata::new())).await?;
    let after = (took, raw.checkpoint(false)?);

    // A full buffer's flush, and puts beside a checkpoint that has as much to flush.
    let kv = state(&manager).await?;
    let full = order.get(..order.len().min(MEMORY.write_buffer / 512)).unwrap_or_default();
    put(&kv, full, &values, 5).await?;
    let (flush, _) = timed(manager.finish()).await?;
    put(&kv, full, &values, 6).await?;
    let longest = longest_put(&manager, 5, full, &values).await?;
    manager.close().await?;

    let manager = open(again("native", CheckpointForm::Portable), RecoverFrom::AsLeft).await?;
    let (took, _) = timed(manager.archive(CheckpointId(6), &Metadata::new())).await?;
    let savepoint = (took, raw.checkpoint(true)?);
    manager.close().await?;
    let (portable, manager) = timed(open(again("portable", CheckpointForm::Portable), from(6))).await?;
    let found = state(&manager).await?.count().await?.value();
    if found != n {
        return Err(Error::internal(format!("{found} entries of {n} were restored")));
    }
    manager.close().await?;
    times.extend([(longest, flush), restored, savepoint, (portable, native), after]);
    Ok(times)
}

/// Measures `repeat` rounds of `n` keys, with the archive in `archives` or beside the store.
pub(crate) async fn run(n: u64, repeat: usize, archives: Option<PathBuf>) -> Result<()> {
    let archives = archives.unwrap_or_else(std::env::temp_dir);
    let mut rounds = Vec::new();
    for _ in 0..repeat {
        rounds.push(round(n, &archives).await?);
    }
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(["row", "ms", "beside it", "ms", "times", "at most"]);
    for (at, (name, beside, most)) in ROWS.iter().enumerate() {
        let of = |side: fn(&(Duration, Duration)) -> Duration| {
            let pairs = rounds.iter().filter_map(|times| times.get(at));
            Spread::of(pairs.map(|pair| side(pair).as_secs_f64() * 1e3).collect()).median
        };
        let (ours, theirs) = (of(|pair| pair.0), of(|pair| pair.1));
        let times = ours / theirs;
        let verdict = match most {
            most if most.is_infinite() => String::new(),
            most if times <= *most => format!("{most} met"),
            most => format!("{most} MISSED"),
        };
        table.add_row([
            (*name).to_owned(),
            format!("{ours:.1}"),
            (*beside).to_owned(),
            format!("{theirs:.1}"),
            format!("{times:.2}"),
            verdict,
        ]);
    }
    println!("{n} keys, archive in {}, median of {repeat}\n{table}", archives.display());
    Ok(())
}
