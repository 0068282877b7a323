//! The evidence lower bound: what a file should cost.

use bbans_core::{Error, Result};
use bbans_nn::{Channels, Likelihood};
use ndarray::{Array2, ArrayView1, ArrayView2, Axis, Slice};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::vae_model::VaeModel;

/// Parts of the negative evidence lower bound of one datum, in bits.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Elbo {
    /// `KL(q(z|x), p(z))`, in closed form; with a hierarchy of each layer given those above, mean
    /// over the samples.
    pub kl_bits: f64,
    /// Mean of `-log2 p(x|z)` over samples of `z` from `q(z|x)`.
    pub reconstruction_bits: f64,
    /// The importance-weighted bound (Burda, Grosse & Salakhutdinov 2016): `-log2` of the mean of
    /// `p(x|z) p(z) / q(z|x)` over the same samples. With many it falls to `-log2 p(x)`.
    pub importance_bits: f64,
    /// Standard error of [`Elbo::bits`] by the draws of `z`; NaN for a single sample, which has no
    /// spread.
    pub standard_error_bits: f64,
}

impl Elbo {
    /// The negative evidence lower bound: the variational upper bound on the code length.
    pub fn bits(&self) -> f64 {
        self.kl_bits + self.reconstruction_bits
    }
}

/// The bound for each of `data`, symbols of the model, `[count, dims]`, with `samples` draws of a
/// continuous `z` for each datum. `first` is the number of the first datum: with `seed` it names the
/// draws, so that they do not depend on how data are cut into calls.
///
/// Uses the codec's networks, but neither its bins nor its integer masses.
///
/// # Errors
/// [`bbans_core::ErrorKind::Model`] if the model cannot be evaluated,
/// [`bbans_core::ErrorKind::InvalidArgument`] for 0 samples.
pub fn elbo(
    model: &VaeModel,
    data: ArrayView2<'_, u8>,
    samples: usize,
    seed: u64,
    first: u64,
) -> Result<Vec<Elbo>> {
    elbo_with(model, data, samples, |datum| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(first + datum as u64);
        move || normal(&mut rng)
    })
}

/// [`elbo`] with `z = mean + sigma * noise(datum)()`: `noise` gives each datum its own draws.
///
/// # Errors
/// As [`elbo`].
pub fn elbo_with<N: FnMut() -> f64>(
    model: &VaeModel,
    data: ArrayView2<'_, u8>,
    samples: usize,
    mut noise: impl FnMut(usize) -> N,
) -> Result<Vec<Elbo>> {
    if samples == 0 {
        return Err(Error::invalid_argument(
            "a bound of 0 samples of z; expected at least 1",
        ));
    }
    let vae = model.vae();
    let likelihood = Nats::new(vae.likelihood());
    let mut bounds = Vec::with_capacity(data.nrows());
    // Enough columns for the network to be fast.
    let at_once = (LANES / samples).max(1);
    for rows in data.axis_chunks_iter(Axis(0), at_once) {
        let columns = rows.nrows() * samples;
        let mut z = Array2::zeros((vae.latents(), columns));
        // Of each sample: KL, given the latents of the layers above; log q(z|x) - log p(z).
        let (mut kl_nats, mut log_ratios) = (vec![0.0; columns], vec![0.0; columns]);
        let mut draws: Vec<N> = (0..rows.nrows()).map(|i| noise(bounds.len() + i)).collect();
        let inference = vae.infer(rows)?.repeated(samples);
        for (l, layer) in vae.latent_layers().into_iter().enumerate() {
            let posterior = inference.posterior(l, z.view())?;
            let mut z = z.slice_axis_mut(Axis(0), Slice::from(layer));
            for (i, mut z) in z.columns_mut().into_iter().enumerate() {
                let (mean, log_sigma) = (posterior.mean.column(i), posterior.log_sigma.column(i));
                for ((z, &m), &s) in z.iter_mut().zip(mean).zip(log_sigma) {
                    let e = draws[i / samples]();
                    *z = m + s.exp() * e as f32;
                    let (m, s) = (f64::from(m), f64::from(s));
                    kl_nats[i] += 0.5 * (m * m + (2.0 * s).exp() - 1.0) - s;
                    log_ratios[i] += 0.5 * (f64::from(*z).powi(2) - e * e) - s;
                }
            }
        }
        let nats: Vec<f64> = match vae.channels(z.view())? {
            Some(channels) => causal_nats(&channels, rows, samples)?,
            None => {
                let parameters = vae.parameters(z.view())?;
                let columns = parameters.columns().into_iter().enumerate();
                columns
                    .map(|(sample, p)| likelihood.nats(p, rows.row(sample / samples)))
                    .collect::<Result<_>>()?
            }
        };
        for first in (0..columns).step_by(samples) {
            let of_datum = first..first + samples;
            bounds.push(bound(
                &kl_nats[of_datum.clone()],
                &nats[of_datum.clone()],
                &log_ratios[of_datum],
            ));
        }
    }
    Ok(bounds)
}

/// Samples that the networks are evaluated on at a time, about.
const LANES: usize = 64;

/// The bound of one datum, from the KL, `-log p(x|z)` and `log q(z|x) - log p(z)` of each sample.
fn bound(kl_nats: &[f64], nats: &[f64], log_ratios: &[f64]) -> Elbo {
    let count = nats.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / count;
    let (kl, reconstruction) = (mean(kl_nats), mean(nats));
    let off = |(n, k)| n + k - reconstruction - kl;
    let squares: f64 = nats.iter().zip(kl_nats).map(off).map(|v: f64| v * v).sum();
    let costs = nats.iter().zip(log_ratios).map(|(n, r)| n + r);
    let bits = |nats: f64| nats / std::f64::consts::LN_2;
    Elbo {
        kl_bits: bits(kl),
        reconstruction_bits: bits(reconstruction),
        importance_bits: bits(-log_mean_exp(costs.map(|c| -c))),
        standard_error_bits: bits((squares / (count - 1.0) / count).sqrt()),
    }
}

/// `log` of the mean of `e^v`.
fn log_mean_exp(values: impl ExactSizeIterator<Item = f64> + Clone) -> f64 {
    let count = values.len() as f64;
    let greatest = values.clone().fold(f64::NEG_INFINITY, f64::max);
    greatest + (values.map(|v| (v - greatest).exp()).sum::<f64>() / count).ln()
}

/// `-log p(x)` in `f64`, from parameters as the decoder network gives them.
struct Nats {
    likelihood: Likelihood,
    /// `log n!` up to the number of levels.
    log_factorials: Vec<f64>,
}

impl Nats {
    fn new(likelihood: Likelihood) -> Self {
        let mut log_factorials = vec![0.0];
        for n in 1..likelihood.levels() {
            log_factorials.push(log_factorials[n - 1] + (n as f64).ln());
        }
        Self {
            likelihood,
            log_factorials,
        }
    }

    fn nats(&self, parameters: ArrayView1<'_, f32>, x: ArrayView1<'_, u8>) -> Result<f64> {
        if self.likelihood == Likelihood::Bernoulli {
            return Ok(bernoulli_nats(parameters, x));
        }
        let each = self.likelihood.parameters();
        let parameters: Vec<f64> = parameters.iter().map(|&p| f64::from(p)).collect();
        let dims = parameters.chunks_exact(each).zip(x);
        dims.map(|(p, &x)| self.of_one(p, usize::from(x))).sum()
    }

    fn of_one(&self, p: &[f64], x: usize) -> Result<f64> {
        let levels = self.likelihood.levels();
        Ok(match self.likelihood {
            // The logits are the head's: these are not their parameters.
            Likelihood::CausalBernoulli(_) | Likelihood::CausalCategorical { .. } => {
                return Err(Error::model(
                    "a causal likelihood does not give one dimension's distribution alone",
                ));
            }
            Likelihood::Bernoulli => (1.0 + (if x == 1 { -p[0] } else { p[0] }).exp()).ln(),
            Likelihood::BetaBinomial { .. } => {
                let n = levels - 1;
                let [alpha, beta] = [p[0], p[1]].map(|v| v.clamp(-20.0, 20.0).exp());
                let f = &self.log_factorials;
                let choose = f[n] - f[x] - f[n - x];
                log_rising(alpha + beta, n)
                    - log_rising(alpha, x)
                    - log_rising(beta, n - x)
                    - choose
            }
            Likelihood::Categorical { .. } => {
                (log_mean_exp(p.iter().copied()) + (levels as f64).ln()) - p[x]
            }
            Likelihood::DiscretizedLogistic { components, .. } => {
                let logits = if components > 1 { components } else { 0 };
                let sigmoid = |v: f64| 1.0 / (1.0 + (-v).exp());
                let (mut total, mut mass) = (0.0, 0.0);
                let greatest = p[..logits].iter().copied().fold(f64::MIN, f64::max);
                for i in 0..components {
                    let weight = if logits > 0 {
                        (p[i] - greatest).exp()
                    } else {
                        1.0
                    };
                    let rate = (-p[logits + components + i].clamp(-10.0, 20.0)).exp();
                    let at = |edge: f64| (edge - p[logits + i]) * rate;
                    let (low, high) = (at(x as f64 - 0.5), at(x as f64 + 0.5));
                    total += weight;
                    // The smaller tails, so that nothing cancels.
                    mass += weight
                        * match x {
                            0 => sigmoid(high),
                            x if x == levels - 1 => sigmoid(-low),
                            _ if low > 0.0 => sigmoid(-low) - sigmoid(-high),
                            _ => sigmoid(high) - sigmoid(low),
                        };
                }
                total.ln() - mass.max(f64::MIN_POSITIVE).ln()
            }
        })
    }
}

/// `log (a (a+1) .. (a+n-1)) = log Gamma(a+n) - log Gamma(a)`, for `a` from `e^-20` to `e^21`.
fn log_rising(a: f64, n: usize) -> f64 {
    const SHIFT: usize = 8;
    let first = (0..n.min(SHIFT))
        .map(|i| a + i as f64)
        .product::<f64>()
        .ln();
    if n <= SHIFT {
        return first;
    }
    first + stirling(a + n as f64) - stirling(a + SHIFT as f64)
}

/// `log Gamma(z)` without its constant, for `z >= 8`: Stirling's series, to 1e-9.
fn stirling(z: f64) -> f64 {
    let r = 1.0 / z;
    (z - 0.5) * z.ln() - z + r * (1.0 / 12.0 - r * r * (1.0 / 360.0 - r * r / 1260.0))
}

/// `-log p(x)` of images, each with `samples` lanes one after another.
fn causal_nats(channels: &Channels<'_>, x: ArrayView2<'_, u8>, samples: usize) -> Result<Vec<f64>> {
    let (pixels, lanes) = channels.dim();
    let levels = channels.levels();
    let mut images = channels.images();
    let mut nats = vec![0.0; lanes];
    for pixel in 0..pixels {
        let level = |lane: usize| x[(lane / samples, pixel)];
        let distribution = images.next_pixel()?;
        let flags = distribution.logits(0..1)?;
        for (lane, (nats, &l)) in nats.iter_mut().zip(&flags).enumerate() {
            let (l, above) = (f64::from(l), f64::from(u8::from(level(lane) > 0)));
            *nats += l.max(0.0) - l * above + (-l.abs()).exp().ln_1p();
        }
        let above: Vec<usize> = (0..lanes).filter(|&lane| level(lane) > 0).collect();
        if levels > 2 && !above.is_empty() {
            let logits = distribution.logits(1..levels)?;
            for lane in above {
                let all = logits.iter().skip(lane).step_by(lanes);
                let all = all.map(|&l| f64::from(l));
                let own = all.clone().nth(usize::from(level(lane)) - 1);
                let greatest = all.clone().fold(f64::MIN, f64::max);
                let sum: f64 = all.map(|l| (l - greatest).exp()).sum();
                nats[lane] += sum.ln() + greatest - own.unwrap_or(f64::NEG_INFINITY);
            }
        }
        images.set((0..lanes).map(level))?;
    }
    Ok(nats)
}

/// `-log p(x)` of bits given their logits: `max(l, 0) - l x + log(1 + e^-|l|)` each.
fn bernoulli_nats(logits: ArrayView1<'_, f32>, x: ArrayView1<'_, u8>) -> f64 {
    let mut total = 0.0;
    // The logarithms of up to 16 factors between 1 and 2 are taken as one.
    let mut product = 1.0f64;
    for (i, (&l, &x)) in logits.iter().zip(x).enumerate() {
        let l = f64::from(l);
        total += l.max(0.0) - l * f64::from(x);
        product *= 1.0 + (-l.abs()).exp();
        if i % 16 == 15 {
            total += product.ln();
            product = 1.0;
        }
    }
    total + product.ln()
}

/// A standard normal draw (Box & Muller 1958; one of the two).
pub(crate) fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let u = (f64::from(rng.next_u32()) + 1.0) / 4_294_967_296.0;
    let angle = f64::from(rng.next_u32()) / 4_294_967_296.0 * std::f64::consts::TAU;
    (-2.0 * u.ln()).sqrt() * angle.cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_of_every_likelihood_sum_to_one() {
        let cases = [
            (Likelihood::Bernoulli, vec![0.7]),
            (Likelihood::BetaBinomial { levels: 256 }, vec![-3.0, 2.5]),
            (Likelihood::BetaBinomial { levels: 17 }, vec![9.0, -19.0]),
            (Likelihood::Categorical { levels: 3 }, vec![-40.0, 2.0, 1.0]),
            (
                Likelihood::DiscretizedLogistic {
                    levels: 256,
                    components: 1,
                },
                vec![260.0, 1.2],
            ),
            (
                Likelihood::DiscretizedLogistic {
                    levels: 9,
                    components: 2,
                },
                vec![0.3, -2.0, 1.0, 7.0, -1.0, 0.5],
            ),
        ];
        for (likelihood, p) in cases {
            let nats = Nats::new(likelihood);
            let total: f64 = (0..likelihood.levels())
                .map(|x| (-nats.of_one(&p, x).unwrap()).exp())
                .sum();
            assert!((total - 1.0).abs() < 1e-9, "{likelihood:?}: {total}");
        }
    }
}
