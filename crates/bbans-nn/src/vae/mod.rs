//! A variational autoencoder as the codec needs it: parameters of the posterior and of the
//! likelihood, exactly specified.

use std::cell::RefCell;
use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, Slice, Zip};

use crate::causal::{Channels, Head};
use crate::description::{Description, LatentLayer, Likelihood};
use crate::exact::math;
use crate::exact::simd::Path;
use crate::file::ModelFile;
use crate::file::bins::{CENTRES, EDGES};
use crate::file::fingerprint;
use crate::network::{Hidden, Network};
use bbans_core::{Error, Result};

/// Most channels and features of all pixels and lanes: a gigabyte of them.
const MAX_CHANNELS: usize = 1 << 28;

/// A variational autoencoder with Gaussian latents.
#[derive(Debug, Clone)]
pub struct Vae {
    description: Description,
    fingerprint: [u8; 32],
    dims: usize,
    encoder: Network,
    /// From the encoder's features to the posterior of each layer of latents; none if the encoder
    /// gives that of all.
    posteriors: Vec<Network>,
    decoder: Network,
    /// Of a causal likelihood.
    head: Option<Head>,
    edges: Vec<f32>,
    centres: Vec<f32>,
    path: Path,
}

/// The posterior `q(z|x)` of some data, one layer of latents after another.
#[derive(Debug, Clone)]
pub struct Inference<'a> {
    vae: &'a Vae,
    /// `[features, lanes]`; without a hierarchy the parameters of all latents.
    features: Array2<f32>,
}

/// Means and standard deviations of the posterior of a layer of latents, all `[latents, lanes]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Posterior {
    /// The means.
    pub mean: Array2<f32>,
    /// Log standard deviations, clamped to the model's range.
    pub log_sigma: Array2<f32>,
    /// `e^-log_sigma`, as the codec uses it.
    pub inverse_sigma: Array2<f32>,
}

impl Vae {
    /// The model of a file's bytes.
    ///
    /// # Errors
    /// If the bytes are not a model, or its parts do not fit together.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::new(&ModelFile::from_bytes(bytes)?)
    }

    /// The model of a file.
    ///
    /// # Errors
    /// If its parts do not fit together.
    pub fn new(file: &ModelFile) -> Result<Self> {
        let description = file.description.clone();
        description.validate()?;
        let dims = description.dims()?;
        let latent = description.latent.dim;
        let bins = 1usize << description.latent.bin_precision;
        let edges = file.tensor(EDGES, &[bins - 1])?.values.clone();
        if !edges.is_sorted() {
            return Err(Error::model(format!("the values of {EDGES} do not ascend")));
        }
        let encoder = Network::of_layers(&description.encoder, file, dims)?;
        let mut inputs = encoder.outputs();
        let mut posteriors = Vec::with_capacity(description.hierarchy.len());
        for LatentLayer { latents, layers } in &description.hierarchy {
            posteriors.push(Network::new(layers, file, inputs, 2 * latents)?);
            inputs += latents;
        }
        if posteriors.is_empty() {
            encoder.expect_outputs(2 * latent)?;
        }
        Ok(Self {
            fingerprint: fingerprint(file),
            dims,
            encoder,
            posteriors,
            decoder: Network::new(
                &description.decoder,
                file,
                latent,
                dims * description.likelihood.parameters(),
            )?,
            head: Head::new(&description.head, description.likelihood, file)?,
            edges,
            centres: file.tensor(CENTRES, &[bins])?.values.clone(),
            path: Path::detect(),
            description,
        })
    }

    /// The same model on another SIMD path; its results are the same.
    #[must_use]
    pub fn with_path(mut self, path: Path) -> Self {
        self.path = path;
        self
    }

    /// The SIMD path that is used.
    pub fn path(&self) -> Path {
        self.path
    }

    /// What the model is.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// BLAKE3 over everything that the codec reads; docs/format.md says in which order.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// Number of observed dimensions of one datum.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// Number of latents of one datum.
    pub fn latents(&self) -> usize {
        self.description.latent.dim
    }

    /// The inner edges of the bins, ascending.
    pub fn edges(&self) -> &[f32] {
        &self.edges
    }

    /// The encoder network: `[dims, lanes]` to `[2 * latents, lanes]`, or to what the layers of latents
    /// take.
    pub fn encoder(&self) -> &Network {
        &self.encoder
    }

    /// The decoder network: `[latents, lanes]` to `[dims, lanes]`.
    pub fn decoder(&self) -> &Network {
        &self.decoder
    }

    /// Numbers of the latents of each layer, from the top, which is the order of inference.
    pub fn latent_layers(&self) -> Vec<Range<usize>> {
        let mut ranges = Vec::with_capacity(self.posteriors.len().max(1));
        let mut first = 0;
        for layer in &self.description.hierarchy {
            ranges.push(first..first + layer.latents);
            first += layer.latents;
        }
        if ranges.is_empty() {
            ranges.push(0..self.latents());
        }
        ranges
    }

    /// What the posterior `q(z|x)` of data `[lanes, dims]` depends on.
    ///
    /// # Errors
    /// If the width is another, or the network's result is infinite or NaN.
    pub fn infer(&self, x: ArrayView2<'_, u8>) -> Result<Inference<'_>> {
        Ok(Inference {
            vae: self,
            features: self.encoder.forward_bytes(self.path, x)?,
        })
    }

    /// The latents `[latents, lanes]` that bin numbers `[lanes, latents]` stand for: the centres of
    /// the bins.
    ///
    /// # Errors
    /// If a bin number is too large.
    pub fn latents_of_bins(&self, bins: ArrayView2<'_, u16>) -> Result<Array2<f32>> {
        let (lanes, latents) = bins.dim();
        let mut z = Array2::zeros((latents, lanes));
        let mut valid = true;
        Zip::from(&mut z).and(bins.t()).for_each(|z, &bin| {
            match self.centres.get(usize::from(bin)) {
                Some(&centre) => *z = centre,
                None => valid = false,
            }
        });
        if valid {
            Ok(z)
        } else {
            Err(Error::model(
                "a latent in a bin that the model does not have",
            ))
        }
    }

    /// The distribution of the observed dimensions.
    pub fn likelihood(&self) -> Likelihood {
        self.description.likelihood
    }

    /// Parameters of the observed dimensions, `[dims * parameters, lanes]`, for latents
    /// `[latents, lanes]`: for a Bernoulli likelihood the logits.
    ///
    /// # Errors
    /// If the height is another, or the network's result is infinite or NaN.
    pub fn parameters(&self, z: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        self.decoder.forward(self.path, z)
    }

    /// What a causal likelihood depends on, for latents `[latents, lanes]`; `None` if the likelihood is
    /// another.
    ///
    /// # Errors
    /// As [`Vae::parameters`].
    pub fn channels(&self, z: ArrayView2<'_, f32>) -> Result<Option<Channels<'_>>> {
        let (Some(head), Some(window)) = (&self.head, self.likelihood().window()) else {
            return Ok(None);
        };
        let &[height, width] = self.description.data_shape.as_slice() else {
            return Err(Error::model(
                "a causal likelihood of data that are no images",
            ));
        };
        let each = (self.dims * window.channels).saturating_add(head.kept(window, width));
        if each.saturating_mul(z.ncols()) > MAX_CHANNELS {
            return Err(Error::model(format!(
                "{} lanes of {each} channels and features each; the limit is {MAX_CHANNELS} numbers \
                 in all: use fewer lanes",
                z.ncols(),
            )));
        }
        Ok(Some(Channels {
            head,
            path: self.path,
            window,
            height,
            width,
            values: self.parameters(z)?,
        }))
    }

    /// The likelihood `p(x|z)` for bin numbers `[lanes, latents]`.
    ///
    /// # Errors
    /// As [`Vae::latents_of_bins`] and [`Vae::parameters`].
    pub fn decode(&self, bins: ArrayView2<'_, u16>) -> Result<Decoded<'_>> {
        let z = self.latents_of_bins(bins)?;
        Ok(Decoded {
            hidden: self.decoder.forward_hidden(self.path, z.view())?,
            path: self.path,
            dims: self.dims,
            likelihood: self.likelihood(),
            logits: RefCell::default(),
        })
    }
}

impl Inference<'_> {
    /// The same for every datum `count` times, one after another.
    #[must_use]
    pub fn repeated(&self, count: usize) -> Self {
        let (features, lanes) = self.features.dim();
        let of = |(feature, lane)| self.features[(feature, lane / count.max(1))];
        Self {
            vae: self.vae,
            features: Array2::from_shape_fn((features, lanes * count), of),
        }
    }

    /// `q(z_l | x, z_<l)` of layer `layer` for the latents of the layers above, the first rows of `z`,
    /// `[at least so many, lanes]`.
    ///
    /// # Errors
    /// If there is no such layer, a size does not fit, or the network's result is infinite or NaN.
    pub fn posterior(&self, layer: usize, z: ArrayView2<'_, f32>) -> Result<Posterior> {
        let vae = self.vae;
        let of_layer;
        let parameters = match vae.posteriors.get(layer) {
            Some(network) => {
                let before: usize = (vae.description.hierarchy[..layer].iter())
                    .map(|layer| layer.latents)
                    .sum();
                let lanes = self.features.ncols();
                if z.ncols() != lanes || z.nrows() < before {
                    return Err(Error::model(format!(
                        "latents of [latents, lanes] = {:?} for {before} of {lanes} lanes",
                        z.dim()
                    )));
                }
                let mut inputs = Array2::zeros((self.features.nrows() + before, lanes));
                let (mut features, mut latents) =
                    (inputs.view_mut()).split_at(Axis(0), self.features.nrows());
                features.assign(&self.features);
                latents.assign(&z.slice_axis(Axis(0), Slice::from(..before)));
                of_layer = network.forward(vae.path, inputs.view())?;
                of_layer.view()
            }
            None if vae.posteriors.is_empty() && layer == 0 => self.features.view(),
            None => {
                return Err(Error::model(format!(
                    "the model has no layer {layer} of latents"
                )));
            }
        };
        let (mean, log_sigma) = parameters.split_at(Axis(0), parameters.nrows() / 2);
        let [min, max] = vae.description.latent.log_sigma;
        let clamp = |&v: &f32| {
            let v = if v < max { v } else { max };
            if v > min { v } else { min }
        };
        vae.path.vectorize(
            #[inline(always)]
            || {
                let log_sigma = log_sigma.map(clamp);
                Ok(Posterior {
                    mean: mean.to_owned(),
                    inverse_sigma: log_sigma.mapv(|v| math::exp(-v)),
                    log_sigma,
                })
            },
        )
    }
}

/// The likelihood of some latents; its parameters are computed when they are asked for, few at a
/// time, while they are in a near cache.
#[derive(Debug)]
pub struct Decoded<'a> {
    hidden: Hidden<'a>,
    path: Path,
    dims: usize,
    likelihood: Likelihood,
    /// Space for those at hand.
    logits: RefCell<Vec<f32>>,
}

impl Decoded<'_> {
    /// Numbers of observed dimensions and of lanes.
    pub fn dim(&self) -> (usize, usize) {
        (self.dims, self.hidden.lanes())
    }

    /// The distribution of the observed dimensions.
    pub fn likelihood(&self) -> Likelihood {
        self.likelihood
    }

    /// Parameters of some observed dimensions into `out`, `[dims.len(), parameters, lanes]`.
    ///
    /// # Errors
    /// As [`Decoded::bernoulli_masses`].
    pub fn parameters(&self, dims: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        let each = self.likelihood.parameters();
        out.resize(dims.len() * each * self.hidden.lanes(), 0.0);
        self.hidden.outputs(dims.start * each..dims.end * each, out)
    }

    /// The tables of one dimension from its parameters: [`Likelihood::starts`].
    ///
    /// # Errors
    /// As there.
    pub fn starts(&self, parameters: &[f32], starts: &mut [u32]) -> Result<()> {
        self.likelihood.starts(self.path, parameters, starts)
    }

    /// Masses, of `2^24`, of a 1 in some observed dimensions, into `masses`: row-major
    /// `[dims.len(), lanes]`, as a coder takes them. Fastest from a multiple of 32 on.
    ///
    /// # Errors
    /// If a size does not fit, the likelihood is another, or the network's result is infinite or NaN.
    #[inline(always)]
    pub fn bernoulli_masses<T: Copy>(
        &self,
        dims: Range<usize>,
        masses: &mut Vec<T>,
        of_mass: impl Fn(u32) -> T,
    ) -> Result<()> {
        let mut logits = self.logits.borrow_mut();
        logits.resize(dims.len() * self.hidden.lanes(), 0.0);
        self.hidden.outputs(dims, &mut logits)?;
        self.path.vectorize(
            #[inline(always)]
            || {
                masses.resize(logits.len(), of_mass(1));
                for (mass, &logit) in masses.iter_mut().zip(logits.iter()) {
                    *mass = of_mass(math::bernoulli_mass(logit));
                }
            },
        );
        Ok(())
    }
}
