//! A model in candle: the functions of a description, their parameters, the evidence lower bound.

mod head;
mod parameters;
mod positions;
mod units;
mod wiring;

use std::collections::BTreeMap;

use bbans_nn::description::Networks;
use bbans_nn::ops::Shape;
use bbans_nn::{Description, Likelihood, ModelFile};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarMap;

use crate::batch::Batch;
use crate::bound::{importance_weighted, total};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::head::Derivatives;
use crate::objective;
use head::Head;
use parameters::{Done, Parameters, scaled_tensors};
pub(crate) use parameters::{Fold, Source, lock};
pub(crate) use positions::Positions;
use wiring::{Wired, Wiring, pair};

/// The two parts of the negative evidence lower bound, in nats, summed over data.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Elbo {
    /// `KL(q(z|x), p(z))`.
    pub kl_nats: f64,
    /// `-log p(x|z)` for one sample of `z`.
    pub reconstruction_nats: f64,
}

/// A model whose parameters can be trained.
pub struct Network {
    description: Description,
    vars: VarMap,
    /// Names of the parameters, in the order of the functions.
    names: Vec<String>,
    fold: Fold,
    /// Numbers that a lane has in all values.
    numbers: usize,
    /// Factor of the data on their way into the encoder.
    scale: f32,
    /// None without latents.
    encode: Option<Wired>,
    start: Option<Wired>,
    groups: Vec<Group>,
    decode: Wired,
    head: Head,
    device: Device,
    remarks: Vec<String>,
}

struct Group {
    latents: String,
    shape: Shape,
    count: usize,
    prior: Option<Wired>,
    posterior: Wired,
    update: Option<Wired>,
}

/// Terms of the bound, for each lane.
pub(crate) struct Terms {
    /// `-log p(x|z)`, `[lanes]`.
    pub nats: Tensor,
    /// `KL(q(z|x), p(z))` of each group, `[lanes]`.
    pub kl: Vec<Tensor>,
    /// `log p(z) - log q(z|x)` of the sample, `[lanes]`.
    pub log_ratio: Tensor,
}

impl Network {
    /// The network of a model file.
    ///
    /// # Errors
    /// If its parts do not fit together.
    pub fn from_model_file(file: &ModelFile) -> Result<Self> {
        Self::new(&file.description, Source::file(file), Device::Cpu)
    }

    /// The network of a description, with parameters from a source. What the description has as lists of layers
    /// becomes graphs, with the sizes of the source's tensors.
    pub(crate) fn new(
        description: &Description,
        source: Source<'_>,
        device: Device,
    ) -> Result<Self> {
        let fuse = device.is_cpu();
        Self::build(description, source, device, fuse)
    }

    /// The same; with `fuse` a head is one operation where it can be, on a CPU.
    fn build(
        description: &Description,
        mut source: Source<'_>,
        device: Device,
        fuse: bool,
    ) -> Result<Self> {
        let graphs = description.graphs(source.tensors())?.into_owned();
        let (shape, likelihood) = (&description.data_shape, description.likelihood);
        let levels = likelihood.levels();
        let of_numbers = matches!(likelihood, Likelihood::Autoregressive(_));
        let scaled = (graphs.encode.as_ref())
            .and_then(scaled_tensors)
            .filter(|_| levels > 2 && !of_numbers);
        let scale = scaled.as_ref().map_or(1.0, |_| 1.0 / (levels - 1) as f32);
        let scaled = scaled.unwrap_or_default();
        source.scale_data(scaled, scale);

        let data = graphs.encode.iter().flat_map(|encode| &encode.inputs);
        let mut wiring = Wiring {
            parameters: Parameters::new(source, device.clone()),
            shapes: data.map(|data| (data.clone(), shape.clone())).collect(),
        };
        let encode = graphs.encode.as_ref();
        let encode = encode.map(|f| wiring.wire("encode", f, true)).transpose()?;
        let start = graphs.start.as_ref();
        let start = start.map(|f| wiring.wire("start", f, true)).transpose()?;
        let mut groups = Vec::with_capacity(graphs.groups.len());
        for group in &graphs.groups {
            let of = |what: &str| format!("the {what} of {}", group.latents);
            let prior = group.prior.as_ref();
            let prior = prior
                .map(|f| wiring.wire(&of("prior"), f, true))
                .transpose()?;
            let posterior = wiring.wire(&of("posterior"), &group.posterior, false)?;
            wiring
                .shapes
                .insert(group.latents.clone(), group.shape.clone());
            let update = group.update.as_ref();
            groups.push(Group {
                latents: group.latents.clone(),
                shape: group.shape.clone(),
                count: group.shape.iter().product(),
                prior,
                posterior,
                update: update
                    .map(|f| wiring.wire(&of("update"), f, true))
                    .transpose()?,
            });
        }
        let inputs = wiring.shapes_of("decode", &graphs.decode)?;
        let mut units = objective::units(likelihood);
        let layers = units
            .as_ref()
            .map(|units| units::of_layers(&graphs.decode, &inputs, units));
        let mut remarks = Vec::new();
        match layers.flatten() {
            Some(layers) => wiring.parameters.end_in(layers),
            None if units.take().is_some() => remarks.push(
                "decode does not end in layers of which each output, or channel, is one kind of parameter: it is \
                 trained in the units of the levels, and converges slowly (after a convolution, permute [1, 2, 0] puts \
                 its channels last)"
                    .to_owned(),
            ),
            None => {}
        }
        let mut decode = wiring.wire("decode", &graphs.decode, false)?;
        let mut head = Head::new(&graphs, likelihood, shape, &mut wiring.parameters, fuse)?;
        if let Head::None(of_head) = &mut head {
            *of_head = units;
        }
        if let (Head::Fused(..), Some(trunk)) = (&head, head::trunk(&graphs.decode)) {
            // The cells are the head's work.
            decode.graph = Graph::new(&trunk, &inputs, &wiring.parameters.builder())?;
        }
        let Done {
            vars,
            names,
            fold,
            numbers,
            taken,
        } = wiring.parameters.done()?;
        if let Some(taken) = taken.filter(|&taken| taken < names.len()) {
            remarks.push(format!(
                "{taken} of {} tensors are the model's, the others are drawn",
                names.len()
            ));
        }
        let mut description = description.clone();
        description.networks = Networks::Graphs(graphs);
        description.version = description.oldest_version();
        Ok(Self {
            description,
            vars,
            names,
            fold,
            numbers,
            scale,
            encode,
            start,
            groups,
            decode,
            head,
            device,
            remarks,
        })
    }

    /// What the network is, as graphs.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// What a user should know, a line each.
    pub(crate) fn remarks(&self) -> &[String] {
        &self.remarks
    }

    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// Number of weights.
    pub(crate) fn weights(&self) -> usize {
        let vars = self.vars.all_vars();
        vars.iter().map(|var| var.elem_count()).sum()
    }

    /// Names of the parameters, in the order of the functions.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn vars(&self) -> &VarMap {
        &self.vars
    }

    /// Factor of the data on their way into the encoder.
    pub(crate) fn scale(&self) -> f32 {
        self.scale
    }

    /// What the parameters are in a file.
    pub(crate) fn fold(&self) -> &Fold {
        &self.fold
    }

    /// Numbers that a lane has in all values.
    pub(crate) fn numbers(&self) -> usize {
        self.numbers
    }

    /// The head of a likelihood of one symbol after another.
    pub(crate) fn positions(&self) -> Option<&Positions> {
        match &self.head {
            Head::Positions(positions) => Some(positions),
            _ => None,
        }
    }

    /// Number of latents of a datum.
    pub(crate) fn latents(&self) -> usize {
        self.description.latent.dim
    }

    /// The negative evidence lower bound of data, row-major `[count, dims]`, for standard normal draws,
    /// `[count, latents]`, group after group from the top.
    ///
    /// # Errors
    /// If the sizes do not fit, or a symbol is beyond the likelihood's levels.
    pub fn elbo(&self, x: &[u16], noise: &[f32]) -> Result<Elbo> {
        let batch = Batch::new(self, x, noise, 1)?;
        let terms = self.terms(&batch, Derivatives::None)?;
        let mut elbo = Elbo {
            kl_nats: 0.0,
            reconstruction_nats: total(&terms.nats)?,
        };
        for kl in &terms.kl {
            elbo.kl_nats += total(kl)?;
        }
        Ok(elbo)
    }

    /// The negative importance-weighted bound (Burda, Grosse & Salakhutdinov 2016) of data, in nats: as
    /// [`Network::elbo`], with `samples` draws for each datum one after another.
    ///
    /// # Errors
    /// If the sizes do not fit, or a symbol is beyond the likelihood's levels.
    pub fn importance_weighted_nats(
        &self,
        x: &[u16],
        noise: &[f32],
        samples: usize,
    ) -> Result<f64> {
        let batch = Batch::new(self, x, noise, samples)?;
        let terms = self.terms(&batch, Derivatives::None)?;
        total(&importance_weighted(&terms, &batch, 1.0)?.unsqueeze(0)?)
    }

    /// Terms that can be differentiated: KL divergences in closed form (Kingma & Welling 2014, appendix B), each
    /// group's given the sample of those above.
    pub(crate) fn terms(&self, batch: &Batch, derivatives: Derivatives) -> Result<Terms> {
        let lanes = batch.lanes;
        let bounds = self.description.latent.log_sigma;
        let clamp = |x: &Tensor| x.clamp(bounds[0], bounds[1]);
        let mut values: BTreeMap<&str, Tensor> = BTreeMap::new();
        if let Some(encode) = &self.encode {
            let features = encode
                .graph
                .run(std::slice::from_ref(&batch.data), batch.count)?;
            for (name, value) in encode.outputs.iter().zip(features) {
                values.insert(name, batch.repeated(&value)?);
            }
        }
        if let Some(start) = &self.start {
            start.make(&mut values, lanes)?;
        }
        let (mut kl, mut first) = (Vec::with_capacity(self.groups.len()), 0);
        let mut log_ratio: Option<Tensor> = None;
        for group in &self.groups {
            let flat = |value: &Tensor| value.reshape((group.count, lanes));
            let prior = match &group.prior {
                None => None,
                Some(prior) => {
                    prior.make(&mut values, lanes)?;
                    let [mean, log_sigma] = pair(prior, &values)?;
                    Some([flat(&mean)?, clamp(&flat(&log_sigma)?)?])
                }
            };
            let [mean, log_sigma] =
                <[Tensor; 2]>::try_from(group.posterior.run(&values, lanes)?)
                    .map_err(|_| Error::new("a posterior of other than two values"))?;
            let [mut mean, mut log_sigma] = [flat(&mean)?, flat(&log_sigma)?];
            // In units of the prior.
            if let Some([m, s]) = &prior {
                mean = ((mean - m)? * s.neg()?.exp()?)?;
                log_sigma = (log_sigma - s)?;
            }
            let log_sigma = clamp(&log_sigma)?;
            let sigma = log_sigma.exp()?;
            let noise = batch.noise.narrow(0, first, group.count)?;
            first += group.count;
            let e = (&mean + (&sigma * &noise)?)?;
            let halves = ((mean.sqr()? + sigma.sqr()?)? - 1.0)?;
            kl.push(((halves * 0.5)? - &log_sigma)?.sum(0)?);
            let ratio = (((noise.sqr()? - e.sqr()?)? * 0.5)? + &log_sigma)?.sum(0)?;
            log_ratio = Some(match log_ratio {
                None => ratio,
                Some(sum) => (sum + ratio)?,
            });
            let z = match &prior {
                None => e,
                Some([m, s]) => (m + (s.exp()? * e)?)?,
            };
            values.insert(
                &group.latents,
                z.reshape([&group.shape[..], &[lanes]].concat())?,
            );
            if let Some(update) = &group.update {
                update.make(&mut values, lanes)?;
            }
        }
        let decoded = self.decode.run(&values, lanes)?;
        let [decoded] = &decoded[..] else {
            return Err(Error::new("decode gives other than one value"));
        };
        Ok(Terms {
            nats: self
                .head
                .nats(&self.description, decoded, batch, derivatives)?,
            kl,
            log_ratio: match log_ratio {
                Some(sum) => sum,
                None => Tensor::zeros(lanes, DType::F32, &self.device)?,
            },
        })
    }
}

#[cfg(test)]
mod tests;
