//! The model `mnist-gray` of bbans. `bbans-models` has it among the others.

/// The file: safetensors with a description.
pub static BYTES: &[u8] = include_bytes!("../mnist-gray.safetensors");

/// Its card, in Markdown: data, command, bound, file size.
pub static CARD: &str = include_str!("../mnist-gray.md");
