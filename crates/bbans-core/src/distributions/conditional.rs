//! A Gaussian prior of a latent given the layer above, over fixed bins.

use ndarray::Array2;

use crate::codec::Independent;
use crate::distribution::{Distribution, Interval, PRECISION, TOTAL_MASS};
use crate::distributions::gaussian::{Bins, GaussianBin, gaussian_bins};
use crate::distributions::uniform::unreachable_interval;
use crate::error::Result;

/// A [`GaussianBin`] whose bins all have a mass of at least 1, as whatever is pushed first must
/// have: with `C(j)` the Gaussian's mass below bin `j`, of `n`, bin `j` starts at
/// `j + floor(C(j) (2^24 - n) / 2^24)`.
#[derive(Debug, Clone, Copy)]
pub struct ConditionalBin<'a>(GaussianBin<'a>);

/// `p(z|z')` of a batch: one Gaussian for each latent, over bins that all share, from means and
/// inverse standard deviations, both `[latents, lanes]`.
///
/// # Errors
/// As [`gaussian_bins`].
pub fn conditional_bins<'a>(
    bins: &'a Bins,
    mean: &Array2<f32>,
    inverse_sigma: &Array2<f32>,
) -> Result<Independent<Array2<ConditionalBin<'a>>>> {
    let Independent(columns) = gaussian_bins(bins, mean, inverse_sigma)?;
    Ok(Independent(
        columns.map(|&gaussian| ConditionalBin(gaussian)),
    ))
}

impl ConditionalBin<'_> {
    fn start(&self, bin: usize) -> u32 {
        let spare = u64::from(TOTAL_MASS) - self.0.bins().count() as u64;
        bin as u32 + ((u64::from(self.0.mass_below(bin)) * spare) >> PRECISION) as u32
    }
}

impl Distribution for ConditionalBin<'_> {
    type Symbol = u16;

    fn interval(&self, &bin: &u16) -> Option<Interval> {
        let bin = usize::from(bin);
        (bin < self.0.bins().count())
            .then(|| Interval::between(self.start(bin), self.start(bin + 1)))?
    }

    fn locate(&self, quantile: u32) -> (u16, Interval) {
        // The last bin that does not start above the quantile.
        let (mut low, mut high) = (0, self.0.bins().count());
        while high - low > 1 {
            let middle = (low + high) / 2;
            let below = self.start(middle) <= quantile;
            (low, high) = if below { (middle, high) } else { (low, middle) };
        }
        let bin = low as u16;
        let interval = self.interval(&bin);
        (
            bin,
            interval.unwrap_or_else(|| unreachable_interval(quantile)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::laws::check_distribution;

    #[test]
    fn obeys_the_laws_and_has_mass_everywhere() {
        let edges: Vec<f32> = (1..64).map(|i| (i as f32 - 32.0) / 8.0).collect();
        let bins = Bins::new(&edges).unwrap();
        for (mean, rate) in [(0.0, 1.0), (-3.0, 900.0), (50.0, 4.0), (0.3, 0.01)] {
            let column = conditional_bins(
                &bins,
                &Array2::from_elem((1, 1), mean),
                &Array2::from_elem((1, 1), rate),
            );
            let distribution = column.unwrap().0[(0, 0)];
            check_distribution(&distribution, 0..64).unwrap();
            assert!((0..64).all(|bin| distribution.interval(&bin).is_some()));
            assert_eq!(distribution.interval(&64), None);
        }
    }
}
