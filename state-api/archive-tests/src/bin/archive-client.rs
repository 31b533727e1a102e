//! Writes or reads an archive, in a process of its own: what it needs of an object store is in its environment.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::process::ExitCode;

use statehold::{
    Descriptor, Model, RecoverFrom, Result, StateDescriptor, StateManager, StoreDescriptor,
    archive::{CheckpointId, Metadata, Select},
};

/// How many entries a checkpoint has.
const ENTRIES: u64 = 2_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (action, url) = (args.next().unwrap_or_default(), args.next().unwrap_or_default());
    let done = match action.as_str() {
        "write" => write(&url).await,
        "read" => read(&url).await,
        _ => return ExitCode::FAILURE,
    };
    if let Err(error) = done {
        println!("{:?}\n{error}\n{error:?}", error.kind());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn descriptor(url: &str) -> Descriptor {
    Descriptor::new("orders")
        .archive(url)
        .store("local", StoreDescriptor::new("memory"))
        .state("counts", StateDescriptor::new(Model::Kv))
        .state("carts", StateDescriptor::new(Model::Map))
}

/// Goes on from the latest checkpoint, and takes the next.
async fn write(url: &str) -> Result<()> {
    let manager = StateManager::builder(descriptor(url)).recover(RecoverFrom::LatestOrEmpty).open().await?;
    let id = manager.checkpoints()?.list().await?.len() as u64 + 1;
    let counts = manager.key_value::<String, u64>("counts").await?;
    for n in 0..ENTRIES {
        counts.put(format!("key {n}").as_str(), n * id).await?;
    }
    let carts = manager.key_map::<String, String, u32>("carts").await?;
    carts.put("ann", "pear", 3).await?;
    manager.archive(CheckpointId(id), &Metadata::new().with("offset", id)).await?;
    println!("wrote {id}");
    manager.close().await
}

/// Recovers and verifies the latest checkpoint.
async fn read(url: &str) -> Result<()> {
    let manager = StateManager::builder(descriptor(url)).recover(RecoverFrom::Latest).open().await?;
    let checkpoints = manager.checkpoints()?;
    let ids: Vec<u64> = checkpoints.list().await?.iter().map(|c| c.id.0).collect();
    let verified = checkpoints.verify(Select::Latest).await?;
    let counts = manager.key_value::<String, u64>("counts").await?;
    let last = counts.get(format!("key {}", ENTRIES - 1).as_str()).await?;
    println!("checkpoints {ids:?}, {} rows, the last {last:?}", verified.rows.unwrap_or_default());
    manager.close().await
}
