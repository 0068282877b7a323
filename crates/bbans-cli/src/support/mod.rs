//! What several subcommands use.

pub(crate) mod bins;
pub(crate) mod chain;
pub(crate) mod data;
pub(crate) mod files;
pub(crate) mod machine;
pub(crate) mod members;
pub(crate) mod memory;
pub(crate) mod models;
pub(crate) mod notebook;
pub(crate) mod picture;
pub(crate) mod plot;
pub(crate) mod progress;
pub(crate) mod rows;
pub(crate) mod terminal;
pub(crate) mod threads;
pub(crate) mod training;

/// Bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
