//! What a compressed file knows its model by.

use crate::description::{Description, Layer, Likelihood, Window};
use crate::model_file::ModelFile;

/// BLAKE3 over every field of the description that the codec reads and over the tensors, in a
/// fixed order that docs/format.md gives. The name and the training record are left out.
pub fn fingerprint(file: &ModelFile) -> [u8; 32] {
    let mut h = Hash(blake3::Hasher::new());
    let Description {
        version,
        data_shape,
        likelihood,
        latent,
        encoder,
        decoder,
        head,
        ..
    } = &file.description;
    h.text("bbans model");
    h.number(u64::from(*version));
    h.numbers(data_shape);
    match *likelihood {
        Likelihood::Bernoulli => h.text("bernoulli"),
        Likelihood::BetaBinomial { levels } => {
            h.text("beta_binomial");
            h.number(levels as u64);
        }
        Likelihood::Categorical { levels } => {
            h.text("categorical");
            h.number(levels as u64);
        }
        Likelihood::DiscretizedLogistic { levels, components } => {
            h.text("discretized_logistic");
            h.number(levels as u64);
            h.number(components as u64);
        }
        Likelihood::CausalBernoulli(Window {
            channels,
            above,
            side,
        }) => {
            h.text("causal_bernoulli");
            h.numbers(&[channels, above, side]);
        }
        Likelihood::CausalCategorical {
            window:
                Window {
                    channels,
                    above,
                    side,
                },
            levels,
            embedding,
        } => {
            h.text("causal_categorical");
            h.numbers(&[channels, above, side, levels, embedding]);
        }
    }
    h.number(latent.dim as u64);
    h.number(u64::from(latent.bin_precision));
    latent
        .log_sigma
        .iter()
        .for_each(|v| h.number(u64::from(v.to_bits())));
    let networks = [encoder, decoder, head];
    // A model without a head is as in the versions that had none.
    let count = if head.is_empty() { 2 } else { 3 };
    for layers in &networks[..count] {
        h.number(layers.len() as u64);
        for layer in layers.iter() {
            match layer {
                Layer::Dense { name } => {
                    h.text("dense");
                    h.text(name);
                }
                Layer::Relu => h.text("relu"),
                Layer::Silu => h.text("silu"),
                Layer::Tanh => h.text("tanh"),
                Layer::Sigmoid => h.text("sigmoid"),
                Layer::Exp => h.text("exp"),
                Layer::Elu => h.text("elu"),
                Layer::Softplus => h.text("softplus"),
                Layer::Cells { name, count } => {
                    h.text("cells");
                    h.text(name);
                    h.number(*count as u64);
                }
                Layer::Tiles {
                    rows,
                    columns,
                    height,
                    width,
                } => {
                    h.text("tiles");
                    h.numbers(&[*rows, *columns, *height, *width]);
                }
                Layer::Neighbours { above, side } => {
                    h.text("neighbours");
                    h.numbers(&[*above, *side]);
                }
            }
        }
    }
    h.number(file.tensors.len() as u64);
    // A BTreeMap: ascending by the bytes of the name.
    for (name, tensor) in &file.tensors {
        h.text(name);
        h.numbers(&tensor.shape);
        let mut bytes = Vec::with_capacity(4 * RUN);
        for values in tensor.values.chunks(RUN) {
            bytes.clear();
            bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
            h.0.update(&bytes);
        }
    }
    h.0.finalize().into()
}

/// Values that are hashed at a time: in the near cache, and enough for the hash to run wide.
const RUN: usize = 4096;

struct Hash(blake3::Hasher);

impl Hash {
    /// 8 bytes, little-endian.
    fn number(&mut self, n: u64) {
        self.0.update(&n.to_le_bytes());
    }

    /// The count, then each.
    fn numbers(&mut self, numbers: &[usize]) {
        self.number(numbers.len() as u64);
        numbers.iter().for_each(|&n| self.number(n as u64));
    }

    /// The length in bytes, then the bytes.
    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text.as_bytes());
    }
}
