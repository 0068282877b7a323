//! Standard input and output that are none.
//!
//! Where one of them was closed when the program was started, Rust's library opens the null device in its
//! place, for reading and writing, and all goes well. A shell's `>/dev/null` is for writing alone, and is
//! meant. Only Linux tells.

/// Whether what is written to standard output goes nowhere, though nobody said so.
pub(super) fn stdout_is_closed() -> bool {
    stdout_is_unwritable() || is_null(1) && access(1) == Some(READ_AND_WRITE)
}

/// Whether standard output is open for reading alone: Rust's library takes the error for success.
pub(crate) fn stdout_is_unwritable() -> bool {
    access(1) == Some(READ)
}

/// Whether standard input was closed.
pub(super) fn stdin_is_closed() -> bool {
    is_null(0) && access(0) == Some(READ_AND_WRITE)
}

// O_RDONLY and O_RDWR, the same on every Linux.
const READ: u32 = 0;
const READ_AND_WRITE: u32 = 2;

/// How a descriptor of this process is open.
fn access(descriptor: u32) -> Option<u32> {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")).ok()?;
    let flags = info.lines().find_map(|l| l.strip_prefix("flags:"))?;
    Some(u32::from_str_radix(flags.trim(), 8).ok()? & 3)
}

fn is_null(descriptor: u32) -> bool {
    let path = std::fs::read_link(format!("/proc/self/fd/{descriptor}"));
    path.is_ok_and(|p| p.as_os_str() == "/dev/null")
}
