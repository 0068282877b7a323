//! Bins of the standard normal prior, for writers of model files.
//!
//! A latent is coded as the number of its bin. Edges, centres and masses are tensors of the model file: a
//! decoder reads them and never computes them, so nothing here is part of the format.

use std::collections::BTreeMap;

use crate::file::Tensor;
use bbans_core::{Error, Result, TOTAL_MASS};

/// Name of the tensor of inner edges, `[2^bin_precision - 1]`, ascending.
pub const EDGES: &str = "latent.edges";
/// Name of the tensor of centres, `[2^bin_precision]`, ascending.
pub const CENTRES: &str = "latent.centres";
/// Name of the tensor of masses under the prior, `[2^bin_precision]`, of bins whose masses differ: positive
/// integers that sum to 2^24.
pub const MASSES: &str = "latent.masses";

/// Adds [`EDGES`] and [`CENTRES`] for `2^bin_precision` bins: the quantiles `i / n` and
/// `(i + 1/2) / n` of the standard normal distribution.
///
/// # Errors
/// None for a `bin_precision` that a description allows.
pub fn insert_standard_normal(
    tensors: &mut BTreeMap<String, Tensor>,
    bin_precision: u32,
) -> Result<()> {
    let bins = 1usize << bin_precision.min(16);
    let at = |i: f64| quantile(i / bins as f64) as f32;
    let edges = (1..bins).map(|i| at(i as f64)).collect();
    let centres = (0..bins).map(|i| at(i as f64 + 0.5)).collect();
    tensors.insert(EDGES.to_owned(), Tensor::new(vec![bins - 1], edges)?);
    tensors.insert(CENTRES.to_owned(), Tensor::new(vec![bins], centres)?);
    Ok(())
}

/// Farthest inner edge of bins of equal width, in standard deviations of the prior.
pub const MAX_REACH: f64 = 1e4;

/// Adds [`EDGES`], [`CENTRES`] and [`MASSES`] for `2^bin_precision` bins of equal width, the inner ones from
/// `-reach` to `reach`: for posteriors that lie where the prior has hardly any mass.
///
/// # Errors
/// If `reach` is not positive or above [`MAX_REACH`], or `bin_precision` is not 2 to 16.
pub fn insert_equal_width(
    tensors: &mut BTreeMap<String, Tensor>,
    bin_precision: u32,
    reach: f64,
) -> Result<()> {
    if !(reach > 0.0 && reach <= MAX_REACH && (2..=16).contains(&bin_precision)) {
        return Err(Error::invalid_argument(format!(
            "2^{bin_precision} bins from {} to {reach}; expected 2^2 to 2^16, and a reach above 0, {MAX_REACH} at most",
            -reach
        )));
    }
    let bins = 1usize << bin_precision;
    let width = 2.0 * reach / (bins - 2) as f64;
    let edge = |i: usize| (i as f64 - 1.0) * width - reach;
    let edges: Vec<f64> = (1..bins).map(edge).collect();
    let centres = (0..bins).map(|i| (edge(i) + 0.5 * width) as f32).collect();
    let masses = normal_masses(&edges).into_iter().map(|mass| mass as f32);
    let masses = Tensor::new(vec![bins], masses.collect())?;
    let edges = edges.into_iter().map(|e| e as f32).collect();
    tensors.insert(EDGES.to_owned(), Tensor::new(vec![bins - 1], edges)?);
    tensors.insert(CENTRES.to_owned(), Tensor::new(vec![bins], centres)?);
    tensors.insert(MASSES.to_owned(), masses);
    Ok(())
}

/// Masses under the standard normal distribution of the bins between these edges: 1 where it has less than 2, and
/// what is left shared out among the others.
fn normal_masses(edges: &[f64]) -> Vec<u32> {
    let bins = edges.len() + 1;
    // From the nearer end, which keeps what is small exact.
    let between = |i: usize| {
        let low = if i == 0 {
            f64::NEG_INFINITY
        } else {
            edges[i - 1]
        };
        let high = edges.get(i).copied().unwrap_or(f64::INFINITY);
        if low < 0.0 {
            cumulative(high) - cumulative(low)
        } else {
            cumulative(-low) - cumulative(-high)
        }
    };
    let probability: Vec<f64> = (0..bins).map(between).collect();
    let large: Vec<bool> = (probability.iter().map(|p| p * f64::from(TOTAL_MASS) >= 2.0)).collect();
    let small = large.iter().filter(|&&large| !large).count();
    let spare = f64::from(TOTAL_MASS - small as u32);
    let total: f64 = (probability.iter().zip(&large))
        .filter_map(|(p, large)| large.then_some(p))
        .sum();
    let (mut below, mut given) = (0.0, 0);
    let share = |(p, large): (&f64, &bool)| {
        if !large {
            return 1;
        }
        below += p;
        let until = (spare * (below / total)).round() as u32;
        let mass = until - given;
        given = until;
        mass
    };
    probability.iter().zip(&large).map(share).collect()
}

/// The masses of a tensor.
///
/// # Errors
/// [`bbans_core::ErrorKind::Model`] if they are not positive integers that sum to 2^24.
pub(crate) fn masses(values: &[f32]) -> Result<Vec<u32>> {
    let total: f64 = values.iter().map(|&v| f64::from(v)).sum();
    if values.iter().any(|&v| v < 1.0 || v.fract() != 0.0) || total != f64::from(TOTAL_MASS) {
        return Err(Error::model(format!(
            "the values of {MASSES} sum to {total}; expected positive integers that sum to 2^24"
        )));
    }
    Ok(values.iter().map(|&v| v as u32).collect())
}

/// The standard normal cumulative.
fn cumulative(z: f64) -> f64 {
    0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}

/// The standard normal quantile of `p` in (0, 1), by bisection of `erfc`.
fn quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if cumulative(middle) < p {
            low = middle
        } else {
            high = middle
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        assert!((quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-12);
        assert!(quantile(0.5).abs() < 1e-15);
        assert!((quantile(1.0 / 65536.0) + 4.169_6).abs() < 1e-3);
    }

    #[test]
    fn equal_widths_have_the_masses_of_the_prior() {
        for (bin_precision, reach) in [(2, 1.0), (8, 4.0), (14, 9.0), (16, 40.0)] {
            let mut tensors = BTreeMap::new();
            insert_equal_width(&mut tensors, bin_precision, reach).unwrap();
            let masses = masses(&tensors[MASSES].values).unwrap();
            let edges = &tensors[EDGES].values;
            assert!(edges.is_sorted_by(|a, b| a < b));
            let (first, last) = (edges[0], edges[edges.len() - 1]);
            assert_eq!((first, last), (-reach as f32, reach as f32));
            let mut below = 0;
            for (i, edge) in edges.iter().enumerate() {
                below += masses[i];
                let expected = cumulative(f64::from(*edge)) * f64::from(TOTAL_MASS);
                let most = masses.len() as f64 + 2.0;
                assert!(
                    (f64::from(below) - expected).abs() < most,
                    "{i} {below} {expected}"
                );
                assert!(
                    tensors[CENTRES].values[i] < *edge && *edge < tensors[CENTRES].values[i + 1]
                );
            }
        }
        assert!(insert_equal_width(&mut BTreeMap::new(), 8, f64::NAN).is_err());
        assert!(masses(&[1.0, 2.0]).is_err() && masses(&[0.5, 16_777_215.5]).is_err());
    }
}
