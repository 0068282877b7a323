//! The autoencoder in candle: the layers of a [`Description`], its parameters, its ELBO.

use bbans_nn::description::{EMBEDDING, Latent};
use bbans_nn::{Description, Layer, Likelihood, ModelFile};
use candle_core::{Device, Tensor, Var};
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result};
use crate::head::{Plan, causal_nats};
use crate::loss::bernoulli_nats;
use crate::noise::fill_normal;
use crate::preset::{Activation, Architecture, Pixels};

/// Range of the posterior's log standard deviation.
const LOG_SIGMA: [f32; 2] = [-8.0, 4.0];
/// Number of symbols of a pixel of grey images, see [`Architecture::levels`].
const LEVELS: usize = 256;

/// The two parts of the negative ELBO, in nats, summed over data.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Elbo {
    /// `KL(q(z|x), p(z))`.
    pub kl_nats: f64,
    /// `-log p(x|z)` for one sample of `z`.
    pub reconstruction_nats: f64,
}

/// A network with parameters that can be trained.
pub struct Network {
    description: Description,
    /// Weight and bias of each dense layer, encoder first.
    vars: Vec<Var>,
    names: Vec<String>,
    /// Factor of the data on their way into the encoder.
    scale: f32,
}

impl Network {
    /// A network for data of `shape` with random weights (Glorot & Bengio 2010, uniform).
    ///
    /// # Errors
    /// If a size is zero.
    pub(crate) fn random(
        name: &str,
        shape: &[usize],
        architecture: &Architecture,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self> {
        let dims: usize = shape.iter().product();
        let Architecture {
            encoder_hidden,
            latent,
            decoder_hidden,
            bin_precision,
            activation,
            pixels,
        } = architecture;
        let encoder_sizes = [&[dims], encoder_hidden.as_slice(), &[2 * latent]].concat();
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
                encoder: layers("encoder", encoder_sizes.len() - 1, *activation),
                decoder: layers("decoder", decoder_sizes.len() - 1, *activation),
                head: Vec::new(),
                training: None,
            },
            vars: Vec::new(),
            names: Vec::new(),
            scale: 1.0,
        };
        for (part, sizes) in [("encoder", encoder_sizes), ("decoder", decoder_sizes)] {
            for (i, pair) in sizes.windows(2).enumerate() {
                let weight = glorot(pair[0], pair[1], rng)?;
                let bias = Tensor::zeros(pair[1], candle_core::DType::F32, &Device::Cpu)?;
                network.add(&format!("{part}.{i}"), &weight, &bias)?;
            }
        }
        if let Some(pixels) = pixels {
            network.add_pixels(pixels, shape, *activation, rng)?;
        }
        let description = &mut network.description;
        description.version = description.oldest_version();
        Ok(network)
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
        let first = 1 + self.description.decoder.len() / 2;
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
            Some(embedding) => Likelihood::CausalCategorical {
                window: *window,
                levels: LEVELS,
                embedding,
            },
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
        if let Likelihood::CausalCategorical { embedding, .. } = likelihood {
            self.scale = 1.0 / (LEVELS - 1) as f32;
            self.vars
                .push(Var::from_tensor(&embedded(embedding, rng)?)?);
            self.names.push(EMBEDDING.to_owned());
        }
        let description = &mut self.description;
        description.likelihood = likelihood;
        description.head = head;
        description.decoder.extend(decoder);
        Ok(())
    }

    /// The network of a model file.
    ///
    /// # Errors
    /// If a layer's tensor is missing.
    pub fn from_model_file(file: &ModelFile) -> Result<Self> {
        let mut network = Self {
            description: file.description.clone(),
            vars: Vec::new(),
            names: Vec::new(),
            scale: 1.0,
        };
        let tensor = |name: &str| -> Result<Tensor> {
            let found = file.tensors.get(name);
            let t = found.ok_or_else(|| Error::new(format!("the model has no tensor {name}")))?;
            Ok(Tensor::from_slice(
                &t.values,
                t.shape.as_slice(),
                &Device::Cpu,
            )?)
        };
        for layer in file
            .description
            .encoder
            .iter()
            .chain(&file.description.decoder)
            .chain(&file.description.head)
        {
            let (Layer::Dense { name } | Layer::Cells { name, .. }) = layer else {
                continue;
            };
            let [weight, bias] =
                ["weight", "bias"].map(|suffix| tensor(&format!("{name}.{suffix}")));
            network.add(name, &weight?, &bias?)?;
        }
        if let Likelihood::CausalCategorical { .. } = file.description.likelihood {
            network.vars.push(Var::from_tensor(&tensor(EMBEDDING)?)?);
            network.names.push(EMBEDDING.to_owned());
        }
        Ok(network)
    }

    fn add(&mut self, name: &str, weight: &Tensor, bias: &Tensor) -> Result<()> {
        self.vars.push(Var::from_tensor(weight)?);
        self.names.push(format!("{name}.weight"));
        self.vars.push(Var::from_tensor(bias)?);
        self.names.push(format!("{name}.bias"));
        Ok(())
    }

    /// What the network is.
    pub fn description(&self) -> &Description {
        &self.description
    }

    pub(crate) fn vars(&self) -> &[Var] {
        &self.vars
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Name of the first layer's weight.
    pub(crate) fn first_weight(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    /// Factor of the data on their way into the encoder, which a model file has in its first weight.
    pub(crate) fn scale(&self) -> f32 {
        self.scale
    }

    /// Output of every layer of the encoder on `x`, `[n, dims]`, in order; the last is
    /// `[n, 2 * latent]`.
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn encoder_layers(&self, x: &Tensor) -> Result<Vec<Tensor>> {
        self.run(&self.description.encoder, 0, x)
    }

    /// Output of every layer of the decoder on `z`, `[n, latent]`, in order; the last is `[n, dims]`.
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn decoder_layers(&self, z: &Tensor) -> Result<Vec<Tensor>> {
        self.run(&self.description.decoder, self.first_var(1), z)
    }

    /// Number of the first variable of the decoder, 1, or of the head, 2.
    fn first_var(&self, part: usize) -> usize {
        let parts = [&self.description.encoder, &self.description.decoder];
        let has_weights = |l: &&Layer| matches!(l, Layer::Dense { .. } | Layer::Cells { .. });
        let layers = parts[..part].iter().flat_map(|layers| layers.iter());
        2 * layers.filter(has_weights).count()
    }

    fn run(&self, layers: &[Layer], first_var: usize, input: &Tensor) -> Result<Vec<Tensor>> {
        let mut vars = self.vars[first_var..].chunks_exact(2);
        let mut outputs: Vec<Tensor> = Vec::with_capacity(layers.len());
        for layer in layers {
            let x = outputs.last().unwrap_or(input);
            outputs.push(match layer {
                Layer::Neighbours { .. } => {
                    return Err(Error::new("neighbours outside of a head"));
                }
                Layer::Dense { name } => match vars.next() {
                    Some([w, b]) => x.matmul(w)?.broadcast_add(b)?,
                    _ => return Err(Error::new(format!("layer {name} has no parameters"))),
                },
                Layer::Cells { name, count } => match vars.next() {
                    Some([w, b]) => {
                        let (n, width) = x.dims2()?;
                        let cells = x.reshape((n * count, width / count))?;
                        let y = cells.matmul(w)?.broadcast_add(b)?;
                        y.reshape((n, ()))?
                    }
                    _ => return Err(Error::new(format!("layer {name} has no parameters"))),
                },
                &Layer::Tiles {
                    rows,
                    columns,
                    height,
                    width,
                } => {
                    let (n, features) = x.dims2()?;
                    let channels = features / (rows * columns * height * width);
                    let split = x.reshape(&[n, rows, columns, height, width, channels][..])?;
                    split
                        .permute([0, 1, 3, 2, 4, 5].as_slice())?
                        .reshape((n, ()))?
                }
                Layer::Relu => x.relu()?,
                Layer::Silu => x.silu()?,
                Layer::Tanh => x.tanh()?,
                Layer::Sigmoid => (x.neg()?.exp()? + 1.0)?.recip()?,
                Layer::Exp => x.exp()?,
                Layer::Elu => x.elu(1.0)?,
                Layer::Softplus => (x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?)?,
            });
        }
        Ok(outputs)
    }

    /// KL and reconstruction terms of `x`, `[n, dims]`, for the noise `epsilon`, `[n, latent]`:
    /// two scalars in nats, summed over the data, that can be differentiated.
    ///
    /// `KL = sum (mu^2 + sigma^2 - 1) / 2 - log sigma` (Kingma & Welling 2014, appendix B).
    ///
    /// # Errors
    /// If a shape does not fit.
    pub fn terms(&self, x: &Tensor, epsilon: &Tensor) -> Result<(Tensor, Tensor)> {
        self.terms_of(x, epsilon, true)
    }

    fn terms_of(
        &self,
        x: &Tensor,
        epsilon: &Tensor,
        differentiable: bool,
    ) -> Result<(Tensor, Tensor)> {
        let scaled = x.affine(f64::from(self.scale), 0.0)?;
        let parameters = last(self.encoder_layers(&scaled)?)?;
        let latent = self.description.latent.dim;
        let mu = parameters.narrow(1, 0, latent)?;
        let log_sigma = parameters.narrow(1, latent, latent)?;
        let sigma = log_sigma.exp()?;
        let z = (&mu + (&sigma * epsilon)?)?;
        let reconstruction = self.reconstruction(&z, x, differentiable)?;
        let squares = ((mu.sqr()? + sigma.sqr()?)? - 1.0)?;
        let kl = ((squares * 0.5)? - log_sigma)?.sum_all()?;
        Ok((kl, reconstruction))
    }

    /// `-log p(x|z)` in nats, summed over the data.
    fn reconstruction(&self, z: &Tensor, x: &Tensor, differentiable: bool) -> Result<Tensor> {
        let description = &self.description;
        if description.likelihood.window().is_none() {
            let logits = last(self.decoder_layers(z)?)?;
            return Ok(bernoulli_nats(&logits, x)?);
        }
        // The cells are the head's work.
        let (decoder, first) = match Plan::tiles(description) {
            Some(_) => (description.decoder.len() - 2, self.first_var(2) - 2),
            None => (description.decoder.len(), self.first_var(2)),
        };
        let decoder = &description.decoder[..decoder];
        let features = last(self.run(decoder, self.first_var(1), z)?)?;
        let weights = &self.vars[first..];
        let layers = weights.chunks_exact(2).filter(|pair| pair[1].rank() == 1);
        let sizes: Vec<[usize; 2]> = layers
            .map(|pair| Ok(pair[0].dims2()?.into()))
            .collect::<Result<_>>()?;
        let flat: Vec<Tensor> = weights
            .iter()
            .map(|v| Ok(v.flatten_all()?))
            .collect::<Result<_>>()?;
        Ok(causal_nats(
            &Plan::new(description, &sizes)?,
            x.flatten_all()?.to_vec1()?,
            &features,
            &Tensor::cat(&flat, 0)?,
            differentiable,
        )?)
    }

    /// The negative ELBO of data, row-major `[n, dims]` of 0.0 and 1.0, with one sample of `z`
    /// for each datum from `rng`.
    ///
    /// # Errors
    /// If the shape does not fit.
    pub(crate) fn elbo(&self, x: &[f32], rng: &mut ChaCha8Rng) -> Result<Elbo> {
        let dims = self.description.dims()?;
        let mut total = Elbo::default();
        for chunk in x.chunks(1000 * dims) {
            let (x, epsilon) = self.batch(chunk.to_vec(), rng)?;
            let (kl, reconstruction) = self.terms_of(&x, &epsilon, false)?;
            total.kl_nats += f64::from(kl.to_scalar::<f32>()?);
            total.reconstruction_nats += f64::from(reconstruction.to_scalar::<f32>()?);
        }
        Ok(total)
    }

    /// Data as a tensor `[n, dims]`, and noise for them, `[n, latent]`.
    pub(crate) fn batch(&self, x: Vec<f32>, rng: &mut ChaCha8Rng) -> Result<(Tensor, Tensor)> {
        let dims = self.description.dims()?;
        let (n, latent) = (x.len() / dims, self.description.latent.dim);
        let mut noise = vec![0.0; n * latent];
        fill_normal(rng, &mut noise);
        let x = Tensor::from_vec(x, (n, dims), &Device::Cpu)?;
        Ok((x, Tensor::from_vec(noise, (n, latent), &Device::Cpu)?))
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

fn last(outputs: Vec<Tensor>) -> Result<Tensor> {
    outputs
        .into_iter()
        .next_back()
        .ok_or_else(|| Error::new("a network without layers"))
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
