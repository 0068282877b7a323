//! What a compressed file knows its model by.

use serde_json::Value;

use crate::description::{Chains, Description, LatentLayer, Layer, Networks};
use crate::file::ModelFile;
use crate::likelihood::Fields;
use bbans_core::Result;

/// BLAKE3 over every field of the description that the codec reads and over the tensors, in a
/// fixed order that docs/format/fingerprint.md gives. The name and the training record are left out.
///
/// # Errors
/// If the description cannot be written as JSON.
pub fn fingerprint(file: &ModelFile) -> Result<[u8; 32]> {
    let version = file.description.version;
    let mut h = Hash::new(version);
    h.text("bbans model");
    h.number(u64::from(version));
    match &file.description.networks {
        Networks::Chains(chains) => h.chains(&file.description, chains),
        Networks::Graphs(_) => h.json(&file.description.hashed_fields()?),
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
            h.hasher.update(&bytes);
        }
    }
    Ok(h.hasher.finalize().into())
}

/// BLAKE3 of JSON as a fingerprint of this version of the description has it.
pub fn digest_of_json(version: u32, value: &Value) -> [u8; 32] {
    let mut h = Hash::new(version);
    h.json(value);
    h.hasher.finalize().into()
}

/// Values that are hashed at a time: in the near cache, and enough for the hash to run wide.
const RUN: usize = 4096;

struct Hash {
    hasher: blake3::Hasher,
    /// Whether integers that an `f32` does not have are told apart.
    wide: bool,
}

/// The version of the description that has integers beyond those of an `f32`.
const WIDE_SINCE: u32 = 8;

impl Hash {
    fn new(version: u32) -> Self {
        Self {
            hasher: blake3::Hasher::new(),
            wide: version >= WIDE_SINCE,
        }
    }

    /// The fields of versions 1 to 5.
    fn chains(&mut self, description: &Description, chains: &Chains) {
        let Description {
            version,
            data_shape,
            likelihood,
            latent,
            ..
        } = description;
        let h = self;
        h.numbers(data_shape);
        let (name, fields) = likelihood.kind().fields();
        h.text(name);
        match fields {
            Fields::Numbers(numbers) => numbers.iter().for_each(|&n| h.number(n as u64)),
            Fields::List(numbers) => h.numbers(&numbers),
        }
        h.number(latent.dim as u64);
        h.number(u64::from(latent.bin_precision));
        latent
            .log_sigma
            .iter()
            .for_each(|v| h.number(u64::from(v.to_bits())));
        h.layers(&chains.encoder);
        // What older versions do not have leaves their fingerprints alone.
        if *version >= 5 {
            h.number(chains.hierarchy.len() as u64);
        }
        for LatentLayer { latents, layers } in &chains.hierarchy {
            h.number(*latents as u64);
            h.layers(layers);
        }
        h.layers(&chains.decoder);
        if !chains.head.is_empty() {
            h.layers(&chains.head);
        }
    }

    /// A kind, then what is in it; numbers as `f32`, in which the codec takes them, but for integers that it does not
    /// have.
    fn json(&mut self, value: &Value) {
        match value {
            Value::Null => self.kind(0),
            Value::Bool(b) => self.kind(1 + u8::from(*b)),
            Value::Number(n) => {
                let nearest = n.as_f64().unwrap_or(f64::NAN) as f32;
                match n
                    .as_i64()
                    .filter(|&n| self.wide && nearest as i128 != i128::from(n))
                {
                    Some(n) => {
                        self.kind(7);
                        self.hasher.update(&n.to_le_bytes());
                    }
                    None => {
                        self.kind(3);
                        self.hasher.update(&nearest.to_le_bytes());
                    }
                }
            }
            Value::String(text) => {
                self.kind(4);
                self.text(text);
            }
            Value::Array(values) => {
                self.kind(5);
                self.number(values.len() as u64);
                values.iter().for_each(|value| self.json(value));
            }
            Value::Object(fields) => {
                self.kind(6);
                self.number(fields.len() as u64);
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_by_key(|(name, _)| name.as_bytes());
                for (name, value) in fields {
                    self.text(name);
                    self.json(value);
                }
            }
        }
    }

    fn kind(&mut self, kind: u8) {
        self.hasher.update(&[kind]);
    }

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
        self.hasher.update(&n.to_le_bytes());
    }

    /// The count, then each.
    fn numbers(&mut self, numbers: &[usize]) {
        self.number(numbers.len() as u64);
        numbers.iter().for_each(|&n| self.number(n as u64));
    }

    /// The length in bytes, then the bytes.
    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.hasher.update(text.as_bytes());
    }
}
