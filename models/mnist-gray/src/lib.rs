//! The model `mnist-gray` of bbans. `bbans-models` has it among the others.

/// The file: safetensors with a description.
pub const BYTES: &[u8] = include_bytes!("../mnist-gray.safetensors");

/// Its card, in Markdown: data, command, bound, file size.
pub const CARD: &str = include_str!("../mnist-gray.md");
