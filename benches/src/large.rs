//! Memory under a great state: load, scan, archive and recover, watching the peak.

use bytes::Bytes;
use comfy_table::{Table, presets::NOTHING};
use futures::{StreamExt, pin_mut};
use statehold::{
    Error, MemoryDescriptor, Result, ScanOrder, StateManager, ValueType,
    archive::{CheckpointId, Metadata},
};
use statehold_bench_kit::input::Values;

use crate::{scratch, store};

/// What may be used beyond the budget: 64 MiB.
const ALLOWANCE: u64 = 64 << 20;

/// Resident memory: its peak since the last call, in bytes (Linux).
fn peak() -> Result<u64> {
    let unreadable = |e: std::io::Error| Error::unsupported("/proc/self cannot be read here").because(e);
    let status = std::fs::read_to_string("/proc/self/status").map_err(unreadable)?;
    // 5 resets the peak: proc(5), clear_refs.
    std::fs::write("/proc/self/clear_refs", "5").map_err(unreadable)?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or_default();
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().unwrap_or_default();
    Ok(kib << 10)
}

/// Runs with `n` entries of 100 bytes under a budget of `engine` bytes and small buffers.
pub(crate) async fn run(n: u64, engine: usize) -> Result<()> {
    let folder = scratch()?;
    let memory = MemoryDescriptor { engine, write_buffer: 16 << 20, cache: 16 << 20 };
    let budget = (memory.engine + memory.write_buffer + memory.cache) as u64;
    let base = peak()?;
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(["step", "entries", "seconds", "peak MiB over start", "budget + 64 MiB"]);
    let manager = StateManager::builder(store::descriptor("rocksdb", folder.path(), memory)).open().await?;
    let state = manager.key_value_of::<u64, Bytes>("values", ValueType::bytes()).await?;
    let values = Values::new(100);
    let mut step = |name: &str, begun: std::time::Instant| -> Result<()> {
        let over = peak()?.saturating_sub(base);
        let verdict = if over <= budget + ALLOWANCE { "within" } else { "OVER" };
        let seconds = format!("{:.1}", begun.elapsed().as_secs_f64());
        table.add_row([name.to_owned(), n.to_string(), seconds, (over >> 20).to_string(), verdict.to_owned()]);
        Ok(())
    };

    let begun = std::time::Instant::now();
    for key in 0..n {
        state.put(&key, values.of(key, 0)).await?;
    }
    manager.finish().await?;
    step("load", begun)?;
    for (name, order) in [("scan by group", ScanOrder::Group), ("scan by key", ScanOrder::Key)] {
        let begun = std::time::Instant::now();
        let keys = state.keys(order);
        pin_mut!(keys);
        let mut count = 0_u64;
        while let Some(key) = keys.next().await {
            key?;
            count += 1;
        }
        if count != n {
            return Err(Error::corrupt(format!("a scan yielded {count} of {n} keys")));
        }
        step(name, begun)?;
    }
    let begun = std::time::Instant::now();
    manager.archive(CheckpointId(1), &Metadata::new()).await?;
    step("archive", begun)?;
    let begun = std::time::Instant::now();
    manager.recover(CheckpointId(1)).await?;
    step("recover", begun)?;
    let state = manager.key_value_of::<u64, Bytes>("values", ValueType::bytes()).await?;
    let begun = std::time::Instant::now();
    if state.count().await?.value() != n {
        return Err(Error::corrupt("the recovered state has another count"));
    }
    step("count after recover", begun)?;
    println!("{table}\nbudget: {} MiB", budget >> 20);
    manager.close().await
}
