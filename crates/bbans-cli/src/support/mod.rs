//! What several subcommands use.

pub(crate) mod data;
pub(crate) mod input;
pub(crate) mod memory;
pub(crate) mod models;
pub(crate) mod output;
pub(crate) mod progress;
pub(crate) mod rows;
