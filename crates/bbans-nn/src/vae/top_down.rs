//! Latents group by group, from the top.

use ndarray::{Array2, ArrayView2};

use super::Vae;
use super::values::Values;
use crate::exact::dense::check_finite;
use crate::exact::math;
use crate::exact::simd::Path;
use crate::likelihood::clamp;
use bbans_core::{Error, Result};

/// A model's latents as they become known, one group after another from the top: each in units of its prior,
/// `(z - mean) / sigma`, so that the prior of all is the standard normal distribution.
#[derive(Debug, Clone)]
pub struct TopDown<'a> {
    vae: &'a Vae,
    values: Values,
    /// Of the next latents.
    group: usize,
    /// Of the next latents, if they have a prior of their own.
    prior: Option<Prior>,
}

/// Means and standard deviations of the posterior of a group of latents, in units of their prior, all
/// `[latents, lanes]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Posterior {
    /// The means.
    pub mean: Array2<f32>,
    /// Log standard deviations, clamped to the model's range.
    pub log_sigma: Array2<f32>,
    /// `e^-log_sigma`, as the codec uses it.
    pub inverse_sigma: Array2<f32>,
}

/// `[latents, lanes]` each.
#[derive(Debug, Clone)]
struct Prior {
    mean: Vec<f32>,
    log_sigma: Vec<f32>,
}

impl<'a> TopDown<'a> {
    pub(super) fn new(vae: &'a Vae, values: Values) -> Result<Self> {
        let mut latents = Self {
            vae,
            values,
            group: 0,
            prior: None,
        };
        if let Some(start) = &vae.functions.start {
            latents.values.make(vae.path, start)?;
        }
        latents.make_prior()?;
        Ok(latents)
    }

    fn make_prior(&mut self) -> Result<()> {
        let vae = self.vae;
        let group = vae.functions.groups.get(self.group);
        self.prior = match group.and_then(|group| group.prior.as_ref()) {
            None => None,
            Some(prior) => {
                self.values.make(vae.path, prior)?;
                let mean = self.values.get(prior.first()).to_vec();
                let mut log_sigma = self.values.get(prior.first() + 1).to_vec();
                let bounds = vae.description.latent.log_sigma;
                vae.path.vectorize(
                    #[inline(always)]
                    || log_sigma.iter_mut().for_each(|v| *v = clamp(*v, bounds)),
                );
                Some(Prior { mean, log_sigma })
            }
        };
        Ok(())
    }

    /// Number of lanes.
    pub fn lanes(&self) -> usize {
        self.values.lanes
    }

    /// `q(z_l | x, z_<l)` of the next group.
    ///
    /// # Errors
    /// If there is no other group, it was not asked of data, or the network's result is infinite or NaN.
    pub fn posterior(&self) -> Result<Posterior> {
        let vae = self.vae;
        let group = vae.functions.groups.get(self.group).ok_or_else(|| {
            Error::model(format!("the model has no group {} of latents", self.group))
        })?;
        let (path, lanes) = (vae.path, self.lanes());
        let mut outputs = self.values.run(path, &group.posterior)?.into_iter();
        let mut next = || outputs.next().unwrap_or_default();
        let (mut mean, mut log_sigma) = (next(), next());
        let inverse_sigma = relative(
            path,
            self.prior.as_ref(),
            vae.description.latent.log_sigma,
            &mut mean,
            &mut log_sigma,
        );
        check_finite(path, &mean)?;
        let array = |values| {
            Array2::from_shape_vec((group.count, lanes), values)
                .map_err(|_| Error::model("a posterior that does not fit its latents"))
        };
        Ok(Posterior {
            mean: array(mean)?,
            log_sigma: array(log_sigma)?,
            inverse_sigma: array(inverse_sigma)?,
        })
    }

    /// Makes the next group's latents known: `e`, `[latents, lanes]`, in units of their prior.
    ///
    /// # Errors
    /// If there is no other group, a size does not fit, or the network's result is infinite or NaN.
    pub fn set(&mut self, e: ArrayView2<'_, f32>) -> Result<()> {
        let vae = self.vae;
        let group = vae.functions.groups.get(self.group).ok_or_else(|| {
            Error::model(format!("the model has no group {} of latents", self.group))
        })?;
        if e.dim() != (group.count, self.lanes()) {
            return Err(Error::model(format!(
                "latents of [latents, lanes] = {:?}; expected {:?}",
                e.dim(),
                (group.count, self.lanes())
            )));
        }
        let mut z: Vec<f32> = e.iter().copied().collect();
        if let Some(Prior { mean, log_sigma }) = &self.prior {
            vae.path.vectorize(
                #[inline(always)]
                || {
                    for ((z, m), s) in z.iter_mut().zip(mean).zip(log_sigma) {
                        *z = m + math::exp(*s) * *z;
                    }
                },
            );
            check_finite(vae.path, &z)?;
        }
        self.values.set(group.value, z);
        if let Some(update) = &group.update {
            self.values.make(vae.path, update)?;
        }
        self.group += 1;
        self.make_prior()
    }

    /// The values, once all latents are known.
    pub(super) fn values(&self) -> Result<&Values> {
        if self.group < self.vae.functions.groups.len() {
            return Err(Error::model("not all latents are known"));
        }
        Ok(&self.values)
    }
}

/// A posterior in units of the prior, in place; gives the inverse standard deviations.
fn relative(
    path: Path,
    prior: Option<&Prior>,
    bounds: [f32; 2],
    mean: &mut [f32],
    log_sigma: &mut [f32],
) -> Vec<f32> {
    let mut inverse_sigma = vec![0.0; log_sigma.len()];
    path.vectorize(
        #[inline(always)]
        || {
            if let Some(prior) = prior {
                let of_prior = prior.mean.iter().zip(&prior.log_sigma);
                let both = mean.iter_mut().zip(log_sigma.iter_mut());
                for ((mean, log_sigma), (m, s)) in both.zip(of_prior) {
                    *mean = (*mean - m) * math::exp(-s);
                    *log_sigma -= s;
                }
            }
            let both = log_sigma.iter_mut().zip(&mut inverse_sigma);
            for (log_sigma, inverse_sigma) in both {
                *log_sigma = clamp(*log_sigma, bounds);
                *inverse_sigma = math::exp(-*log_sigma);
            }
        },
    );
    inverse_sigma
}
