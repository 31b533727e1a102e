//! `statehold-benches`: what `statehold bench` does not measure: memory, sizes, files, and whole programs.
#![allow(clippy::print_stdout, reason = "a bench prints its table")]

mod archives;
mod incremental;
mod large;
mod native;
mod sizes;
mod store;
mod wordcount;

use clap::{Parser, Subcommand};
use statehold::Result;

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
