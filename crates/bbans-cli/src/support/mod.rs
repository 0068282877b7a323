//! What several subcommands use.

pub(crate) mod chain;
pub(crate) mod data;
pub(crate) mod input;
pub(crate) mod machine;
pub(crate) mod memory;
pub(crate) mod models;
pub(crate) mod notebook;
pub(crate) mod output;
pub(crate) mod picture;
pub(crate) mod plot;
pub(crate) mod progress;
pub(crate) mod rows;
pub(crate) mod threads;

/// Bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
