//! The equal-mass bins of the standard normal prior, for writers of model files.
//!
//! A latent is coded as the number of its bin. Edges and centres are tensors of the model file: a
//! decoder reads them and never computes them, so nothing here is part of the format.

use std::collections::BTreeMap;

use crate::file::Tensor;
use bbans_core::Result;

/// Name of the tensor of inner edges, `[2^bin_precision - 1]`, ascending.
pub const EDGES: &str = "latent.edges";
/// Name of the tensor of centres, `[2^bin_precision]`, ascending.
pub const CENTRES: &str = "latent.centres";

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

/// The standard normal quantile of `p` in (0, 1), by bisection of `erfc`.
fn quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        let cumulative = 0.5 * libm::erfc(-middle * std::f64::consts::FRAC_1_SQRT_2);
        if cumulative < p {
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
}
