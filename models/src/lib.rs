//! The trained models of bbans, embedded. Each has a card beside its file.
//!
//! A released model keeps its name and its bytes for ever; a better one gets a new name.

/// A model file that is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddedModel {
    /// Its name.
    pub name: &'static str,
    /// The file: safetensors with a description.
    pub bytes: &'static [u8],
    /// Its card, in Markdown: data, command, bound, file size.
    pub card: &'static str,
}

/// All models, the one that is used where none is named first.
pub const MODELS: &[EmbeddedModel] = &[
    EmbeddedModel {
        name: "mnist-binary-small",
        bytes: include_bytes!("../mnist-binary-small.safetensors"),
        card: include_str!("../mnist-binary-small.md"),
    },
    EmbeddedModel {
        name: "mnist-binary-balanced",
        bytes: include_bytes!("../mnist-binary-balanced.safetensors"),
        card: include_str!("../mnist-binary-balanced.md"),
    },
    EmbeddedModel {
        name: "mnist-binary-best",
        bytes: bbans_model_mnist_binary_best::BYTES,
        card: bbans_model_mnist_binary_best::CARD,
    },
    EmbeddedModel {
        name: "mnist-binary-best-2",
        bytes: bbans_model_mnist_binary_best_2::BYTES,
        card: bbans_model_mnist_binary_best_2::CARD,
    },
    EmbeddedModel {
        name: "mnist-gray",
        bytes: bbans_model_mnist_gray::BYTES,
        card: bbans_model_mnist_gray::CARD,
    },
    EmbeddedModel {
        name: "mnist-gray-2",
        bytes: bbans_model_mnist_gray_2::BYTES,
        card: bbans_model_mnist_gray_2::CARD,
    },
];
