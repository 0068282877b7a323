//! A network of random weights, from the sizes that an architecture names.

use bbans_nn::description::{Chains, Latent, LatentLayer, Networks};
use bbans_nn::likelihood::CausalCategorical;
use bbans_nn::likelihood::EMBEDDING;
use bbans_nn::{Description, Layer, Likelihood};
use candle_core::{Device, Tensor};
use rand_chacha::ChaCha8Rng;

use super::{Network, chains};
use crate::error::{Error, Result};
use crate::preset::{Activation, Architecture, Hierarchy, Pixels};

/// Range of the posterior's log standard deviation.
const LOG_SIGMA: [f32; 2] = [-8.0, 4.0];
/// Number of symbols of a pixel of grey images, see [`Architecture::levels`].
const LEVELS: usize = 256;

impl Network {
    /// A network for data of `shape` with random weights (Glorot & Bengio 2010, uniform).
    ///
    /// # Errors
    /// If a size is zero.
    pub(crate) fn random(
        name: &str,
        shape: &[usize],
        architecture: &Architecture,
        device: Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self> {
        let dims: usize = shape.iter().product();
        let Architecture {
            encoder_hidden,
            hierarchy,
            latent,
            decoder_hidden,
            bin_precision,
            activation,
            pixels,
        } = architecture;
        let mut encoder_sizes = [&[dims], encoder_hidden.as_slice()].concat();
        if hierarchy.is_none() {
            encoder_sizes.push(2 * latent);
        }
        let features = match pixels {
            Some(p) => dims / (p.cell[0] * p.cell[1]).max(1) * p.cell_features,
            None => dims,
        };
        let decoder_sizes = [&[*latent], decoder_hidden.as_slice(), &[features]].concat();
        let mut network = Self {
            description: Description {
                version: 1,
                name: name.to_owned(),
                data_shape: shape.to_vec(),
                likelihood: Likelihood::Bernoulli,
                latent: Latent {
                    dim: *latent,
                    bin_precision: *bin_precision,
                    log_sigma: LOG_SIGMA,
                },
                networks: Networks::Chains(Chains {
                    encoder: layers("encoder", encoder_sizes.len() - 1, *activation),
                    hierarchy: Vec::new(),
                    decoder: layers("decoder", decoder_sizes.len() - 1, *activation),
                    head: Vec::new(),
                }),
                training: None,
            },
            vars: Vec::new(),
            names: Vec::new(),
            scale: 1.0,
            device,
        };
        let features = encoder_sizes.last().copied().unwrap_or(dims);
        network.add_random("encoder", &encoder_sizes, rng)?;
        if let Some(hierarchy) = hierarchy {
            network.add_hierarchy(hierarchy, features, *activation, rng)?;
        }
        network.add_random("decoder", &decoder_sizes, rng)?;
        if let Some(pixels) = pixels {
            network.add_pixels(pixels, shape, *activation, rng)?;
        }
        let description = &mut network.description;
        description.version = description.oldest_version();
        Ok(network)
    }

    /// Dense layers `{part}.0`, `{part}.1`, ... of these numbers of units.
    fn add_random(&mut self, part: &str, sizes: &[usize], rng: &mut ChaCha8Rng) -> Result<()> {
        for (i, pair) in sizes.windows(2).enumerate() {
            let weight = glorot(pair[0], pair[1], rng)?;
            let bias = Tensor::zeros(pair[1], candle_core::DType::F32, &Device::Cpu)?;
            self.add(&format!("{part}.{i}"), &weight, &bias)?;
        }
        Ok(())
    }

    /// From the encoder's features, `features` of them, to the posterior of each layer of latents.
    fn add_hierarchy(
        &mut self,
        Hierarchy {
            layers: count,
            hidden,
        }: &Hierarchy,
        features: usize,
        activation: Activation,
        rng: &mut ChaCha8Rng,
    ) -> Result<()> {
        let (count, latents) = (*count, self.description.latent.dim);
        if count == 0 || !latents.is_multiple_of(count) {
            return Err(Error::new(format!(
                "{latents} latents cannot be cut into {count} layers of one size"
            )));
        }
        let latents = latents / count;
        for layer in 0..count {
            let part = format!("posterior.{layer}");
            let inputs = features + layer * latents;
            let sizes = [&[inputs], hidden.as_slice(), &[2 * latents]].concat();
            let first = self.vars.len();
            self.add_random(&part, &sizes, rng)?;
            // At first as if there were no layers above, whose latents are noise then.
            let weight = &self.vars[first];
            let own = weight.narrow(0, 0, features)?;
            let above = weight
                .narrow(0, features, inputs - features)?
                .zeros_like()?;
            weight.set(&Tensor::cat(&[own, above], 0)?)?;
            let layers = layers(&part, sizes.len() - 1, activation);
            let layer = LatentLayer { latents, layers };
            self.chains_mut()?.hierarchy.push(layer);
        }
        // The posteriors take what the activation gives.
        (self.chains_mut()?.encoder).push(of_activation(activation));
        Ok(())
    }

    /// From features of cells to pixels, and the head.
    fn add_pixels(
        &mut self,
        pixels: &Pixels,
        shape: &[usize],
        activation: Activation,
        rng: &mut ChaCha8Rng,
    ) -> Result<()> {
        let Pixels {
            cell: [cell_height, cell_width],
            cell_features,
            cell_hidden,
            window,
            head_hidden,
            embedding,
        } = pixels;
        let &[height, width] = shape else {
            return Err(Error::new(format!(
                "data of shape {shape:?}; this preset is for images [height, width]"
            )));
        };
        let (cell_height, cell_width) = (*cell_height, *cell_width);
        if !height.is_multiple_of(cell_height) || !width.is_multiple_of(cell_width) {
            return Err(Error::new(format!(
                "images of {height} by {width} pixels; this preset cuts them into cells of \
                 {cell_height} by {cell_width} pixels and needs multiples of these"
            )));
        }
        let (rows, columns) = (height / cell_height, width / cell_width);
        let first = 1 + chains(&self.description)?.decoder.len() / 2;
        let mut add = |name: &str, inputs: usize, outputs: usize| -> Result<()> {
            let weight = glorot(inputs, outputs, rng)?;
            let bias = Tensor::zeros(outputs, candle_core::DType::F32, &Device::Cpu)?;
            self.add(name, &weight, &bias)
        };
        let channels = cell_height * cell_width * window.channels;
        let cell_sizes = [&[*cell_features], cell_hidden.as_slice(), &[channels]].concat();
        let mut decoder = Vec::new();
        for (i, pair) in cell_sizes.windows(2).enumerate() {
            let name = format!("decoder.{}", first + i);
            add(&name, pair[0], pair[1])?;
            let count = rows * columns;
            decoder.extend([of_activation(activation), Layer::Cells { name, count }]);
        }
        decoder.push(Layer::Tiles {
            rows,
            columns,
            height: cell_height,
            width: cell_width,
        });
        let likelihood = match *embedding {
            None => Likelihood::CausalBernoulli(*window),
            Some(embedding) => Likelihood::CausalCategorical(CausalCategorical {
                window: *window,
                levels: LEVELS,
                embedding,
            }),
        };
        let [mut inputs, outputs] = likelihood.head().unwrap_or_default();
        let mut head = Vec::new();
        for (i, layer) in head_hidden.iter().enumerate() {
            let name = format!("head.{i}");
            if let Some([above, side]) = layer.neighbours {
                head.push(Layer::Neighbours { above, side });
                inputs *= above * (2 * side + 1) + side + 1;
            }
            add(&name, inputs, layer.units)?;
            head.extend([Layer::Dense { name }, Layer::Silu]);
            inputs = layer.units;
        }
        let last = format!("head.{}", head_hidden.len());
        add(&last, inputs, outputs)?;
        head.push(Layer::Dense { name: last });
        if let Likelihood::CausalCategorical(CausalCategorical { embedding, .. }) = likelihood {
            self.scale = 1.0 / (LEVELS - 1) as f32;
            self.add_tensor(EMBEDDING.to_owned(), &embedded(embedding, rng)?)?;
        }
        self.description.likelihood = likelihood;
        let chains = self.chains_mut()?;
        chains.head = head;
        chains.decoder.extend(decoder);
        Ok(())
    }

    fn chains_mut(&mut self) -> Result<&mut Chains> {
        let chains = self.description.chains_mut();
        chains.ok_or_else(|| Error::new("networks that are not lists of layers"))
    }
}

fn of_activation(activation: Activation) -> Layer {
    match activation {
        Activation::Relu => Layer::Relu,
        Activation::Silu => Layer::Silu,
    }
}

/// Dense layers with an activation between them.
fn layers(part: &str, dense: usize, activation: Activation) -> Vec<Layer> {
    let mut layers = Vec::new();
    for i in 0..dense {
        if i > 0 {
            layers.push(of_activation(activation));
        }
        layers.push(Layer::Dense {
            name: format!("{part}.{i}"),
        });
    }
    layers
}

/// What stands for the levels at first: the level, whether it is 0, whether it is nearly the greatest,
/// and noise.
fn embedded(depth: usize, rng: &mut ChaCha8Rng) -> Result<Tensor> {
    let noise = glorot(LEVELS, depth, rng)?
        .flatten_all()?
        .to_vec1::<f32>()?;
    let value = |i: usize| {
        let level = i / depth;
        let known = match i % depth {
            0 => level as f32 / (LEVELS - 1) as f32,
            1 => f32::from(u8::from(level == 0)),
            2 => f32::from(u8::from(level >= LEVELS - 4)),
            _ => 0.0,
        };
        known + noise[i]
    };
    let values: Vec<f32> = (0..LEVELS * depth).map(value).collect();
    Ok(Tensor::from_vec(values, (LEVELS, depth), &Device::Cpu)?)
}

fn glorot(inputs: usize, outputs: usize, rng: &mut ChaCha8Rng) -> Result<Tensor> {
    use rand_chacha::rand_core::Rng;
    let bound = (6.0 / (inputs + outputs) as f64).sqrt();
    let draw = |_| ((f64::from(rng.next_u32()) / 2_147_483_648.0 - 1.0) * bound) as f32;
    let values: Vec<f32> = (0..inputs * outputs).map(draw).collect();
    Ok(Tensor::from_vec(values, (inputs, outputs), &Device::Cpu)?)
}
