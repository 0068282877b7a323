//! A symbol given those before it: categories, mixtures of logistic distributions, hurdles.

use bbans_nn::description::Scaling;
use bbans_nn::likelihood::{Categorical, Edges, Kind, SymbolKind};
use bbans_nn::math;
use bbans_nn::simd::Path;

use super::logistic::mixture_nats;
use super::{Objective, Unit};

/// The mixture of a kind, if it has one: levels, components, and the level that is left out, whose logit comes first.
fn mixture(kind: &SymbolKind) -> Option<(usize, usize, Option<usize>)> {
    match *kind {
        SymbolKind::Categorical { .. } => None,
        SymbolKind::Logistics { levels, components } => Some((levels, components, None)),
        SymbolKind::Hurdle {
            levels,
            components,
            frequent,
        } => Some((levels, components, Some(frequent))),
    }
}

/// A symbol's distribution, and about where its values are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OfSymbol {
    pub kind: SymbolKind,
    pub scaling: Scaling,
}

impl Kind for OfSymbol {
    fn levels(&self) -> usize {
        self.kind.levels()
    }

    fn parameters(&self) -> usize {
        self.kind.parameters()
    }
}

impl Objective for OfSymbol {
    /// Means are spread over where values are, and scales are so wide that they reach each other.
    fn units(&self) -> Vec<Unit> {
        let Some((_, components, _)) = mixture(&self.kind) else {
            return vec![Unit::ONE; self.parameters()];
        };
        let Scaling { middle, unit } = self.scaling;
        let n = components as f32;
        let mean = |i: usize| Unit {
            offset: middle + unit * ((2 * i + 1) as f32 / n - 1.0),
            gain: unit,
        };
        let log_scale = Unit {
            offset: (unit / n).max(0.25).ln(),
            gain: 1.0,
        };
        let means = (0..components).map(mean);
        let logits = self.parameters() - 2 * components;
        std::iter::repeat_n(Unit::ONE, logits)
            .chain(means)
            .chain(std::iter::repeat_n(log_scale, components))
            .collect()
    }

    fn nats(&self, parameters: &[f64], x: &[u16], by: &mut [f64]) -> f64 {
        let Some((levels, components, without)) = mixture(&self.kind) else {
            let levels = self.levels();
            return Categorical { levels }.nats(parameters, x, by);
        };
        let x = usize::from(x[0]);
        let mut nats = 0.0;
        let (mut parameters, mut by) = (parameters, by);
        if let Some(frequent) = without {
            let logit = parameters[0];
            let is = x == frequent;
            // -log sigmoid of the logit, or of its negative.
            let signed = if is { logit } else { -logit };
            nats = (-signed).max(0.0) + (-signed.abs()).exp().ln_1p();
            by[0] = 1.0 / (1.0 + (-logit).exp()) - f64::from(u8::from(is));
            (parameters, by) = (&parameters[1..], &mut by[1..]);
            if is {
                by.fill(0.0);
                return nats;
            }
        }
        nats + mixture_nats(parameters, components, Edges::of(levels, without, x), by)
    }

    fn lanes(&self, path: Path, parameters: &[f32], x: &[u16], nats: &mut [f64], by: &mut [f32]) {
        match mixture(&self.kind) {
            None => {
                let levels = self.levels();
                Categorical { levels }.lanes(path, parameters, x, nats, by);
            }
            Some(mixture) => path.vectorize(
                #[inline(always)]
                || mixture_lanes(mixture, parameters, x, nats, by),
            ),
        }
    }
}

/// Lanes that are computed side by side.
const WIDTH: usize = 64;
/// Numbers of them.
type Lanes = [f32; WIDTH];

/// As [`mixture_nats`], and the hurdle before it, of many lanes, in `f32`.
#[inline(always)]
fn mixture_lanes(
    (levels, n, without): (usize, usize, Option<usize>),
    parameters: &[f32],
    x: &[u16],
    nats: &mut [f64],
    by: &mut [f32],
) {
    let lanes = nats.len();
    let logits = usize::from(without.is_some());
    let means = logits + if n > 1 { n } else { 0 };
    let row = |p: usize, first: usize, width: usize| {
        let mut row = [0.0; WIDTH];
        row[..width].copy_from_slice(&parameters[p * lanes + first..][..width]);
        row
    };
    for first in (0..lanes).step_by(WIDTH) {
        let width = WIDTH.min(lanes - first);
        let x = &x[first..first + width];
        let (mut low, mut high) = ([0.0; WIDTH], [0.0; WIDTH]);
        let (mut has_low, mut has_high, mut counts) = ([0.0; WIDTH], [0.0; WIDTH], [1.0; WIDTH]);
        let mut total = [0.0; WIDTH];
        for (lane, &x) in x.iter().enumerate() {
            let edges = Edges::of(levels, without, usize::from(x));
            (low[lane], has_low[lane]) = edges.low.map_or((0.0, 0.0), |e| (e as f32, 1.0));
            (high[lane], has_high[lane]) = edges.high.map_or((0.0, 0.0), |e| (e as f32, 1.0));
            counts[lane] = f32::from(u8::from(without != Some(usize::from(x))));
        }
        if without.is_some() {
            let logit = row(0, first, width);
            let by = &mut by[first..][..width];
            for lane in 0..width {
                let is = 1.0 - counts[lane];
                let signed = if is > 0.0 { logit[lane] } else { -logit[lane] };
                let (log, _) = log_sigmoid(signed);
                total[lane] -= log;
                by[lane] = math::sigmoid(logit[lane]) - is;
            }
        }
        let mut weights = [[0.0f32; WIDTH]; MOST];
        let mut terms = [[0.0f32; WIDTH]; MOST];
        let mut shift = [0.0f32; WIDTH];
        if n > 1 {
            for (i, weights) in weights.iter_mut().take(n).enumerate() {
                *weights = row(logits + i, first, width);
            }
            normalise(&mut weights[..n], &mut shift);
        } else {
            weights[0] = [1.0; WIDTH];
        }
        for i in 0..n {
            let (mean, log_scale) = (
                row(means + i, first, width),
                row(means + n + i, first, width),
            );
            let own = if n > 1 {
                row(logits + i, first, width)
            } else {
                [0.0; WIDTH]
            };
            let (mut by_mean, mut by_log_scale) = ([0.0; WIDTH], [0.0; WIDTH]);
            for lane in 0..WIDTH {
                let a = log_scale[lane].clamp(-10.0, 20.0);
                let rate = math::exp(-a);
                let (up, down) = (
                    (high[lane] - mean[lane]) * rate,
                    (low[lane] - mean[lane]) * rate,
                );
                let (log_up, rest_up) = log_sigmoid(up);
                let (log_down, rest_down) = log_sigmoid(-down);
                let span = (high[lane] - low[lane]) * rate;
                let span = if has_low[lane] * has_high[lane] > 0.0 {
                    span
                } else {
                    1.0
                };
                let e = math::exp(-span);
                let below = if span < 0.02 {
                    span * (1.0 - 0.5 * span)
                } else {
                    1.0 - e
                };
                let both = has_low[lane] * has_high[lane];
                terms[i][lane] = own[lane]
                    + has_high[lane] * log_up
                    + has_low[lane] * log_down
                    + both * ln(below);
                by_mean[lane] = rate * (has_low[lane] * rest_down - has_high[lane] * rest_up);
                let moves = if log_scale[lane] == a { 1.0 } else { 0.0 };
                by_log_scale[lane] = moves
                    * (has_low[lane] * down * rest_down
                        - has_high[lane] * up * rest_up
                        - both * span * e / below);
            }
            by[(means + i) * lanes + first..][..width].copy_from_slice(&by_mean[..width]);
            by[(means + n + i) * lanes + first..][..width].copy_from_slice(&by_log_scale[..width]);
        }
        let mut of_terms = [0.0f32; WIDTH];
        normalise(&mut terms[..n], &mut of_terms);
        for i in 0..n {
            if n > 1 {
                let by = &mut by[(logits + i) * lanes + first..][..width];
                for lane in 0..width {
                    by[lane] = counts[lane] * (weights[i][lane] - terms[i][lane]);
                }
            }
            for p in [means + i, means + n + i] {
                let by = &mut by[p * lanes + first..][..width];
                for lane in 0..width {
                    by[lane] *= -counts[lane] * terms[i][lane];
                }
            }
        }
        for (lane, nats) in nats[first..first + width].iter_mut().enumerate() {
            let of_mixture = counts[lane] * (shift[lane] - of_terms[lane]);
            *nats += f64::from(total[lane] + of_mixture);
        }
    }
}

/// Most components of a mixture.
const MOST: usize = 64;

/// Logs of terms become the terms' parts in their sum; `log_sum` the log of the sum.
#[inline(always)]
fn normalise(terms: &mut [Lanes], log_sum: &mut Lanes) {
    let mut greatest = [f32::MIN; WIDTH];
    for row in terms.iter() {
        for (m, &v) in greatest.iter_mut().zip(row) {
            *m = if v > *m { v } else { *m };
        }
    }
    let mut sum = [0.0f32; WIDTH];
    for row in terms.iter_mut() {
        for ((v, m), sum) in row.iter_mut().zip(&greatest).zip(&mut sum) {
            *v = math::exp(*v - m);
            *sum += *v;
        }
    }
    for row in terms.iter_mut() {
        row.iter_mut().zip(&sum).for_each(|(v, sum)| *v /= sum);
    }
    for ((log, m), sum) in log_sum.iter_mut().zip(&greatest).zip(&sum) {
        *log = m + ln(*sum);
    }
}

/// `log sigmoid` of a number, and the sigmoid of its negative.
#[inline(always)]
fn log_sigmoid(v: f32) -> (f32, f32) {
    let e = math::exp(-v.abs());
    let small = e / (1.0 + e);
    let rest = if v < 0.0 { 1.0 - small } else { small };
    (v.min(0.0) - ln(1.0 + e), rest)
}

/// The logarithm of a normal number above 0, to 1e-6, in a form that vectorises.
#[inline(always)]
fn ln(v: f32) -> f32 {
    // 2^exponent times a mantissa from sqrt 1/2 to sqrt 2.
    let bits = v.to_bits().wrapping_sub(0x3f35_04f3);
    let exponent = (bits as i32) >> 23;
    let mantissa = f32::from_bits((bits & 0x007f_ffff).wrapping_add(0x3f35_04f3));
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let t = s * s;
    let series = 2.0 + t * (2.0 / 3.0 + t * (2.0 / 5.0 + t * (2.0 / 7.0 + t * (2.0 / 9.0))));
    exponent as f32 * std::f32::consts::LN_2 + s * series
}

#[cfg(test)]
mod tests {
    use super::super::laws::check_lanes;
    use super::*;
    use crate::noise::{below, fill_normal};
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn lanes_are_those_of_f64_and_derivatives_those_of_differences() {
        let kinds = [
            SymbolKind::Categorical { levels: 7 },
            SymbolKind::Logistics {
                levels: 300,
                components: 1,
            },
            SymbolKind::Logistics {
                levels: 40,
                components: 5,
            },
            SymbolKind::Hurdle {
                levels: 30,
                components: 3,
                frequent: 0,
            },
            SymbolKind::Hurdle {
                levels: 30,
                components: 2,
                frequent: 17,
            },
            SymbolKind::Hurdle {
                levels: 30,
                components: 1,
                frequent: 29,
            },
        ];
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        const LANES: usize = 70;
        for kind in kinds {
            let scaling = Scaling {
                middle: 9.0,
                unit: 4.0,
            };
            let objective = OfSymbol { kind, scaling };
            let count = objective.parameters();
            let units = objective.units();
            for _ in 0..20 {
                let mut p = vec![0.0; count * LANES];
                fill_normal(&mut rng, &mut p);
                for (row, unit) in p.chunks_exact_mut(LANES).zip(&units) {
                    row.iter_mut()
                        .for_each(|v| *v = unit.offset + unit.gain * *v);
                }
                let x: Vec<u16> = (0..LANES)
                    .map(|_| below(&mut rng, kind.levels()) as u16)
                    .collect();
                let (mut nats, mut by) = (vec![0.0; LANES], vec![0.0; p.len()]);
                objective.lanes(Path::detect(), &p, &x, &mut nats, &mut by);
                check_lanes(&objective, [&p, &by], &x, &nats, [1e-3, 2e-3], |own, x| {
                    Some(kind.nats(own, usize::from(x)))
                });
            }
        }
    }

    #[test]
    fn the_logarithm_is_that_of_f64() {
        for i in 1..4000 {
            for v in [i as f32 / 1000.0, i as f32 * 1e-9, i as f32 * 1e6] {
                assert!((f64::from(ln(v)) - f64::from(v).ln()).abs() < 4e-6, "{v}");
            }
        }
    }
}
