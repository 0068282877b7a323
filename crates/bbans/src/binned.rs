//! What a datum costs once its latents are bins and its probabilities are integer masses.

use bbans_core::block::{MAX_INITIAL_WORDS, Way};
use bbans_core::distributions::normal_cdf;
use bbans_core::{
    Distribution, ErrorKind, LatentModel, Message, PRECISION, Result, TOTAL_MASS, information,
};
use ndarray::{Array2, ArrayView2, Axis, Slice};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::elbo::{LANES, check, noise};
use crate::vae_model::VaeModel;

/// Bits of a datum at one draw of its latents.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Binned {
    /// `-log2 p(x|z) - log2 P(bin) + log2 Q(bin)`, where `z` is the centre of the bin that the draw falls into. What it has
    /// over [`crate::Elbo::importance_bits`] of the same single draw is what the bins cost.
    pub bits: f64,
    /// The same with the integer masses of the likelihood, as the codec has them.
    pub coded_bits: f64,
}

/// What each of `data`, symbols of the model, `[count, dims]`, costs at a draw of its latents. The draws are those of
/// [`crate::elbo`] with one sample.
///
/// # Errors
/// As [`crate::elbo`].
pub fn binned(
    model: &VaeModel,
    data: ArrayView2<'_, u16>,
    seed: u64,
    first: u64,
) -> Result<Vec<Binned>> {
    check(model, data, 1)?;
    let vae = model.vae();
    let mut all = Vec::with_capacity(data.nrows());
    for rows in data.axis_chunks_iter(Axis(0), LANES) {
        let lanes = rows.nrows();
        let mut draws: Vec<_> = (0..lanes)
            .map(|i| noise(seed, first + (all.len() + i) as u64))
            .collect();
        let mut latent_bits = vec![0.0; lanes];
        let mut z = Array2::zeros((lanes, vae.latents()));
        let mut latents = vae.infer(rows)?.top_down()?;
        for group in vae.latent_groups() {
            let posterior = model.posterior_distributions(&latents)?.0;
            let mut z = z.slice_axis_mut(Axis(1), Slice::from(group));
            for (i, mut z) in z.rows_mut().into_iter().enumerate() {
                for (z, q) in z.iter_mut().zip(posterior.column(i)) {
                    let quantile = normal_cdf(draws[i]() as f32).min(TOTAL_MASS - 1);
                    let (bin, interval) = q.locate(quantile);
                    let mass = f64::from(model.prior_mass(bin).unwrap_or(1));
                    latent_bits[i] += f64::from(PRECISION) - mass.log2() - interval.bits();
                    *z = bin;
                }
            }
            latents.set(vae.latents_of_bins(z.view())?.view())?;
        }
        let observed = vae.decode(vae.latents_of_bins(z.view())?.view())?;
        let nats = observed.nats(|column, dim| rows[(column, dim)])?;
        let coded = information(&model.likelihood(&z)?, &rows.to_owned(), lanes)?;
        let of_datum = nats.iter().zip(coded).zip(latent_bits);
        all.extend(of_datum.map(|((nats, coded), latent_bits)| Binned {
            bits: latent_bits + nats / std::f64::consts::LN_2,
            coded_bits: latent_bits + coded,
        }));
    }
    Ok(all)
}

/// Bits that `data`, `[count, dims]`, add to messages of fresh random words, a step for each, of which `seed` and `first`
/// name the words: what a block would take if all bits that it leaves were clean. One figure for each step.
///
/// # Errors
/// As the model says.
pub fn fresh_bits<M: LatentModel>(
    model: &M,
    data: ArrayView2<'_, M::X>,
    way: Way,
    seed: u64,
    first: u64,
) -> Result<Vec<f64>> {
    let mut all = Vec::new();
    for (step, rows) in data.axis_chunks_iter(Axis(0), way.lanes.max(1)).enumerate() {
        let lanes = rows.nrows();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(first + (step * way.lanes) as u64);
        let mut words = lanes * (way.words_of_step(model) + 2);
        let x = rows.to_owned();
        loop {
            let mut message = Message::new((0..words).map(|_| rng.next_u32()).collect());
            message.grow(lanes)?;
            let before = message.bits();
            match way.push(model, &mut message, &x) {
                Ok(()) => {
                    all.push(message.bits() - before);
                    break;
                }
                // Posteriors of more bits than the prior's.
                Err(e)
                    if e.kind() == ErrorKind::InsufficientData
                        && words < MAX_INITIAL_WORDS * lanes =>
                {
                    words *= 2;
                }
                Err(e) => return Err(e),
            }
        }
    }
    Ok(all)
}
