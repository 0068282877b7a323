//! Mixtures of logistic distributions through their cumulative function, without a table of their masses.

use bbans_core::{Distribution, Interval, TOTAL_MASS};

use super::logistic_table::LOGISTIC_TABLE;
use crate::exact::math;
use crate::likelihood::discretized_logistic::LOG_SCALE;
use crate::likelihood::tables::clamp;

/// Where the table ends: beyond it the function is 0 or 1.
const END: f32 = 18.0;
/// Bits of a place between two entries of the table.
const FRACTION: u32 = 12;

/// `2^24 / (1 + e^-x)`, ascending: entries of the table and a straight line between two of them.
#[inline(always)]
fn logistic(x: f32) -> u32 {
    let magnitude = x.abs();
    let magnitude = if magnitude < END { magnitude } else { END };
    // At most 18 * 2^18, which an f32 has exactly.
    let place = (magnitude * (64 << FRACTION) as f32) as u32;
    let (i, fraction) = ((place >> FRACTION) as usize, place & ((1 << FRACTION) - 1));
    let (low, high) = (
        LOGISTIC_TABLE[i.min(1152)],
        LOGISTIC_TABLE[(i + 1).min(1152)],
    );
    let value = low + (((high - low) * fraction) >> FRACTION);
    if x < 0.0 { TOTAL_MASS - value } else { value }
}

/// The mixtures of all lanes: what a symbol's interval follows from.
#[derive(Debug)]
pub(super) struct Mixtures {
    components: usize,
    lanes: usize,
    /// `[components, lanes]` each.
    weights: Vec<u32>,
    means: Vec<f32>,
    rates: Vec<f32>,
    /// Of each lane, what a weighted sum is multiplied by.
    scales: Vec<u64>,
    /// Number of symbols.
    levels: usize,
    /// The level that is none of the symbols.
    without: Option<usize>,
}

impl Mixtures {
    /// From logits, unless there is one component, means and log scales, `[.., lanes]`. The symbols are the levels but the
    /// one that is left out.
    #[inline(always)]
    pub(super) fn new(
        parameters: &[f32],
        components: usize,
        lanes: usize,
        levels: usize,
        without: Option<usize>,
    ) -> Self {
        let logits = if components > 1 { components } else { 0 };
        let (logits, rest) = parameters.split_at(logits * lanes);
        let (means, log_scales) = rest.split_at(components * lanes);
        let mut weights = vec![1 << 16; components * lanes];
        if !logits.is_empty() {
            let mut greatest = vec![f32::MIN; lanes];
            for row in logits.chunks_exact(lanes) {
                for (m, &l) in greatest.iter_mut().zip(row) {
                    *m = if l > *m { l } else { *m };
                }
            }
            let rows = weights
                .chunks_exact_mut(lanes)
                .zip(logits.chunks_exact(lanes));
            for (weights, logits) in rows {
                for ((w, &l), &m) in weights.iter_mut().zip(logits).zip(&greatest) {
                    *w = (math::exp(l - m) * 65_536.0) as u32 + 1;
                }
            }
        }
        let levels = levels - usize::from(without.is_some());
        let spare = u64::from(TOTAL_MASS) - levels as u64;
        let mut sums = vec![0u64; lanes];
        for row in weights.chunks_exact(lanes) {
            for (sum, &w) in sums.iter_mut().zip(row) {
                *sum += u64::from(w);
            }
        }
        Self {
            components,
            lanes,
            weights,
            means: means.to_vec(),
            rates: log_scales
                .iter()
                .map(|&a| math::exp(-clamp(a, LOG_SCALE)))
                .collect(),
            scales: sums.iter().map(|sum| (spare << 16) / sum).collect(),
            levels,
            without,
        }
    }

    /// The mixture of a lane.
    pub(super) fn lane(&self, lane: usize) -> Mixture<'_> {
        Mixture { all: self, lane }
    }
}

/// The mixture of a lane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mixture<'a> {
    all: &'a Mixtures,
    lane: usize,
}

impl Mixture<'_> {
    /// The mass below a symbol: every symbol has 1, the others are shared out by the mixture. It ascends, as rounding,
    /// sums and products of numbers that are not negative do.
    #[inline(always)]
    fn start(&self, symbol: usize) -> u32 {
        let all = self.all;
        if symbol == 0 {
            return 0;
        }
        if symbol >= all.levels {
            return TOTAL_MASS;
        }
        // The place of the level that is left out belongs to the symbol after it.
        let beyond = all.without.is_some_and(|without| symbol > without);
        let edge = (symbol + usize::from(beyond)) as f32 - 0.5;
        let mut sum = 0u64;
        for i in 0..all.components {
            let at = i * all.lanes + self.lane;
            let x = (edge - all.means[at]) * all.rates[at];
            sum += u64::from(all.weights[at]) * u64::from(logistic(x));
        }
        symbol as u32 + ((sum * all.scales[self.lane]) >> 40) as u32
    }
}

impl Distribution for Mixture<'_> {
    type Symbol = u16;

    #[inline(always)]
    fn interval(&self, &symbol: &u16) -> Option<Interval> {
        let symbol = usize::from(symbol);
        if symbol >= self.all.levels {
            return None;
        }
        Interval::between(self.start(symbol), self.start(symbol + 1))
    }

    #[inline(always)]
    fn locate(&self, quantile: u32) -> (u16, Interval) {
        let (mut low, mut high) = (0, self.all.levels);
        let (mut start, mut end) = (0, TOTAL_MASS);
        while high - low > 1 {
            let middle = (low + high) / 2;
            let at = self.start(middle);
            if at <= quantile {
                (low, start) = (middle, at);
            } else {
                (high, end) = (middle, at);
            }
        }
        // Starts ascend, by 1 or more.
        let interval = Interval::between(start, end).unwrap_or(Interval::UNIT);
        (low as u16, interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bbans_core::laws::check_distribution;

    #[test]
    fn the_function_ascends_and_is_the_logistic_one() {
        let mut before = 0;
        for i in -400_000..=400_000 {
            let x = i as f32 / 20_000.0;
            let value = logistic(x);
            assert!(value >= before, "{x}");
            let exact = 16_777_216.0 / (1.0 + libm::exp(-f64::from(x)));
            assert!(
                (f64::from(value) - exact).abs() < 64.0,
                "{x} {value} {exact}"
            );
            before = value;
        }
        assert_eq!(logistic(f32::INFINITY), TOTAL_MASS);
        assert_eq!(logistic(f32::NEG_INFINITY), 0);
        assert_eq!(logistic(0.0), TOTAL_MASS / 2);
    }

    /// What docs/format has, computed by another program.
    #[test]
    fn golden_values() {
        assert_eq!(
            [LOGISTIC_TABLE[1], LOGISTIC_TABLE[64]],
            [8_454_143, 12_265_128]
        );
        assert_eq!([logistic(0.01), logistic(-3.3)], [8_430_543, 596_797]);
        let parameters = [0.5, -0.5, 100.0, 200.0, 2.0, 3.0];
        let all = Mixtures::new(&parameters, 2, 1, 300, None);
        let starts = [100, 101, 200].map(|s| all.lane(0).start(s));
        assert_eq!(starts, [5_955_232, 6_371_545, 14_492_999]);
    }

    #[test]
    fn obeys_the_laws() {
        let parameters: [&[f32]; 5] = [
            &[3.0, 0.5],
            &[0.5, -0.5, 1.0, 9.0, -30.0, 2.0],
            &[-80.0, 80.0, 3e38, -3e38, 0.0, 25.0],
            &[0.0, 0.0, 0.0, -5.0, 4.0, 3000.0, 1.0, -2.0, 8.0],
            &[4.0, -11.0],
        ];
        for (parameters, components) in parameters.into_iter().zip([1, 2, 2, 3, 1]) {
            for levels in [1, 2, 3, 17, 300, 1 << 16] {
                for without in [None, Some(0), Some(levels / 2), Some(levels - 1)] {
                    if without.is_some() && levels == 1 {
                        continue;
                    }
                    let all = Mixtures::new(parameters, components, 1, levels, without);
                    let symbols = 0..(levels - usize::from(without.is_some())) as u32;
                    check_distribution(&all.lane(0), symbols.map(|s| s as u16)).unwrap();
                }
            }
        }
    }
}
