//! Where and when a run took place.

use std::fs;

use statehold::core::{Clock as _, SystemClock};

use crate::report::Machine;

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemClock.now().0 / 1000
}

/// This machine, as far as it can be told.
pub(super) fn machine() -> Machine {
    let line = |path: &str, name: &str| {
        let text = fs::read_to_string(path).ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once([':', '='])?.1.trim().trim_matches('"').to_owned())
    };
    let kilobytes = line("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let system = line("/etc/os-release", "PRETTY_NAME").unwrap_or_else(|| std::env::consts::OS.to_owned());
    Machine {
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        model: line("/proc/cpuinfo", "model name"),
        memory: kilobytes.map(|kilobytes| kilobytes << 10),
        system: format!("{system}, kernel {}", kernel.trim()).trim_end_matches(", kernel ").to_owned(),
    }
}
