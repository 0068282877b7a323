//! Models of linear layers: as versions 1 and 2 of the description have them.
//!
//! Batch norm in evaluation mode, the scaling of the data and the units of the outputs are folded into the linear
//! layers, in `f64` and rounded once.

use std::collections::BTreeMap;

use crate::description::{Chains, Description, Latent, Layer, Networks, Values};
use crate::file::bins::insert_standard_normal;
use crate::file::{ModelFile, Tensor};
use crate::import::arch::{Arch, Decoder, Head, Scale};
use crate::import::layer::ArchLayer;
use crate::import::linear::{Affine, Linear};
use crate::import::weights::Weights;
use bbans_core::{Error, Result};

/// The model of `arch` with these weights.
pub(super) fn model(weights: &mut Weights<'_>, arch: &Arch) -> Result<ModelFile> {
    let dims = arch.dims()?;
    let mut tensors = BTreeMap::new();
    let mut encoder = Chain::new("encoder", dims, weights);
    encoder.pending = Some(Affine::uniform(dims, 1.0 / arch.data.divide, arch.data.add));
    encoder.steps(&arch.encoder.layers)?;
    let heads = arch.encoder.heads()?;
    let latent = match (arch.latent.dim, heads.first()) {
        (Some(dim), _) => dim,
        (None, Some((steps, Head::Both))) => encoder.outputs(steps)? / 2,
        (None, Some((steps, _))) => encoder.outputs(steps)?,
        (None, None) => 0,
    };
    let heads: Vec<_> = heads
        .into_iter()
        .map(|(steps, head)| {
            let rows = if head == Head::Both {
                2 * latent
            } else {
                latent
            };
            let mut linear = encoder.head(steps, rows)?;
            // Half the log variance is the log standard deviation.
            match (head, arch.encoder.scale()) {
                (Head::Scale, Scale::LogVariance) => linear.scale_outputs(0..latent, 0.5, 0.0),
                (Head::Both, Scale::LogVariance) => {
                    linear.scale_outputs(latent..2 * latent, 0.5, 0.0);
                }
                _ => {}
            }
            Ok(linear)
        })
        .collect::<Result<_>>()?;
    encoder.push(Linear::concatenate(heads)?);
    let encoder = encoder.store(&mut tensors)?;

    let likelihood = arch.likelihood.likelihood()?;
    let outputs = dims * likelihood.parameters();
    let mut decoder = Chain::new("decoder", latent, weights);
    let last = match &arch.decoder {
        Decoder::Layers(steps) => {
            let (steps, last) = arch.likelihood.split_last(steps)?;
            decoder.steps(steps)?;
            decoder.head(last, outputs)?
        }
        Decoder::Heads { layers, heads } => {
            decoder.steps(layers)?;
            let several = heads.len() > 1 && arch.likelihood.dimensions_first();
            if heads.is_empty() || outputs % heads.len() != 0 || several {
                return Err(Error::model(format!(
                    "decoder: {} heads for {outputs} outputs; expected one head, or heads that \
                     divide the parameters, with \"order\": \"parameters_first\"",
                    heads.len()
                )));
            }
            let heads = heads.iter().map(|steps| {
                let (steps, last) = arch.likelihood.split_last(steps)?;
                if !steps.is_empty() {
                    return Err(Error::model(
                        "decoder: a head has more than one linear layer; expected a linear layer \
                         and batch norm",
                    ));
                }
                decoder.head(last, outputs / arch.decoder.heads())
            });
            let heads = heads.collect::<Result<Vec<_>>>()?;
            Linear::concatenate(heads)?
        }
    };
    decoder.push(arch.likelihood.arrange(last, dims, &arch.data)?);
    let decoder = decoder.store(&mut tensors)?;

    insert_standard_normal(&mut tensors, arch.latent.bin_precision)?;
    let mut description = Description {
        version: 1,
        name: arch.name.clone(),
        data_shape: arch.data.shape.clone(),
        values: Values::default(),
        likelihood,
        latent: Latent {
            dim: latent,
            bin_precision: arch.latent.bin_precision,
            bins: Default::default(),
            log_sigma: arch.latent.log_sigma,
        },
        networks: Networks::Chains(Chains {
            encoder,
            decoder,
            hierarchy: Vec::new(),
            head: Vec::new(),
        }),
        training: None,
    };
    description.version = description.oldest_version();
    Ok(ModelFile {
        description,
        tensors,
    })
}

/// A network under construction.
struct Chain<'a, 'b> {
    name: &'static str,
    weights: &'a mut Weights<'b>,
    width: usize,
    layers: Vec<Built>,
    /// What the next linear layer's inputs are still to be multiplied by and added to.
    pending: Option<Affine>,
}

enum Built {
    Linear(Linear),
    Activation(Layer),
}

impl<'a, 'b> Chain<'a, 'b> {
    fn new(name: &'static str, width: usize, weights: &'a mut Weights<'b>) -> Self {
        Self {
            name,
            weights,
            width,
            layers: Vec::new(),
            pending: None,
        }
    }

    fn steps(&mut self, steps: &[ArchLayer]) -> Result<()> {
        for step in steps {
            match step {
                ArchLayer::Linear(options) => {
                    let mut linear = self.weights.linear(options, self.width, None)?;
                    if let Some(affine) = self.pending.take() {
                        linear.fold_inputs(&affine);
                    }
                    self.push(linear);
                }
                ArchLayer::BatchNorm(options) => {
                    let affine = self.weights.batch_norm(options, self.width)?;
                    match (self.layers.last_mut(), self.pending.take()) {
                        (Some(Built::Linear(linear)), _) => linear.fold_outputs(&affine),
                        (_, pending) => {
                            self.pending = Some(match pending {
                                Some(before) => before.then(&affine),
                                None => affine,
                            });
                        }
                    }
                }
                ArchLayer::Activation(layer) => {
                    self.check_settled()?;
                    self.layers.push(Built::Activation(layer.clone()));
                }
                ArchLayer::Identity | ArchLayer::Flatten => {}
                ArchLayer::Graph(_) => {
                    return Err(Error::model("a layer that a chain does not have"));
                }
            }
        }
        Ok(())
    }

    fn check_settled(&self) -> Result<()> {
        if self.pending.is_none() {
            return Ok(());
        }
        let what = if self.layers.is_empty() {
            "the first layer must be linear, or batch norm before a linear layer"
        } else {
            "batch norm must stand right after or right before a linear layer"
        };
        Err(Error::model(format!("{}: {what}", self.name)))
    }

    /// Number of outputs of the first linear layer.
    fn outputs(&mut self, steps: &[ArchLayer]) -> Result<usize> {
        let linear = steps.iter().find_map(|step| match step {
            ArchLayer::Linear(options) => Some(options),
            _ => None,
        });
        linear.map_or(Ok(0), |options| {
            let linear = self.weights.linear(options, self.width, None)?;
            Ok(linear.outputs())
        })
    }

    /// One linear layer with its batch norm, not yet part of the chain.
    fn head(&mut self, steps: &[ArchLayer], outputs: usize) -> Result<Linear> {
        let mut head: Option<Linear> = None;
        for step in steps {
            match (step, &mut head) {
                (ArchLayer::Linear(options), None) => {
                    let mut linear = self.weights.linear(options, self.width, Some(outputs))?;
                    if let Some(affine) = &self.pending {
                        linear.fold_inputs(affine);
                    }
                    head = Some(linear);
                }
                (ArchLayer::BatchNorm(options), Some(linear)) => {
                    linear.fold_outputs(&self.weights.batch_norm(options, outputs)?);
                }
                (ArchLayer::Identity | ArchLayer::Flatten, _) => {}
                _ => {
                    return Err(Error::model(format!(
                        "{}: outputs must be one linear layer, with batch norm after it if need be",
                        self.name
                    )));
                }
            }
        }
        head.ok_or_else(|| Error::model(format!("{}: outputs without a linear layer", self.name)))
    }

    /// Appends a layer whose inputs were folded already.
    fn push(&mut self, linear: Linear) {
        self.pending = None;
        self.width = linear.outputs();
        self.layers.push(Built::Linear(linear));
    }

    /// Rounds the layers to `f32` and names them.
    fn store(self, tensors: &mut BTreeMap<String, Tensor>) -> Result<Vec<Layer>> {
        let mut layers = Vec::with_capacity(self.layers.len());
        let mut count = 0;
        for layer in self.layers {
            layers.push(match layer {
                Built::Activation(layer) => layer,
                Built::Linear(linear) => {
                    let name = format!("{}.{count}", self.name);
                    count += 1;
                    let (weight, bias) = linear.tensors()?;
                    tensors.insert(format!("{name}.weight"), weight);
                    tensors.insert(format!("{name}.bias"), bias);
                    Layer::Dense { name }
                }
            });
        }
        Ok(layers)
    }
}
