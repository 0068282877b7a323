//! The trained models of bbans, embedded. Each has a card beside its file.
//!
//! A released model keeps its name and its bytes for ever; a better one gets a new name.

/// A model file that is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddedModel {
    /// Its name.
    pub name: &'static str,
    /// Its fingerprint: what a file names that was written with it.
    pub fingerprint: [u8; 32],
    /// The file: safetensors with a description.
    pub bytes: &'static [u8],
    /// Its card, in Markdown: data, command, bound, file size.
    pub card: &'static str,
}

/// All models, the one that is used where none is named first.
pub static MODELS: &[EmbeddedModel] = &[
    EmbeddedModel {
        name: "mnist-binary-small",
        fingerprint: digest("9d1516e1f8604f75bb22ac5d182ea5a8b0ac0c45ac7c44efc7f1cf9901467af2"),
        bytes: include_bytes!("../mnist-binary-small.safetensors"),
        card: include_str!("../mnist-binary-small.md"),
    },
    EmbeddedModel {
        name: "mnist-binary-balanced",
        fingerprint: digest("5e2352d27ec2fa6ec2f1c6e9b7b8be53702e49e2653083e00de120fe9afd54a6"),
        bytes: include_bytes!("../mnist-binary-balanced.safetensors"),
        card: include_str!("../mnist-binary-balanced.md"),
    },
    EmbeddedModel {
        name: "mnist-binary-best",
        fingerprint: digest("68074938ee70a3dc91cd2e7d23569a182ccf83f789ced474fd0221e8ba6c7a82"),
        bytes: bbans_model_mnist_binary_best::BYTES,
        card: bbans_model_mnist_binary_best::CARD,
    },
    EmbeddedModel {
        name: "mnist-binary-best-2",
        fingerprint: digest("11f3daee6005b88f501768a5d2c975c18f82d0c0ab09f806434efe72f0d6d280"),
        bytes: bbans_model_mnist_binary_best_2::BYTES,
        card: bbans_model_mnist_binary_best_2::CARD,
    },
    EmbeddedModel {
        name: "mnist-gray",
        fingerprint: digest("85c6ea2918cdf0d10fde84b62d0e186d580053266eba091cbfc2480271c9ff4d"),
        bytes: bbans_model_mnist_gray::BYTES,
        card: bbans_model_mnist_gray::CARD,
    },
    EmbeddedModel {
        name: "mnist-gray-2",
        fingerprint: digest("5f976d3d306760fa9d03e76cb406e4d81193fd893b715190cff12dc282acf041"),
        bytes: bbans_model_mnist_gray_2::BYTES,
        card: bbans_model_mnist_gray_2::CARD,
    },
];

/// The model of this name.
pub fn named(name: &str) -> Option<&'static EmbeddedModel> {
    MODELS.iter().find(|model| model.name == name)
}

/// All names, for messages.
pub fn names() -> String {
    let names: Vec<&str> = MODELS.iter().map(|model| model.name).collect();
    names.join(", ")
}

/// The bytes of hexadecimal digits.
const fn digest(digits: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    let mut i = 0;
    while i < 64 {
        let digit = match digits.as_bytes()[i] {
            d @ b'0'..=b'9' => d - b'0',
            d => d - b'a' + 10,
        };
        bytes[i / 2] = bytes[i / 2] << 4 | digit;
        i += 1;
    }
    bytes
}
