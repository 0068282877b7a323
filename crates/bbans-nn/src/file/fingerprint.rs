//! What a compressed file knows its model by.

use crate::description::{Description, LatentLayer, Layer, Likelihood, Window};
use crate::file::ModelFile;

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
        hierarchy,
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
    h.layers(encoder);
    // What older versions do not have leaves their fingerprints alone.
    if *version >= 5 {
        h.number(hierarchy.len() as u64);
    }
    for LatentLayer { latents, layers } in hierarchy {
        h.number(*latents as u64);
        h.layers(layers);
    }
    h.layers(decoder);
    if !head.is_empty() {
        h.layers(head);
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
    /// The count, then each: its name and its fields.
    fn layers(&mut self, layers: &[Layer]) {
        self.number(layers.len() as u64);
        for layer in layers {
            match layer {
                Layer::Dense { name } => {
                    self.text("dense");
                    self.text(name);
                }
                Layer::Relu => self.text("relu"),
                Layer::Silu => self.text("silu"),
                Layer::Tanh => self.text("tanh"),
                Layer::Sigmoid => self.text("sigmoid"),
                Layer::Exp => self.text("exp"),
                Layer::Elu => self.text("elu"),
                Layer::Softplus => self.text("softplus"),
                Layer::Cells { name, count } => {
                    self.text("cells");
                    self.text(name);
                    self.number(*count as u64);
                }
                Layer::Tiles {
                    rows,
                    columns,
                    height,
                    width,
                } => {
                    self.text("tiles");
                    self.numbers(&[*rows, *columns, *height, *width]);
                }
                Layer::Neighbours { above, side } => {
                    self.text("neighbours");
                    self.numbers(&[*above, *side]);
                }
            }
        }
    }

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
