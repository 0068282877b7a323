//! Bins that fit the posteriors of data.

use std::collections::BTreeMap;

use bbans_core::{Error, Result};
use bbans_nn::bins::{MASSES, MAX_REACH, insert_equal_width, insert_standard_normal};
use bbans_nn::description::{BinKind, Networks};
use bbans_nn::{ModelFile, Posterior, Tensor, Vae};
use ndarray::{ArrayView2, Axis};

use crate::binned::binned;
use crate::elbo::elbo;
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

/// Bins that a model has are kept if they cost no more than this part of the bound.
const KEPT_COST: f64 = 1e-3;
/// Others may cost this part.
const MOST_COST: f64 = 5e-4;
/// Draws of the latents of a datum. Bins are compared on the same ones.
const DRAWS: u64 = 4;

/// Bits of `data` with the latents of all draws: `-log2 p(x|z) p(z) / q(z|x)`, of which the bound is the mean.
fn continuous(model: &VaeModel, data: ArrayView2<'_, u16>) -> Result<f64> {
    (0..DRAWS)
        .map(|seed| {
            let of_data = elbo(model, data, 1, seed, 0)?;
            Ok(of_data.iter().map(|e| e.importance_bits).sum::<f64>())
        })
        .sum()
}

/// The same with the bins that these latents fall into.
fn with_bins_of(model: &VaeModel, data: ArrayView2<'_, u16>) -> Result<f64> {
    (0..DRAWS)
        .map(|seed| {
            let of_data = binned(model, data, seed, 0)?;
            Ok(of_data.iter().map(|b| b.bits).sum::<f64>())
        })
        .sum()
}

/// What the bins of the model cost over the bound of `data`, symbols of the model, `[count, dims]`, as a part of it.
///
/// # Errors
/// As [`spread`].
pub fn bins_cost(model: &VaeModel, data: ArrayView2<'_, u16>) -> Result<f64> {
    Ok(with_bins_of(model, data)? / continuous(model, data)? - 1.0)
}

/// Where the posteriors of `data`, symbols of the model, `[count, dims]`, lie. Groups of latents are taken at the
/// means of those above.
///
/// # Errors
/// [`bbans_core::ErrorKind::Model`] if the model cannot be evaluated.
pub fn spread(model: &VaeModel, data: ArrayView2<'_, u16>) -> Result<Spread> {
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
pub fn fit_bins(file: &ModelFile, data: ArrayView2<'_, u16>) -> Result<Fitted> {
    if data.is_empty() {
        return Err(Error::invalid_argument(
            "no data to choose bins by; expected at least one datum",
        ));
    }
    let model = VaeModel::new(Vae::new(file)?)?;
    let before = spread(&model, data)?;
    if model.vae().latents() == 0 {
        return Ok(Fitted {
            file: file.clone(),
            before,
            cost_before: 0.0,
            cost: 0.0,
        });
    }
    let bound = continuous(&model, data)?;
    let cost = |file: &ModelFile| -> Result<f64> {
        Ok(with_bins_of(&VaeModel::new(Vae::new(file)?)?, data)? / bound - 1.0)
    };
    let cost_before = cost(file)?;
    let mut best = (cost_before, file.clone());
    let all = (8..=16)
        .flat_map(|precision| [BinKind::EqualMass, BinKind::Masses].map(|kind| (kind, precision)));
    for (kind, bin_precision) in all {
        if best.0 <= MOST_COST || cost_before <= KEPT_COST {
            break;
        }
        let other = with_bins(file, kind, bin_precision, before.reach)?;
        let cost = cost(&other)?;
        if cost < best.0 {
            best = (cost, other);
        }
    }
    Ok(Fitted {
        file: best.1,
        before,
        cost_before,
        cost: best.0,
    })
}

/// The model with `2^bin_precision` bins of one width, the inner ones from `-reach` to `reach`.
///
/// # Errors
/// If there are no such bins.
pub fn with_equal_width(file: &ModelFile, bin_precision: u32, reach: f64) -> Result<ModelFile> {
    with_bins(file, BinKind::Masses, bin_precision, reach)
}

/// The model with other bins.
fn with_bins(file: &ModelFile, bins: BinKind, bin_precision: u32, reach: f64) -> Result<ModelFile> {
    let mut other = file.clone();
    let tensors: &mut BTreeMap<String, Tensor> = &mut other.tensors;
    tensors.remove(MASSES);
    match bins {
        BinKind::EqualMass => insert_standard_normal(tensors, bin_precision)?,
        BinKind::Masses => insert_equal_width(tensors, bin_precision, reach.min(MAX_REACH))?,
    }
    let description = &mut other.description;
    description.latent.bins = bins;
    description.latent.bin_precision = bin_precision;
    if bins == BinKind::Masses {
        // Versions that have them have graphs.
        description.networks =
            Networks::Graphs(file.description.graphs(&file.tensors)?.into_owned());
    }
    description.version = description.oldest_version();
    Ok(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bbans_core::block::{self, Way};

    /// A chain of layers with bins of equal width is a graph that codes the same data, at the cost that is told.
    #[test]
    fn other_bins_are_another_model_of_the_same_networks() {
        let bytes = include_bytes!("../../../tests/golden/grey/hierarchy.safetensors");
        let file = ModelFile::from_bytes(bytes).unwrap();
        let other = with_bins(&file, BinKind::Masses, 12, 9.0).unwrap();
        assert_eq!(
            (file.description.version, other.description.version),
            (5, 7)
        );
        let models = [
            &file,
            &ModelFile::from_bytes(&other.to_bytes().unwrap()).unwrap(),
        ]
        .map(|file| VaeModel::new(Vae::new(file).unwrap()).unwrap());
        let data = crate::sample(&models[1], 200, 1, 0).unwrap();
        let of_draws = models
            .each_ref()
            .map(|m| continuous(m, data.view()).unwrap());
        assert_eq!(of_draws[0], of_draws[1]);
        let with_bins = with_bins_of(&models[1], data.view()).unwrap();
        assert!(
            (with_bins / of_draws[0] - 1.0).abs() < 3e-3,
            "{with_bins} {}",
            of_draws[0]
        );
        let of_one = with_bins / DRAWS as f64;
        let way = Way::plain(16).whitened(&models[1]);
        let clean = block::encode_by(&models[1], data.view(), way).unwrap();
        let over = clean.net_bits / of_one - 1.0;
        assert!(over.abs() < 0.05, "{} {of_one}", clean.net_bits);
        // What a step leaves on the message of this model is not uniform: the next one must not pop it as it is.
        let plain = block::encode_by(&models[1], data.view(), Way::plain(16)).unwrap();
        assert!(plain.net_bits > 1.1 * clean.net_bits);
        assert_eq!(
            block::decode(&models[1], clean.plan, clean.words).unwrap(),
            data
        );
        let fitted = fit_bins(&file, data.view()).unwrap();
        assert!(fitted.cost <= fitted.cost_before);
        assert!(fit_bins(&file, data.slice_axis(Axis(0), ndarray::Slice::from(..0))).is_err());
    }
}
