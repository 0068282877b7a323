//! Bins that fit the posteriors of data.

use std::collections::BTreeMap;

use bbans_core::{Error, Result};
use bbans_nn::bins::{MASSES, insert_equal_width, insert_standard_normal};
use bbans_nn::description::{Bins, Networks};
use bbans_nn::{ModelFile, Posterior, Tensor, Vae};
use ndarray::{ArrayView2, Axis};

use crate::elbo::{binned_bits, elbo};
use crate::vae_model::VaeModel;

/// Where the posteriors of some data lie, in units of the prior.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Part of the posterior means that lie beyond the outermost edges of the bins, where all that the prior has
    /// left is one bin.
    pub outside: f64,
    /// Five standard deviations beyond the farthest mean.
    pub reach: f64,
}

/// Bins that were chosen for data.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// The model with them.
    pub file: ModelFile,
    /// The posteriors of the data under the bins that the model had.
    pub before: Spread,
    /// What those bins cost over the bound, as a part of it.
    pub cost_before: f64,
    /// What these bins cost.
    pub cost: f64,
}

/// Bins may cost this part of the bound.
const MOST_COST: f64 = 5e-4;
/// Draws of the latents of a datum. Bins are compared on the same ones.
const DRAWS: usize = 4;

/// Where the posteriors of `data`, symbols of the model, `[count, dims]`, lie. Groups of latents are taken at the
/// means of those above.
///
/// # Errors
/// [`bbans_core::ErrorKind::Model`] if the model cannot be evaluated.
pub fn spread(model: &VaeModel, data: ArrayView2<'_, u8>) -> Result<Spread> {
    let vae = model.vae();
    let (mut outside, mut count, mut reach) = (0usize, 0usize, 0f64);
    let edge = |edge: Option<&f32>| edge.copied().unwrap_or(0.0);
    let (first, last) = (edge(vae.edges().first()), edge(vae.edges().last()));
    for rows in data.axis_chunks_iter(Axis(0), 64) {
        let mut latents = vae.infer(rows)?.top_down()?;
        for _ in vae.latent_groups() {
            let Posterior {
                mean, log_sigma, ..
            } = latents.posterior()?;
            for (&m, &s) in mean.iter().zip(&log_sigma) {
                outside += usize::from(m < first || m > last);
                reach = reach.max(f64::from(m.abs()) + 5.0 * f64::from(s.exp()));
            }
            count += mean.len();
            latents.set(mean.view())?;
        }
    }
    Ok(Spread {
        outside: outside as f64 / count.max(1) as f64,
        reach,
    })
}

/// The model with bins for posteriors like those of `data`, symbols of the model, `[count, dims]`: those it has if they
/// cost little, else the fewest that do, of equal mass or of equal width.
///
/// # Errors
/// [`bbans_core::ErrorKind::InvalidArgument`] if there are no data, [`bbans_core::ErrorKind::Model`] if the model cannot
/// be evaluated.
pub fn fit_bins(file: &ModelFile, data: ArrayView2<'_, u8>) -> Result<Fitted> {
    if data.is_empty() {
        return Err(Error::invalid_argument(
            "no data to choose bins by; expected at least one datum",
        ));
    }
    let model = VaeModel::new(Vae::new(file)?)?;
    let before = spread(&model, data)?;
    let bound: f64 = (elbo(&model, data, DRAWS, 0, 0)?.iter())
        .map(|e| e.bits())
        .sum();
    let cost = |file: &ModelFile| -> Result<f64> {
        let model = VaeModel::new(Vae::new(file)?)?;
        let binned: f64 = binned_bits(&model, data, DRAWS, 0, 0)?.iter().sum();
        Ok(binned / bound - 1.0)
    };
    let cost_before = cost(file)?;
    let mut best = (cost_before, file.clone());
    for bin_precision in 8..=16 {
        for bins in [Bins::EqualMass, Bins::Masses] {
            if best.0 <= MOST_COST {
                break;
            }
            let other = with_bins(file, bins, bin_precision, before.reach)?;
            let cost = cost(&other)?;
            if cost < best.0 {
                best = (cost, other);
            }
        }
    }
    Ok(Fitted {
        file: best.1,
        before,
        cost_before,
        cost: best.0,
    })
}

/// The model with other bins.
fn with_bins(file: &ModelFile, bins: Bins, bin_precision: u32, reach: f64) -> Result<ModelFile> {
    let mut other = file.clone();
    let tensors: &mut BTreeMap<String, Tensor> = &mut other.tensors;
    tensors.remove(MASSES);
    match bins {
        Bins::EqualMass => insert_standard_normal(tensors, bin_precision)?,
        Bins::Masses => insert_equal_width(tensors, bin_precision, reach)?,
    }
    let description = &mut other.description;
    description.latent.bins = bins;
    description.latent.bin_precision = bin_precision;
    if bins == Bins::Masses {
        // Versions that have them have graphs.
        description.networks =
            Networks::Graphs(file.description.graphs(&file.tensors)?.into_owned());
    }
    description.version = description.oldest_version();
    Ok(other)
}
