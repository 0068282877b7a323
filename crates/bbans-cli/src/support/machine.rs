//! What a figure was measured on.

use std::fs;

use serde_json::{Value, json};

/// The processor, its cores and the system.
pub(crate) fn describe() -> Value {
    json!({
        "processor": processor(),
        "cores": std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        "architecture": std::env::consts::ARCH,
        "system": std::env::consts::OS,
    })
}

/// The processor's name, where the system tells it.
fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Forgets the greatest use of memory so far, where the system can.
pub(crate) fn reset_peak_memory() {
    // Linux; elsewhere no such file, and the figure is then left out.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The greatest use of memory since [`reset_peak_memory`], in bytes, where the system tells it.
pub(crate) fn peak_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes << 10)
}
