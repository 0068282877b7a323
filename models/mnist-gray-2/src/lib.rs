//! The model `mnist-gray-2` of bbans. `bbans-models` has it among the others.

/// The file: safetensors with a description.
pub static BYTES: &[u8] = include_bytes!("../mnist-gray-2.safetensors");

/// Its card, in Markdown: data, command, bound, file size.
pub static CARD: &str = include_str!("../mnist-gray-2.md");
