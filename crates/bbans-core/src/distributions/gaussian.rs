//! A diagonal Gaussian over the bins of the prior.

use ndarray::{Array2, Zip};

use crate::codec::{Independent, check_shape};
use crate::distribution::{Distribution, Interval, PRECISION};
use crate::distributions::normal_cdf::{normal_cdf, normal_quantile_hint};
use crate::distributions::uniform::unreachable_interval;
use crate::error::{Error, Result};

/// The edges between bins: bin `i` lies between edge `i - 1` and edge `i`; the first and the last
/// reach to infinity.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    /// Bin `i` is from `edges[i]` to `edges[i + 1]`. From minus infinity, ascending, then infinity to
    /// the end: any number of 16 bits is a valid index.
    edges: Box<[f32; MAX_BINS + 1]>,
    /// There are `2^precision` bins. Invariant: 1 to 16.
    precision: u32,
    guess: Guess,
}

/// How the bin of a value is guessed: a hint alone, so any guess is right.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Guess {
    /// Bins of equal mass under the standard normal prior.
    EqualMass,
    /// Bins of equal width: the first inner edge, and bins in a unit.
    EqualWidth { first: f32, rate: f32 },
}

/// Most bins.
const MAX_BINS: usize = 1 << 16;

impl Bins {
    /// Bins from their inner edges.
    ///
    /// # Errors
    /// If the edges are not ascending and finite, or their number is not `2^k - 1` for a `k` from
    /// 1 to 16.
    pub fn new(inner: &[f32]) -> Result<Self> {
        let bins = inner.len() + 1;
        if !bins.is_power_of_two() || !(2..=MAX_BINS).contains(&bins) {
            return Err(Error::invalid_argument(format!(
                "{} inner edges; expected one less than a power of two from 2 to 2^16",
                inner.len()
            )));
        }
        if !inner.iter().all(|e| e.is_finite()) || !inner.is_sorted() {
            return Err(Error::invalid_argument(
                "bin edges must be finite and ascending",
            ));
        }
        let mut edges = vec![f32::INFINITY; MAX_BINS + 1];
        edges[0] = f32::NEG_INFINITY;
        edges[1..bins].copy_from_slice(inner);
        let edges = edges.into_boxed_slice().try_into();
        Ok(Self {
            edges: edges.map_err(|_| Error::invalid_argument("the bins have another number"))?,
            precision: bins.ilog2(),
            guess: Guess::of(inner),
        })
    }

    /// Number of bins.
    pub fn count(&self) -> usize {
        1 << self.precision
    }

    /// About the bins that values lie in.
    #[inline(always)]
    fn guesses<const N: usize>(&self, values: [f32; N]) -> [u32; N] {
        let last = (1 << self.precision) - 1;
        match self.guess {
            Guess::EqualMass => {
                let shift = PRECISION - self.precision;
                values.map(|z| (normal_cdf(z) >> shift).min(last))
            }
            // A cast of what is below 0 or no number gives 0.
            Guess::EqualWidth { first, rate } => {
                values.map(|z| (((z - first) * rate + 1.0) as u32).min(last))
            }
        }
    }
}

impl Guess {
    /// Of ascending inner edges, at least one.
    fn of(inner: &[f32]) -> Self {
        let (first, last) = (inner[0], inner[inner.len() - 1]);
        let width = (last - first) / (inner.len() - 1).max(1) as f32;
        let even = |pair: &[f32]| (pair[1] - pair[0] - width).abs() <= 0.25 * width;
        if width > 0.0 && (1.0 / width).is_finite() && inner.windows(2).all(even) {
            let rate = 1.0 / width;
            return Self::EqualWidth { first, rate };
        }
        Self::EqualMass
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
/// inverse standard deviations, both `[latents, lanes]`.
///
/// # Errors
/// If the shapes differ, a mean is not finite, or an inverse standard deviation is not finite and
/// positive.
#[inline]
pub fn gaussian_bins<'a>(
    bins: &'a Bins,
    mean: &Array2<f32>,
    inverse_sigma: &Array2<f32>,
) -> Result<Independent<Array2<GaussianBin<'a>>>> {
    check_shape(inverse_sigma.dim(), mean.dim())?;
    let valid = Zip::from(mean)
        .and(inverse_sigma)
        .all(|&m, &s| m.is_finite() && s.is_finite() && s > 0.0);
    if !valid {
        return Err(Error::model(
            "a posterior whose mean or standard deviation is no number",
        ));
    }
    let columns = Zip::from(mean)
        .and(inverse_sigma)
        .map_collect(|&mean, &inverse_sigma| GaussianBin {
            bins,
            mean,
            inverse_sigma,
        });
    // A transposed view keeps its order through all this; the coder needs rows.
    if columns.is_standard_layout() {
        return Ok(Independent(columns));
    }
    Ok(Independent(columns.as_standard_layout().into_owned()))
}

/// Bins that are tried one after another from a guess on, before a search of all.
const STEPS: usize = 24;

impl GaussianBin<'_> {
    pub(super) fn bins(&self) -> &Bins {
        self.bins
    }

    /// Mass below a bin, or below all if there are no more.
    pub(super) fn mass_below(&self, bin: usize) -> u32 {
        self.below(self.bins.edges[bin.min(MAX_BINS)])
    }

    /// Mass below an edge.
    #[inline(always)]
    fn below(&self, edge: f32) -> u32 {
        normal_cdf((edge - self.mean) * self.inverse_sigma)
    }

    /// Masses below a bin and below the next.
    #[inline(always)]
    fn ends(&self, bin: u16) -> (u32, u32) {
        let edge = |i| self.below(self.bins.edges[i]);
        (edge(usize::from(bin)), edge(usize::from(bin) + 1))
    }

    /// The bin of a quantile, and its interval, from a guess and its ends.
    #[inline(always)]
    fn locate_from(
        &self,
        mut bin: u16,
        (mut start, mut end): (u32, u32),
        quantile: u32,
    ) -> (u16, Interval) {
        for _ in 0..STEPS {
            if quantile < start {
                // Not the first bin, which starts at 0.
                bin = bin.saturating_sub(1);
                (start, end) = (self.below(self.bins.edges[usize::from(bin)]), start);
            } else if quantile >= end {
                bin = bin.saturating_add(1);
                (start, end) = (end, self.ends(bin).1);
            } else if let Some(interval) = Interval::between(start, end) {
                return (bin, interval);
            }
        }
        self.search(quantile)
    }

    /// [`Distribution::locate`] without a guess.
    #[cold]
    #[inline(never)]
    fn search(&self, quantile: u32) -> (u16, Interval) {
        let inner = &self.bins.edges[1..self.bins.count()];
        let bin = inner.partition_point(|&e| self.below(e) <= quantile) as u16;
        let interval = self.interval(&bin);
        (
            bin,
            interval.unwrap_or_else(|| unreachable_interval(quantile)),
        )
    }
}

impl Distribution for GaussianBin<'_> {
    type Symbol = u16;

    #[inline(always)]
    fn interval(&self, &bin: &u16) -> Option<Interval> {
        let (start, end) = self.ends(bin);
        Interval::between(start, end).filter(|_| usize::from(bin) < self.bins.count())
    }

    #[inline(always)]
    fn locate(&self, quantile: u32) -> (u16, Interval) {
        let value = self.mean + normal_quantile_hint(quantile) / self.inverse_sigma;
        let guess = self.bins.guesses([value])[0] as u16;
        self.locate_from(guess, self.ends(guess), quantile)
    }

    #[inline(always)]
    fn intervals(column: &[Self], symbols: &[u16], intervals: &mut [Interval]) -> bool {
        let mut valid = true;
        let chunks = column.chunks(CHUNK).zip(symbols.chunks(CHUNK));
        for ((column, symbols), intervals) in chunks.zip(intervals.chunks_mut(CHUNK)) {
            let chunk = Chunk::new(column);
            let mut bins = [0; CHUNK];
            for (bin, &symbol) in bins.iter_mut().zip(symbols) {
                *bin = u32::from(symbol);
            }
            let (start, end) = (chunk.below(bins), chunk.below(bins.map(|bin| bin + 1)));
            for (i, interval) in intervals.iter_mut().enumerate() {
                let found = if chunk.alike {
                    Interval::between(start[i], end[i])
                } else {
                    column[i].interval(&symbols[i])
                };
                valid &= found.is_some();
                *interval = found.unwrap_or(Interval::UNIT);
            }
        }
        valid
    }

    /// Guesses for all, which vectorises, then a check of each.
    #[inline(always)]
    fn locate_all(
        column: &[Self],
        quantiles: &[u32],
        symbols: &mut [u16],
        intervals: &mut [Interval],
    ) {
        let chunks = column.chunks(CHUNK).zip(quantiles.chunks(CHUNK));
        let found = symbols.chunks_mut(CHUNK).zip(intervals.chunks_mut(CHUNK));
        for ((column, quantiles), (symbols, intervals)) in chunks.zip(found) {
            let chunk = Chunk::new(column);
            let mut values = [0.0; CHUNK];
            let mut padded = [0; CHUNK];
            padded[..quantiles.len()].copy_from_slice(quantiles);
            for (i, value) in values.iter_mut().enumerate() {
                let t = normal_quantile_hint(padded[i]);
                *value = chunk.mean[i] + t / chunk.inverse_sigma[i];
            }
            let guesses = chunk.bins.guesses(values);
            let (start, end) = (
                chunk.below(guesses),
                chunk.below(guesses.map(|bin| bin + 1)),
            );
            for (i, (gaussian, &quantile)) in column.iter().zip(quantiles).enumerate() {
                (symbols[i], intervals[i]) = if chunk.alike {
                    gaussian.locate_from(guesses[i] as u16, (start[i], end[i]), quantile)
                } else {
                    gaussian.locate(quantile)
                };
            }
        }
    }
}

/// Distributions of a column that are evaluated side by side.
const CHUNK: usize = 16;

/// Some distributions of a column in the layout that vectorises.
struct Chunk<'a> {
    bins: &'a Bins,
    /// Whether these are the bins of all.
    alike: bool,
    mean: [f32; CHUNK],
    inverse_sigma: [f32; CHUNK],
}

impl<'a> Chunk<'a> {
    /// Of 1 to [`CHUNK`] distributions.
    #[inline(always)]
    fn new(column: &[GaussianBin<'a>]) -> Self {
        let bins = column[0].bins;
        let (mut mean, mut inverse_sigma) = ([0.0; CHUNK], [1.0; CHUNK]);
        let mut alike = true;
        for (i, gaussian) in column.iter().enumerate() {
            alike &= std::ptr::eq(gaussian.bins, bins);
            mean[i] = gaussian.mean;
            inverse_sigma[i] = gaussian.inverse_sigma;
        }
        Self {
            bins,
            alike,
            mean,
            inverse_sigma,
        }
    }

    /// Masses below the edges of these numbers.
    #[inline(always)]
    fn below(&self, edges: [u32; CHUNK]) -> [u32; CHUNK] {
        let mut masses = [0; CHUNK];
        for (i, mass) in masses.iter_mut().enumerate() {
            let edge = self.bins.edges[(edges[i] as usize).min(MAX_BINS)];
            *mass = normal_cdf((edge - self.mean[i]) * self.inverse_sigma[i]);
        }
        masses
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::TOTAL_MASS;
    use crate::laws::check_distribution;
    use proptest::prelude::*;

    fn bins() -> Bins {
        Bins::new(
            &(1..64)
                .map(|i| (i as f32 - 32.0) / 12.0)
                .collect::<Vec<_>>(),
        )
        .unwrap()
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
        assert!(Bins::new(&[0.0, 1.0]).is_err());
        assert!(Bins::new(&[1.0, 0.0, 2.0]).is_err());
        assert!(Bins::new(&[f32::NAN]).is_err());
    }
}
