//! A diagonal Gaussian over the equal-mass bins of the prior.

use ndarray::{Array2, Zip};

use crate::codec::{Independent, check_shape};
use crate::distribution::{Distribution, Interval, PRECISION, TOTAL_MASS};
use crate::distributions::normal_cdf::{normal_cdf, normal_quantile_hint};
use crate::distributions::uniform::unreachable_interval;
use crate::error::{Error, Result};

/// The edges between bins of equal prior mass: bin `i` lies between edge `i - 1` and edge `i`;
/// the first and the last reach to infinity.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    /// Invariant: ascending and finite, `2^k - 1` of them with `k` from 1 to 16.
    edges: Vec<f32>,
}

impl Bins {
    /// Bins from their inner edges.
    ///
    /// # Errors
    /// If the edges are not ascending and finite, or their number is not `2^k - 1` for a `k` from
    /// 1 to 16.
    pub fn new(edges: Vec<f32>) -> Result<Self> {
        let bins = edges.len() + 1;
        if !bins.is_power_of_two() || !(2..=1 << 16).contains(&bins) {
            return Err(Error::invalid_argument(format!(
                "{} inner edges; expected one less than a power of two from 2 to 2^16",
                edges.len()
            )));
        }
        if !edges.iter().all(|e| e.is_finite()) || !edges.is_sorted() {
            return Err(Error::invalid_argument(
                "bin edges must be finite and ascending",
            ));
        }
        Ok(Self { edges })
    }

    /// Number of bins.
    pub fn count(&self) -> usize {
        self.edges.len() + 1
    }
}

/// A Gaussian over the bins: the cumulative at edge `e` is `T((e - mean) / sigma)`.
///
/// Bins may have no mass: a posterior is popped before it is pushed, so they never occur, and
/// finding one on a push means that the data are damaged.
#[derive(Debug, Clone, Copy)]
pub struct GaussianBin<'a> {
    bins: &'a Bins,
    mean: f32,
    inverse_sigma: f32,
}

/// The posterior of a batch: one Gaussian for each latent, over bins that all share, from means and
/// inverse standard deviations, both `[lanes, latents]`.
///
/// # Errors
/// If the shapes differ, a mean is not finite, or an inverse standard deviation is not finite and
/// positive.
pub fn gaussian_bins<'a>(
    bins: &'a Bins,
    mean: &Array2<f32>,
    inverse_sigma: &Array2<f32>,
) -> Result<Independent<GaussianBin<'a>>> {
    check_shape(inverse_sigma.dim(), mean.dim())?;
    let valid = Zip::from(mean)
        .and(inverse_sigma)
        .all(|&m, &s| m.is_finite() && s.is_finite() && s > 0.0);
    if !valid {
        return Err(Error::model(
            "a posterior whose mean or standard deviation is no number",
        ));
    }
    let (lanes, latents) = mean.dim();
    Ok(Independent::new(lanes, latents, |lane, k| GaussianBin {
        bins,
        mean: mean[(lane, k)],
        inverse_sigma: inverse_sigma[(lane, k)],
    }))
}

/// Bins that are tried one after another from a guess on, before a search of all.
const STEPS: usize = 24;

impl GaussianBin<'_> {
    /// Mass below inner edge number `i`, or below infinity where there is none.
    #[inline(always)]
    fn below(&self, i: usize) -> u32 {
        let edge = self.bins.edges.get(i);
        edge.map_or(TOTAL_MASS, |&e| {
            normal_cdf((e - self.mean) * self.inverse_sigma)
        })
    }

    /// Mass below bin number `bin`.
    #[inline(always)]
    fn start(&self, bin: usize) -> u32 {
        if bin == 0 { 0 } else { self.below(bin - 1) }
    }

    /// About the bin of a quantile, exact for no one: the equal-mass bin of the standard normal
    /// prior that the quantile's value lies in.
    #[inline(always)]
    fn guess(&self, quantile: u32) -> usize {
        let z = self.mean + normal_quantile_hint(quantile) / self.inverse_sigma;
        let bins = self.bins.edges.len() + 1;
        ((u64::from(normal_cdf(z)) * bins as u64) >> PRECISION) as usize
    }
}

impl Distribution for GaussianBin<'_> {
    type Symbol = u16;

    #[inline(always)]
    fn interval(&self, &bin: &u16) -> Option<Interval> {
        let bin = usize::from(bin);
        if bin > self.bins.edges.len() {
            return None;
        }
        Interval::between(self.start(bin), self.below(bin))
    }

    #[inline(always)]
    fn locate(&self, quantile: u32) -> (u16, Interval) {
        let mut bin = self.guess(quantile).min(self.bins.edges.len());
        let (mut start, mut end) = (self.start(bin), self.below(bin));
        for _ in 0..STEPS {
            if quantile < start {
                // Not the first bin, which starts at 0.
                bin = bin.saturating_sub(1);
                (start, end) = (self.start(bin), start);
            } else if quantile >= end {
                bin += 1;
                (start, end) = (end, self.below(bin));
            } else if let Some(interval) = Interval::between(start, end) {
                return (bin as u16, interval);
            }
        }
        self.search(quantile)
    }
}

impl GaussianBin<'_> {
    /// [`Distribution::locate`] without a guess.
    #[cold]
    #[inline(never)]
    fn search(&self, quantile: u32) -> (u16, Interval) {
        let below = |e: &f32| normal_cdf((e - self.mean) * self.inverse_sigma) <= quantile;
        let bin = self.bins.edges.partition_point(below) as u16;
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
    use proptest::prelude::*;

    fn bins() -> Bins {
        Bins::new((1..64).map(|i| (i as f32 - 32.0) / 12.0).collect()).unwrap()
    }

    proptest! {
        #[test]
        fn obeys_the_laws(mean in -100.0f32..100.0, log_sigma in -20.0f32..20.0) {
            let bins = bins();
            let inverse_sigma = (-log_sigma).exp();
            let g = GaussianBin { bins: &bins, mean, inverse_sigma };
            check_distribution(&g, 0..64).unwrap();
        }
    }

    /// The guess is a hint: with and without it every quantile has the same bin, also for edges that
    /// are not the prior's.
    #[test]
    fn the_guess_changes_nothing() {
        let bins = bins();
        for (mean, inverse_sigma) in [
            (0.0, 1.0),
            (1.3, 20.0),
            (-2.6, 300.0),
            (0.7, 0.01),
            (9.0, 3.0),
        ] {
            let g = GaussianBin {
                bins: &bins,
                mean,
                inverse_sigma,
            };
            for quantile in (0..TOTAL_MASS).step_by(997).chain([1, TOTAL_MASS - 1]) {
                assert_eq!(
                    g.locate(quantile),
                    g.search(quantile),
                    "{mean} {inverse_sigma} {quantile}"
                );
            }
        }
    }

    #[test]
    fn extreme_means_put_all_mass_in_one_bin() {
        let bins = bins();
        let g = |mean| GaussianBin {
            bins: &bins,
            mean,
            inverse_sigma: 4.0e8,
        };
        assert_eq!(g(f32::MAX).locate(0).0, 63);
        assert_eq!(g(f32::MIN).locate(TOTAL_MASS - 1).0, 0);
        assert_eq!(g(0.0).interval(&64), None);
    }

    #[test]
    fn refuses_what_is_no_number() {
        let (bins, a) = (bins(), |v| Array2::from_elem((1, 1), v));
        for (mean, inverse) in [
            (f32::NAN, 1.0),
            (0.0, 0.0),
            (0.0, f32::INFINITY),
            (0.0, -1.0),
        ] {
            assert!(gaussian_bins(&bins, &a(mean), &a(inverse)).is_err());
        }
        assert!(Bins::new(vec![0.0, 1.0]).is_err());
        assert!(Bins::new(vec![1.0, 0.0, 2.0]).is_err());
        assert!(Bins::new(vec![f32::NAN]).is_err());
    }
}
