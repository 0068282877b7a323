//! The evidence lower bound: what a file should cost.

use bbans_core::{Error, Result};
use ndarray::{Array2, ArrayView2};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::vae_model::VaeModel;

/// Parts of the negative evidence lower bound of one datum, in bits.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Elbo {
    /// `KL(q(z|x), p(z))`, in closed form.
    pub kl_bits: f64,
    /// Mean of `-log2 p(x|z)` over samples of `z` from `q(z|x)`.
    pub reconstruction_bits: f64,
}

impl Elbo {
    /// The negative evidence lower bound: the variational upper bound on the code length.
    pub fn bits(&self) -> f64 {
        self.kl_bits + self.reconstruction_bits
    }
}

/// The bound for each of `data`, binary, `[count, dims]`, with `samples` draws of a continuous `z`
/// for each datum. `first` is the number of the first datum: with `seed` it names the draws, so
/// that they do not depend on how data are cut into calls.
///
/// Uses the codec's networks, but neither its bins nor its integer masses.
///
/// # Errors
/// [`bbans_core::ErrorKind::Model`] if the model cannot be evaluated.
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
    let vae = model.vae();
    let posterior = vae.posterior(data).map_err(Error::model)?;
    let rows = posterior
        .mean
        .columns()
        .into_iter()
        .zip(posterior.log_sigma.columns());
    let mut bounds = Vec::with_capacity(data.nrows());
    for (i, (mean, log_sigma)) in rows.enumerate() {
        let parameters = mean
            .iter()
            .zip(log_sigma)
            .map(|(&m, &s)| (f64::from(m), f64::from(s)));
        let kl_nats: f64 = parameters
            .map(|(m, s)| 0.5 * (m * m + (2.0 * s).exp() - 1.0) - s)
            .sum();
        let mut draw = noise(i);
        let mut z = Array2::zeros((vae.latents(), samples));
        for mut column in z.columns_mut() {
            for ((z, &m), &s) in column.iter_mut().zip(mean).zip(log_sigma) {
                *z = m + s.exp() * draw() as f32;
            }
        }
        let logits = vae.logits(z.view()).map_err(Error::model)?;
        let nats: f64 = logits
            .columns()
            .into_iter()
            .map(|l| bernoulli_nats(l, data.row(i)))
            .sum();
        bounds.push(Elbo {
            kl_bits: kl_nats / std::f64::consts::LN_2,
            reconstruction_bits: nats / samples as f64 / std::f64::consts::LN_2,
        });
    }
    Ok(bounds)
}

/// `-log p(x)` of bits given their logits: `max(l, 0) - l x + log(1 + e^-|l|)` each.
fn bernoulli_nats(logits: ndarray::ArrayView1<'_, f32>, x: ndarray::ArrayView1<'_, u8>) -> f64 {
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
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let u = (f64::from(rng.next_u32()) + 1.0) / 4_294_967_296.0;
    let angle = f64::from(rng.next_u32()) / 4_294_967_296.0 * std::f64::consts::TAU;
    (-2.0 * u.ln()).sqrt() * angle.cos()
}
