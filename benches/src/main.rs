//! `statehold-benches`: the streaming-state workload, and ratios against raw drivers in one run.
#![allow(clippy::print_stdout, reason = "a bench prints its table")]

mod archives;
mod incremental;
mod large;
mod native;
mod ratio;
mod raw_rocksdb;
mod rows;
mod sizes;
mod streaming;
mod wordcount;

use clap::{Parser, Subcommand};
use statehold::{MemoryDescriptor, Result, StateManager};

use crate::rows::Rows;

/// RocksDB's too. The system's keeps, of blocks that are made and freed on different threads, several times what is in
/// use.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Benches of statehold.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// The streaming-state workload over the typed API, buffer and cache on.
    Streaming {
        /// Keys.
        #[arg(long, default_value_t = 1_000_000)]
        n: u64,
        /// The engine.
        #[arg(long, default_value = "rocksdb")]
        kind: String,
        /// Which rows: value, map, list.
        #[arg(long, value_delimiter = ',', default_value = "value,map,list")]
        parts: Vec<String>,
    },
    /// Typed operations with buffer and cache off against the engine's raw driver writing the same bytes.
    Ratio {
        /// The engine: rocksdb, redis or postgres; of the two latter a private server is started.
        #[arg(long, default_value = "rocksdb")]
        kind: String,
        /// Keys.
        #[arg(long, default_value_t = 300_000)]
        n: u64,
        /// Interleaved repetitions; the median counts.
        #[arg(long, default_value_t = 5)]
        repeat: usize,
    },
    /// Memory while a great state is loaded, scanned, archived and recovered.
    Large {
        /// Entries.
        #[arg(long, default_value_t = 10_000_000)]
        n: u64,
        /// The engine's memory, in MiB.
        #[arg(long, default_value_t = 128)]
        engine: usize,
    },
    /// Native cuts, recovery and rescale at RocksDB's own door.
    Native {
        /// Keys.
        #[arg(long, default_value_t = 1_000_000)]
        n: u64,
    },
    /// What native checkpoints store anew when 1 % changes between them.
    Incremental {
        /// Keys.
        #[arg(long, default_value_t = 1_000_000)]
        n: u64,
        /// Checkpoints in a row.
        #[arg(long, default_value_t = 24)]
        rounds: u64,
    },
    /// Checkpoints and recovery through an archive, against RocksDB's own checkpoints and fsynced copies.
    Archives {
        /// Keys.
        #[arg(long, default_value_t = 1_000_000)]
        n: u64,
        /// Repetitions; the median counts.
        #[arg(long, default_value_t = 3)]
        repeat: usize,
        /// Where the archive lies: on another file system its files are copied, on the store's they are linked.
        #[arg(long)]
        archive: Option<std::path::PathBuf>,
    },
    /// What an entry costs in a server's memory or on its disk.
    Sizes {
        /// redis or postgres; a private server is started.
        #[arg(long, default_value = "redis")]
        kind: String,
        /// Entries of each model.
        #[arg(long, default_value_t = 200_000)]
        n: u64,
    },
    /// `statehold quickstart` against the same counts in plain HashMaps.
    Wordcount {
        /// Size of the text, in MB.
        #[arg(long, default_value_t = 100)]
        megabytes: usize,
        /// Repetitions in turn; the median counts.
        #[arg(long, default_value_t = 3)]
        repeat: usize,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    match Arguments::parse().bench {
        Bench::Streaming { n, kind, parts } => streaming_rows(n, &kind, &parts).await,
        Bench::Ratio { kind, n, repeat } => ratio::run(&kind, n, repeat).await,
        Bench::Large { n, engine } => large::run(n, engine << 20).await,
        Bench::Native { n } => native::run(n).await,
        Bench::Incremental { n, rounds } => incremental::run(n, rounds).await,
        Bench::Archives { n, repeat, archive } => archives::run(n, repeat, archive).await,
        Bench::Sizes { kind, n } => sizes::run(&kind, n).await,
        Bench::Wordcount { megabytes, repeat } => wordcount::run(megabytes, repeat),
    }
}

fn scratch() -> Result<tempfile::TempDir> {
    tempfile::tempdir().map_err(|e| statehold::Error::invalid("no temporary folder").because(e))
}

async fn streaming_rows(n: u64, kind: &str, parts: &[String]) -> Result<()> {
    let memory = MemoryDescriptor { engine: 256 << 20, write_buffer: 64 << 20, cache: streaming::MEMORY - (320 << 20) };
    for (size, shown) in [(n / 10, false), (n / 10, false), (n, true)] {
        let mut rows = Rows::default();
        for part in parts {
            let folder = scratch()?;
            let manager =
                StateManager::builder(streaming::descriptor(kind, folder.path(), memory.clone())).open().await?;
            match part.as_str() {
                "map" => streaming::maps(&manager, size, &mut rows).await?,
                "list" => streaming::lists(&manager, size, &mut rows).await?,
                _ => streaming::values(&manager, size, &mut rows).await?,
            }
            manager.close().await?;
        }
        if shown {
            let expected = if n == 1_000_000 { streaming::CHECKSUMS } else { &[] };
            println!("{}", rows.table(expected));
        }
    }
    Ok(())
}
