//! The autoencoder in candle: the layers of a [`Description`], its parameters, its ELBO.

mod random;

use bbans_nn::description::{Chains, LatentLayer};
use bbans_nn::likelihood::EMBEDDING;
use bbans_nn::{Description, Layer, Likelihood, ModelFile};
use candle_core::{Device, Tensor, Var};
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result};
use crate::head::{Plan, causal_nats, causal_nats_of_tensors};
use crate::loss::bernoulli_nats;
use crate::noise::fill_normal;

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
    device: Device,
}

impl Network {
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
            device: Device::Cpu,
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
        let chains = chains(&file.description)?;
        for layer in chains.layers() {
            let (Layer::Dense { name } | Layer::Cells { name, .. }) = layer else {
                continue;
            };
            let [weight, bias] =
                ["weight", "bias"].map(|suffix| tensor(&format!("{name}.{suffix}")));
            network.add(name, &weight?, &bias?)?;
        }
        if let Likelihood::CausalCategorical(_) = file.description.likelihood {
            network.add_tensor(EMBEDDING.to_owned(), &tensor(EMBEDDING)?)?;
        }
        Ok(network)
    }

    fn add(&mut self, name: &str, weight: &Tensor, bias: &Tensor) -> Result<()> {
        self.add_tensor(format!("{name}.weight"), weight)?;
        self.add_tensor(format!("{name}.bias"), bias)
    }

    fn add_tensor(&mut self, name: String, tensor: &Tensor) -> Result<()> {
        (self.vars).push(Var::from_tensor(&tensor.to_device(&self.device)?)?);
        self.names.push(name);
        Ok(())
    }

    /// What the network is.
    pub fn description(&self) -> &Description {
        &self.description
    }

    pub(crate) fn device(&self) -> &Device {
        &self.device
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
    /// `[n, 2 * latent]`, or the features that the layers of latents take.
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn encoder_layers(&self, x: &Tensor) -> Result<Vec<Tensor>> {
        self.run(&chains(&self.description)?.encoder, 0, x)
    }

    /// Output of every layer of the decoder on `z`, `[n, latent]`, in order; the last is `[n, dims]`.
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn decoder_layers(&self, z: &Tensor) -> Result<Vec<Tensor>> {
        let chains = chains(&self.description)?;
        self.run(&chains.decoder, first_of_decoder(chains), z)
    }

    /// A sample of the posterior of `x`, scaled, `[n, dims]`, for the noise `epsilon`, `[n, latent]`:
    /// `z`, its means and its log standard deviations.
    fn infer(&self, x: &Tensor, epsilon: &Tensor) -> Result<[Tensor; 3]> {
        let Chains {
            encoder, hierarchy, ..
        } = chains(&self.description)?;
        let features = last(self.run(encoder, 0, x)?)?;
        let sample = |parameters: &Tensor, epsilon: &Tensor| -> Result<[Tensor; 3]> {
            let latents = epsilon.dim(1)?;
            let mu = parameters.narrow(1, 0, latents)?;
            let log_sigma = parameters.narrow(1, latents, latents)?;
            let z = (&mu + (log_sigma.exp()? * epsilon)?)?;
            Ok([z, mu, log_sigma])
        };
        if hierarchy.is_empty() {
            return sample(&features, epsilon);
        }
        let mut first = 2 * encoder.iter().filter(has_weights).count();
        let mut done = 0;
        // What a posterior takes: the features, then the layers above.
        let mut inputs = vec![features];
        let (mut mus, mut log_sigmas) = (Vec::new(), Vec::new());
        for LatentLayer { latents, layers } in hierarchy {
            let parameters = last(self.run(layers, first, &Tensor::cat(&inputs, 1)?)?)?;
            let noise = epsilon.narrow(1, done, *latents)?;
            let [z, mu, log_sigma] = sample(&parameters, &noise)?;
            inputs.push(z);
            mus.push(mu);
            log_sigmas.push(log_sigma);
            first += 2 * layers.iter().filter(has_weights).count();
            done += latents;
        }
        let of_all = |parts: &[Tensor]| Tensor::cat(parts, 1);
        Ok([of_all(&inputs[1..])?, of_all(&mus)?, of_all(&log_sigmas)?])
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
    /// `KL = sum (mu^2 + sigma^2 - 1) / 2 - log sigma` (Kingma & Welling 2014, appendix B); with
    /// a hierarchy of each layer given the sample of those above.
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
        let [z, mu, log_sigma] = self.infer(&scaled, epsilon)?;
        let reconstruction = self.reconstruction(&z, x, differentiable)?;
        let squares = ((mu.sqr()? + log_sigma.exp()?.sqr()?)? - 1.0)?;
        let kl = ((squares * 0.5)? - log_sigma)?.sum_all()?;
        Ok((kl, reconstruction))
    }

    /// `-log p(x|z)` in nats, summed over the data.
    fn reconstruction(&self, z: &Tensor, x: &Tensor, differentiable: bool) -> Result<Tensor> {
        match self.description.likelihood {
            Likelihood::Bernoulli => {
                let logits = last(self.decoder_layers(z)?)?;
                Ok(bernoulli_nats(&logits, x)?)
            }
            Likelihood::CausalBernoulli(_) | Likelihood::CausalCategorical(_) => {
                if z.device().is_cpu() {
                    self.fused_nats(z, x, differentiable)
                } else {
                    self.tensors_nats(z, x)
                }
            }
            other => Err(Error::new(format!(
                "training knows Bernoulli and causal likelihoods, not {other:?}; `bbans bench` has \
                 the bound of any model"
            ))),
        }
    }

    /// [`Network::reconstruction`] of a causal likelihood, fused, on a CPU.
    fn fused_nats(&self, z: &Tensor, x: &Tensor, differentiable: bool) -> Result<Tensor> {
        let description = &self.description;
        let chains = chains(description)?;
        let first_of_head = first_of_head(chains);
        // The cells are the head's work.
        let (decoder, first) = match Plan::tiles(chains) {
            Some(_) => (chains.decoder.len() - 2, first_of_head - 2),
            None => (chains.decoder.len(), first_of_head),
        };
        let decoder = &chains.decoder[..decoder];
        let features = last(self.run(decoder, first_of_decoder(chains), z)?)?;
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

    /// The same in candle's own operations, on any device.
    fn tensors_nats(&self, z: &Tensor, x: &Tensor) -> Result<Tensor> {
        let channels = last(self.decoder_layers(z)?)?;
        let head = &self.vars[first_of_head(chains(&self.description)?)..];
        Ok(causal_nats_of_tensors(
            &self.description,
            x,
            &channels,
            head,
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
        let x = Tensor::from_vec(x, (n, dims), &self.device)?;
        Ok((x, Tensor::from_vec(noise, (n, latent), &self.device)?))
    }
}

/// The networks that are trained here.
pub(crate) fn chains(description: &Description) -> Result<&Chains> {
    description.chains().ok_or_else(|| {
        Error::new("training knows models of versions 1 to 5, whose networks are lists of layers, not graphs")
    })
}

/// Number of the first variable of the decoder.
fn first_of_decoder(chains: &Chains) -> usize {
    2 * chains.inference().filter(has_weights).count()
}

/// Number of the first variable of the head.
fn first_of_head(chains: &Chains) -> usize {
    first_of_decoder(chains) + 2 * chains.decoder.iter().filter(has_weights).count()
}

fn has_weights(layer: &&Layer) -> bool {
    matches!(layer, Layer::Dense { .. } | Layer::Cells { .. })
}

fn last(outputs: Vec<Tensor>) -> Result<Tensor> {
    outputs
        .into_iter()
        .next_back()
        .ok_or_else(|| Error::new("a network without layers"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::{Purpose, generator};
    use crate::preset::{Config, HeadLayer, Hierarchy, Pixels};
    use bbans_nn::Window;

    /// Loss and every derivative of the fused head and of the one in candle's operations.
    #[test]
    fn the_fused_head_is_the_one_of_tensors() {
        for embedding in [None, Some(3)] {
            let mut architecture = Config::preset("best").unwrap().architecture;
            architecture.encoder_hidden = vec![9];
            architecture.latent = 4;
            architecture.hierarchy = Some(Hierarchy {
                layers: 2,
                hidden: vec![5],
            });
            architecture.decoder_hidden = vec![7];
            let of_units = |units, neighbours| HeadLayer { units, neighbours };
            architecture.pixels = Some(Pixels {
                cell: [2, 3],
                cell_features: 5,
                cell_hidden: vec![6],
                window: Window {
                    channels: 3,
                    above: 2,
                    side: 1,
                },
                head_hidden: vec![of_units(5, None), of_units(4, Some([1, 2]))],
                embedding,
            });
            let mut rng = generator(3, Purpose::Initialization, 0);
            let network =
                Network::random("test", &[4, 6], &architecture, Device::Cpu, &mut rng).unwrap();
            let levels = if embedding.is_some() { 256 } else { 2 };
            let x = (0..5 * 24).map(|i| ((i * 7919) % 1009 % levels) as f32);
            let (x, epsilon) = network.batch(x.collect(), &mut rng).unwrap();
            let scaled = x.affine(f64::from(network.scale), 0.0).unwrap();
            let [z, _, _] = network.infer(&scaled, &epsilon).unwrap();
            let fused = network.fused_nats(&z, &x, true).unwrap();
            let composed = network.tensors_nats(&z, &x).unwrap();
            let close = |a: f32, b: f32| (a - b).abs() <= 1e-4 * (1.0 + a.abs());
            let [a, b] = [&fused, &composed].map(|t| t.to_scalar::<f32>().unwrap());
            assert!(close(a, b), "{a} {b}");
            let [fused, composed] = [fused, composed].map(|t| t.backward().unwrap());
            for (name, var) in network.names().iter().zip(network.vars()) {
                let [a, b] = [&fused, &composed].map(|grads| {
                    let grad = grads.get(var).map(|g| g.flatten_all().unwrap());
                    grad.unwrap().to_vec1::<f32>().unwrap()
                });
                assert!(a.iter().any(|&g| g != 0.0), "{name}");
                for (a, b) in a.into_iter().zip(b) {
                    assert!(close(a, b), "{name}: {a} {b}");
                }
            }
        }
    }
}
