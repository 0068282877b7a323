//! A diagonal Gaussian over the equal-mass bins of the prior.

use ndarray::{Array2, Zip};

use crate::codec::{Codec, check_shape, no_mass, pop_columns};
use crate::distribution::{Distribution, Interval, TOTAL_MASS};
use crate::distributions::normal_cdf::normal_cdf;
use crate::distributions::uniform::unreachable_interval;
use crate::error::{Error, Result};
use crate::message::Message;

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

/// One Gaussian over the bins: the cumulative at edge `e` is `T((e - mean) / sigma)`.
#[derive(Debug, Clone, Copy)]
struct GaussianBin<'a> {
    bins: &'a Bins,
    mean: f32,
    inverse_sigma: f32,
}

impl GaussianBin<'_> {
    /// Mass below inner edge number `i`, or below infinity where there is none.
    #[inline]
    fn cumulative(&self, i: usize) -> u32 {
        let edge = self.bins.edges.get(i);
        edge.map_or(TOTAL_MASS, |&e| {
            normal_cdf((e - self.mean) * self.inverse_sigma)
        })
    }
}

impl Distribution for GaussianBin<'_> {
    type Symbol = u16;

    #[inline]
    fn interval(&self, &bin: &u16) -> Option<Interval> {
        let bin = usize::from(bin);
        if bin > self.bins.edges.len() {
            return None;
        }
        let start = if bin == 0 {
            0
        } else {
            self.cumulative(bin - 1)
        };
        Interval::between(start, self.cumulative(bin))
    }

    #[inline]
    fn locate(&self, quantile: u32) -> (u16, Interval) {
        let below = |e: &f32| normal_cdf((e - self.mean) * self.inverse_sigma) <= quantile;
        let bin = self.bins.edges.partition_point(below) as u16;
        let interval = self.interval(&bin);
        (
            bin,
            interval.unwrap_or_else(|| unreachable_interval(quantile)),
        )
    }
}

/// The posterior of a batch: one Gaussian for each latent, over bins that all share.
///
/// Bins may have no mass: a posterior is popped before it is pushed, so they never occur, and
/// finding one on a push means that the data are damaged.
#[derive(Debug, Clone)]
pub struct GaussianBins<'a> {
    bins: &'a Bins,
    mean: Array2<f32>,
    inverse_sigma: Array2<f32>,
}

impl<'a> GaussianBins<'a> {
    /// The codec for means and inverse standard deviations, both `[lanes, latents]`.
    ///
    /// # Errors
    /// If the shapes differ, a mean is not finite, or an inverse standard deviation is not finite
    /// and positive.
    pub fn new(bins: &'a Bins, mean: Array2<f32>, inverse_sigma: Array2<f32>) -> Result<Self> {
        check_shape(inverse_sigma.dim(), mean.dim())?;
        let valid = Zip::from(&mean)
            .and(&inverse_sigma)
            .all(|&m, &s| m.is_finite() && s.is_finite() && s > 0.0);
        if !valid {
            return Err(Error::model(
                "a posterior whose mean or standard deviation is no number",
            ));
        }
        Ok(Self {
            bins,
            mean,
            inverse_sigma,
        })
    }

    #[inline]
    fn at(&self, lane: usize, dim: usize) -> GaussianBin<'a> {
        let (mean, inverse_sigma) = (self.mean[(lane, dim)], self.inverse_sigma[(lane, dim)]);
        GaussianBin {
            bins: self.bins,
            mean,
            inverse_sigma,
        }
    }
}

impl Codec for GaussianBins<'_> {
    type Symbol = Array2<u16>;

    fn push(&self, message: &mut Message, symbols: &Array2<u16>) -> Result<()> {
        check_shape(symbols.dim(), self.mean.dim())?;
        for dim in (0..symbols.ncols()).rev() {
            for lane in (0..symbols.nrows()).rev() {
                let interval = self.at(lane, dim).interval(&symbols[(lane, dim)]);
                message.push(lane, interval.ok_or_else(|| no_mass(lane, dim))?)?;
            }
        }
        Ok(())
    }

    fn pop(&self, message: &mut Message) -> Result<Array2<u16>> {
        pop_columns(self.mean.dim(), |lane, dim| {
            message.pop(lane, &self.at(lane, dim))
        })
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
            assert!(GaussianBins::new(&bins, a(mean), a(inverse)).is_err());
        }
        assert!(Bins::new(vec![0.0, 1.0]).is_err());
        assert!(Bins::new(vec![1.0, 0.0, 2.0]).is_err());
        assert!(Bins::new(vec![f32::NAN]).is_err());
    }
}
