//! The evidence lower bound: what a file should cost.

use bbans_core::{Error, Result, normal_pair};
use ndarray::{Array2, ArrayView2, Axis, Slice};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use bbans_nn::Observed;

use crate::vae_model::VaeModel;

/// Parts of the negative evidence lower bound of one datum, in bits.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Elbo {
    /// `KL(q(z|x), p(z))`, in closed form; with several groups of latents of each given those above,
    /// mean over the samples.
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
    data: ArrayView2<'_, u16>,
    samples: usize,
    seed: u64,
    first: u64,
) -> Result<Vec<Elbo>> {
    elbo_with(model, data, samples, |datum| {
        noise(seed, first + datum as u64)
    })
}

/// The draws of a datum.
pub(crate) fn noise(seed: u64, datum: u64) -> impl FnMut() -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(datum);
    move || normal_pair(&mut rng)[0]
}

/// Checks what a bound is asked of.
pub(crate) fn check(model: &VaeModel, data: ArrayView2<'_, u16>, samples: usize) -> Result<()> {
    if samples == 0 {
        return Err(Error::invalid_argument(
            "a bound of 0 samples of z; expected at least 1",
        ));
    }
    let levels = model.vae().likelihood().levels();
    match data.iter().find(|&&x| usize::from(x) >= levels) {
        None => Ok(()),
        Some(x) => Err(Error::invalid_argument(format!(
            "the data have the symbol {x}, the model has {levels}"
        ))),
    }
}

/// [`elbo`] with `z = mean + sigma * noise(datum)()`: `noise` gives each datum its own draws.
///
/// # Errors
/// As [`elbo`].
pub fn elbo_with<N: FnMut() -> f64>(
    model: &VaeModel,
    data: ArrayView2<'_, u16>,
    samples: usize,
    mut noise: impl FnMut(usize) -> N,
) -> Result<Vec<Elbo>> {
    check(model, data, samples)?;
    let vae = model.vae();
    let mut bounds = Vec::with_capacity(data.nrows());
    // Enough columns for the network to be fast.
    let at_once = (LANES / samples).max(1);
    for rows in data.axis_chunks_iter(Axis(0), at_once) {
        let columns = rows.nrows() * samples;
        let mut z = Array2::zeros((vae.latents(), columns));
        // Of each sample: KL, given the latents of the layers above; log q(z|x) - log p(z).
        let (mut kl_nats, mut log_ratios) = (vec![0.0; columns], vec![0.0; columns]);
        let mut draws: Vec<N> = (0..rows.nrows()).map(|i| noise(bounds.len() + i)).collect();
        let mut latents = vae.infer(rows)?.repeated(samples)?.top_down()?;
        for group in vae.latent_groups() {
            let posterior = latents.posterior()?;
            let mut z = z.slice_axis_mut(Axis(0), Slice::from(group));
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
            latents.set(z.view())?;
        }
        let observed = vae.decode(z.view())?;
        let nats = observed.nats(|column, dim| rows[(column / samples, dim)])?;
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

/// Bits of every dimension given those before it, summed over the data, for one draw of each datum's latents: `-log2
/// p(x_d | x_<d, z)`. None of a model whose likelihood is not autoregressive.
///
/// # Errors
/// As [`elbo`].
pub fn bits_of_dims(
    model: &VaeModel,
    data: ArrayView2<'_, u16>,
    seed: u64,
    first: u64,
) -> Result<Option<Vec<f64>>> {
    check(model, data, 1)?;
    let vae = model.vae();
    let mut sums = vec![0.0; vae.dims()];
    let mut done = first;
    for rows in data.axis_chunks_iter(Axis(0), LANES) {
        let mut draws: Vec<_> = (0..rows.nrows() as u64)
            .map(|i| noise(seed, done + i))
            .collect();
        done += rows.nrows() as u64;
        let mut z = Array2::zeros((vae.latents(), rows.nrows()));
        let mut latents = vae.infer(rows)?.top_down()?;
        for group in vae.latent_groups() {
            let posterior = latents.posterior()?;
            let mut z = z.slice_axis_mut(Axis(0), Slice::from(group));
            for (i, mut z) in z.columns_mut().into_iter().enumerate() {
                let parameters = posterior
                    .mean
                    .column(i)
                    .into_iter()
                    .zip(posterior.log_sigma.column(i));
                for (z, (&m, &s)) in z.iter_mut().zip(parameters) {
                    *z = m + s.exp() * draws[i]() as f32;
                }
            }
            latents.set(z.view())?;
        }
        let Observed::Positions(positions) = vae.decode(z.view())? else {
            return Ok(None);
        };
        let bits = positions.bits_of_dims(|lane, dim| rows[(lane, dim)])?;
        sums.iter_mut()
            .zip(bits)
            .for_each(|(sum, bits)| *sum += bits);
    }
    Ok(Some(sums))
}

/// Samples that the networks are evaluated on at a time, about.
pub(crate) const LANES: usize = 64;

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
