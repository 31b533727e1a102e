//! [`Usage`]: what this process has used, as the kernel and the allocator count it.

use std::fs;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// What a process used. What cannot be told here is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time of all threads, in nanoseconds.
    pub cpu_nanos: u64,
    /// Bytes that were read from disks (Linux).
    pub read_bytes: Option<u64>,
    /// Bytes that were sent to disks (Linux).
    pub write_bytes: Option<u64>,
    /// Requests to the allocator, the engine's in this process included; jemalloc's count, which is exact only without
    /// its threads' caches.
    pub allocations: Option<u64>,
    /// The greatest resident memory, in bytes (Linux).
    pub peak_bytes: Option<u64>,
}

impl Usage {
    /// What was used so far. The peak is that since the last call of [`Usage::reset_peak`].
    #[must_use]
    pub fn now() -> Self {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let io = fs::read_to_string("/proc/self/io").ok();
        let of = |name: &str| number(io.as_deref()?, name);
        Self {
            cpu_nanos: cpu.tv_sec.unsigned_abs() * 1_000_000_000 + cpu.tv_nsec.unsigned_abs(),
            read_bytes: of("read_bytes:"),
            write_bytes: of("write_bytes:"),
            allocations: allocations(),
            peak_bytes: fs::read_to_string("/proc/self/status")
                .ok()
                .and_then(|s| number(&s, "VmHWM:"))
                .map(|k| k << 10),
        }
    }

    /// Makes the peak what is resident now. Where that cannot be, the peak stays the process's.
    pub fn reset_peak() {
        // 5 resets the peak: proc(5), clear_refs.
        let _ = fs::write("/proc/self/clear_refs", "5");
    }

    /// What was used since `before`; the peak is this one's.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let less = |a: Option<u64>, b: Option<u64>| Some(a?.saturating_sub(b?));
        Self {
            cpu_nanos: self.cpu_nanos.saturating_sub(before.cpu_nanos),
            read_bytes: less(self.read_bytes, before.read_bytes),
            write_bytes: less(self.write_bytes, before.write_bytes),
            allocations: less(self.allocations, before.allocations),
            peak_bytes: self.peak_bytes,
        }
    }

    /// Both one after the other.
    #[must_use]
    pub fn and(&self, more: &Self) -> Self {
        let sum = |a: Option<u64>, b: Option<u64>| Some(a? + b?);
        Self {
            cpu_nanos: self.cpu_nanos + more.cpu_nanos,
            read_bytes: sum(self.read_bytes, more.read_bytes),
            write_bytes: sum(self.write_bytes, more.write_bytes),
            allocations: sum(self.allocations, more.allocations),
            peak_bytes: self.peak_bytes.max(more.peak_bytes),
        }
    }
}

fn number(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The part of jemalloc's report that counts.
#[derive(Deserialize)]
struct Report {
    jemalloc: Jemalloc,
}

#[derive(Deserialize)]
struct Jemalloc {
    #[serde(rename = "stats.arenas")]
    arenas: Arenas,
}

#[derive(Deserialize)]
struct Arenas {
    merged: Merged,
}

#[derive(Deserialize)]
struct Merged {
    small: Requests,
    large: Requests,
}

#[derive(Deserialize)]
struct Requests {
    nrequests: Option<u64>,
}

fn allocations() -> Option<u64> {
    use tikv_jemalloc_ctl::{epoch, stats_print};
    epoch::advance().ok()?;
    let mut options = stats_print::Options::default();
    options.json_format = true;
    options.skip_constants = true;
    options.skip_per_arena = true;
    options.skip_bin_size_classes = true;
    options.skip_large_size_classes = true;
    options.skip_mutex_statistics = true;
    let mut text = Vec::new();
    stats_print::stats_print(&mut text, options).ok()?;
    let Merged { small, large } = serde_json::from_slice::<Report>(&text).ok()?.jemalloc.arenas.merged;
    // Nothing at all: the process has another allocator.
    Some(small.nrequests? + large.nrequests?).filter(|count| *count > 0)
}
