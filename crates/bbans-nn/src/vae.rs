//! A variational autoencoder as the codec needs it: parameters of the posterior and of the
//! likelihood, exactly specified.

use std::cell::RefCell;
use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, Zip};

use crate::bins::{CENTRES, EDGES};
use crate::causal::{Channels, Head};
use crate::description::{Description, Likelihood};
use crate::error::{Error, Result};
use crate::fingerprint::fingerprint;
use crate::math;
use crate::model_file::ModelFile;
use crate::network::{Hidden, Network};
use crate::simd::Path;

/// Most channels and features of all pixels and lanes: a gigabyte of them.
const MAX_CHANNELS: usize = 1 << 28;

/// A model with one layer of Gaussian latents.
#[derive(Debug, Clone)]
pub struct Vae {
    description: Description,
    fingerprint: [u8; 32],
    dims: usize,
    encoder: Network,
    decoder: Network,
    /// Of a causal likelihood.
    head: Option<Head>,
    edges: Vec<f32>,
    centres: Vec<f32>,
    path: Path,
}

/// Means and standard deviations of a posterior, all `[latents, lanes]`.
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
        let dims = description.dims()?;
        let latent = description.latent.dim;
        let bins = 1usize << description.latent.bin_precision;
        let edges = file.tensor(EDGES, &[bins - 1])?.values.clone();
        if !edges.is_sorted() {
            return Err(Error::new(format!("the values of {EDGES} do not ascend")));
        }
        Ok(Self {
            fingerprint: fingerprint(file),
            dims,
            encoder: Network::new(&description.encoder, file, dims, 2 * latent)?,
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

    /// The encoder network: `[dims, lanes]` to `[2 * latents, lanes]`.
    pub fn encoder(&self) -> &Network {
        &self.encoder
    }

    /// The decoder network: `[latents, lanes]` to `[dims, lanes]`.
    pub fn decoder(&self) -> &Network {
        &self.decoder
    }

    /// The posterior `q(z|x)` of data `[lanes, dims]`.
    ///
    /// # Errors
    /// If the width is another, or the network's result is infinite or NaN.
    pub fn posterior(&self, x: ArrayView2<'_, u8>) -> Result<Posterior> {
        let parameters = self.encoder.forward_bytes(self.path, x)?;
        let (mean, log_sigma) = parameters.view().split_at(Axis(0), self.latents());
        let [min, max] = self.description.latent.log_sigma;
        let clamp = |&v: &f32| {
            let v = if v < max { v } else { max };
            if v > min { v } else { min }
        };
        self.path.vectorize(
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
            Err(Error::new("a latent in a bin that the model does not have"))
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
            return Err(Error::new("a causal likelihood of data that are no images"));
        };
        let each = (self.dims * window.channels).saturating_add(head.kept(window, width));
        if each.saturating_mul(z.ncols()) > MAX_CHANNELS {
            return Err(Error::new(format!(
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
    pub fn starts(&self, parameters: &[f32], starts: &mut [u32]) {
        self.likelihood.starts(self.path, parameters, starts);
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
