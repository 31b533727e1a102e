//! Native cuts, recovery and rescale of one RocksDB store, without the archive around them; and what a sorted
//! rewrite of half the rows costs in the same run.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use rocksdb::{DB, IngestExternalFileOptions, IteratorMode, Options as DbOptions, SstFileWriter};
use statehold_core::{
    Address, Backend, Batch, BlockingPool, Cell, Durability, Error, KeyGroup, KeyGroups, KeyShape, Limits, Millis,
    Model, Mutation, Name, OpenRequest, Options, Ownership, Resources, Result, ScanRequest, StateId, StateSpec, Store,
    Unclean, collect,
};
use statehold_rocksdb::RocksDbBackend;

use statehold_bench_kit::input::{Values, permutation, uniform};
use statehold_benches::raw::disk;

pub(crate) const GROUPS: u16 = 128;

#[derive(Debug)]
struct Threads;

impl BlockingPool for Threads {
    fn spawn(&self, job: Box<dyn FnOnce() + Send>) {
        std::thread::spawn(job);
    }
}

/// A cut's files, as an archive on the same disk has them.
struct Kept {
    groups: KeyGroups,
    now: Millis,
    incarnation: u32,
    dir: PathBuf,
    bytes: u64,
}

fn raw(e: rocksdb::Error) -> Error {
    Error::internal("raw RocksDB failed").because(e)
}

pub(crate) async fn open(dir: &Path, groups: KeyGroups) -> Result<Arc<dyn Store>> {
    let request = OpenRequest {
        store: "bench".into(),
        namespace: Name::new("bench")?,
        groups,
        ownership: Ownership::Exclusive,
        durability: Durability::Visible,
        limits: Limits::default(),
        unclean: Unclean::Refuse,
        options: Options::new().with("path", dir.display().to_string()),
        resources: Resources::new(Arc::new(Threads)).with_memory(512 << 20),
    };
    RocksDbBackend::new().open(request).await
}

pub(crate) async fn put(store: &dyn Store, state: StateId, keys: &[u64], values: &Values, version: u64) -> Result<()> {
    for keys in keys.chunks(1000) {
        let mutations = keys.iter().map(|&k| {
            let key = Bytes::copy_from_slice(&k.to_be_bytes());
            let at = Address { group: KeyGroup::of(&key, GROUPS), state, key, sub: Bytes::new() };
            Mutation::Put(at, Cell::new(values.of(k, version)))
        });
        let mut batch = Batch { mutations: mutations.collect(), ..Batch::default() };
        batch.sort();
        batch.mutations.dedup_by(|a, b| a.at() == b.at());
        store.commit(batch).finish().await?;
    }
    Ok(())
}

pub(crate) fn door(store: &dyn Store) -> Result<&dyn statehold_core::NativeArchive> {
    store.native().ok_or_else(|| Error::unsupported("no native archives"))
}

/// Takes a cut and links its files; says how long the cut took and how many bytes no cut before had.
async fn keep(name: &str, store: &dyn Store, dir: &Path, before: &[&Kept]) -> Result<Kept> {
    let began = Instant::now();
    let cut = door(store)?.cut().await?;
    let took = began.elapsed();
    let dir = dir.join(name);
    fs::create_dir(&dir).map_err(disk)?;
    let (mut bytes, mut fresh) = (0, 0);
    for file in cut.files() {
        fs::hard_link(&file.path, dir.join(&file.name)).map_err(disk)?;
        bytes += file.bytes;
        if !before.iter().any(|before| file.stable && same(&before.dir, &file.path)) {
            fresh += file.bytes;
        }
    }
    println!("{name:<36} {:>8.0} ms {:>8.1} MB, new {:>6.1} MB", ms(took), mb(bytes), mb(fresh));
    Ok(Kept { groups: store.groups(), now: cut.now(), incarnation: cut.incarnation(), dir, bytes })
}

/// Whether `dir` has a file with these bytes, under whatever name.
fn same(dir: &Path, file: &Path) -> bool {
    let Ok(wanted) = fs::read(file) else { return false };
    let Ok(entries) = fs::read_dir(dir) else { return false };
    entries.flatten().any(|entry| {
        entry.metadata().is_ok_and(|m| m.len() == wanted.len() as u64)
            && fs::read(entry.path()).is_ok_and(|bytes| bytes == wanted)
    })
}

fn ms(took: std::time::Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

pub(crate) fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Recovers a store of `groups` in an empty directory.
async fn recover(name: &str, dir: &Path, groups: KeyGroups, parts: &[&Kept]) -> Result<Arc<dyn Store>> {
    let store = open(&dir.join(format!("{name}.store")), groups).await?;
    let began = Instant::now();
    let mut loader = door(&*store)?.loader(groups).await?;
    for part in parts {
        let folder = loader.part(part.groups, part.now, part.incarnation)?;
        for entry in fs::read_dir(&part.dir).map_err(disk)? {
            let entry = entry.map_err(disk)?;
            fs::hard_link(entry.path(), folder.join(entry.file_name())).map_err(disk)?;
        }
    }
    loader.publish().await?;
    println!("{name:<36} {:>8.0} ms {:>8.1} MB", ms(began.elapsed()), mb(parts.iter().map(|p| p.bytes).sum()));
    Ok(store)
}

async fn count(store: &dyn Store) -> Result<usize> {
    let mut count = 0;
    for (state, _) in store.states().await? {
        for group in store.groups().iter() {
            count += collect(store, ScanRequest::all(state, group)).await?.len();
        }
    }
    Ok(count)
}

/// The rows of `groups` read in order, written as sorted files and ingested by an empty database.
fn sorted_rewrite(dir: &Path, part: &Kept, groups: KeyGroups) -> Result<()> {
    let began = Instant::now();
    let mut options = DbOptions::default();
    options.create_if_missing(true);
    options.set_compression_type(rocksdb::DBCompressionType::Lz4);
    let old = DB::open_for_read_only(&options, &part.dir, false).map_err(raw)?;
    let fresh = DB::open(&options, dir.join("rewritten")).map_err(raw)?;
    let mut writer = SstFileWriter::create(&options);
    let file = dir.join("rewritten.sst");
    writer.open(&file).map_err(raw)?;
    let (from, to) = (groups.range().start.to_be_bytes(), groups.range().end.to_be_bytes());
    for row in old.iterator(IteratorMode::From(&from, rocksdb::Direction::Forward)) {
        let (key, value) = row.map_err(raw)?;
        if key[..] >= to[..] {
            break;
        }
        writer.put(key, value).map_err(raw)?;
    }
    writer.finish().map_err(raw)?;
    let mut ingest = IngestExternalFileOptions::default();
    ingest.set_move_files(true);
    fresh.ingest_external_file_opts(&ingest, vec![&file]).map_err(raw)?;
    println!("{:<36} {:>8.0} ms", "raw: half, sorted rewrite + ingest", ms(began.elapsed()));
    Ok(())
}

/// The checkpoint and rescale rows of the streaming workload, at the engine's door.
pub(crate) async fn run(n: u64) -> Result<()> {
    let scratch = crate::scratch()?;
    let dir = scratch.path();
    let range = |start, end| KeyGroups::new(start..end, GROUPS);
    let values = Values::new(100);
    let store = open(&dir.join("store"), range(0, GROUPS)?).await?;
    let spec = StateSpec { key_shape: KeyShape::Fixed(8), ..StateSpec::bytes("values", Model::Kv)? };
    let state = store.register(&spec).await?;
    put(&*store, state, &permutation(n), &values, 0).await?;
    let first = keep("ckpt1_base", &*store, dir, &[]).await?;
    let updates = uniform(n, n as usize / 10, 21);
    put(&*store, state, &updates, &values, 3).await?;
    let second = keep("ckpt2_after_10pct_updates", &*store, dir, &[&first]).await?;
    put(&*store, state, &updates[..updates.len() / 10], &values, 4).await?;
    let third = keep("ckpt3_after_1pct_updates", &*store, dir, &[&second]).await?;

    // Compactions that go on would be measured too.
    store.close().await?;

    let restored = recover("restore_ckpt3", dir, range(0, GROUPS)?, &[&third]).await?;
    keep("ckpt after restore", &*restored, dir, &[&third]).await?;
    restored.close().await?;
    let mut halves = Vec::new();
    for (name, groups) in [("low", range(0, 64)?), ("high", range(64, GROUPS)?)] {
        let half = recover(&format!("rescale_out_1to2 {name}"), dir, groups, &[&third]).await?;
        halves.push(keep(&format!("ckpt of the {name} half"), &*half, dir, &[&third]).await?);
        half.close().await?;
    }
    let joined = recover("rescale_in_2to1", dir, range(0, GROUPS)?, &[&halves[0], &halves[1]]).await?;
    keep("ckpt after rescale_in", &*joined, dir, &[&halves[0], &halves[1]]).await?;
    sorted_rewrite(dir, &third, range(0, 64)?)?;
    println!("{} entries of {} are there in the end", count(&*joined).await?, n);
    Ok(())
}
