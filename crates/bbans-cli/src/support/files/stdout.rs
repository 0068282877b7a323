//! Standard output that is none.

/// Whether nothing keeps what is written to standard output: it was closed when the program was
/// started. Rust's library then opens the null device in its place, for reading and writing, and
/// writing to it succeeds. A shell's `>/dev/null` is for writing alone, and is meant.
#[cfg(target_os = "linux")]
pub(crate) fn is_closed() -> bool {
    let is_null = std::fs::read_link("/proc/self/fd/1").is_ok_and(|p| p.as_os_str() == "/dev/null");
    let info = std::fs::read_to_string("/proc/self/fdinfo/1").unwrap_or_default();
    let flags = info.lines().find_map(|l| l.strip_prefix("flags:"));
    let flags = flags.and_then(|f| u32::from_str_radix(f.trim(), 8).ok());
    // O_ACCMODE and O_RDWR, which are the same on every Linux.
    is_null && flags.is_some_and(|f| f & 3 == 2)
}

/// Elsewhere it cannot be told.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_closed() -> bool {
    false
}
