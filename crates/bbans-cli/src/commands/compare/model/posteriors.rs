//! The posterior of a datum over the bins, one group of latents after another.

use std::ops::Range;

use anyhow::Result;
use bbans::distributions::{Categorical, GaussianBin};
use bbans::nn::{Inference, TopDown};
use bbans::{Distribution, VaeModel};
use bbans_twopart::Pair;
use ndarray::{Array2, ArrayView2};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The posterior of one datum.
pub(super) struct Posteriors<'a> {
    model: &'a VaeModel,
    inference: Inference<'a>,
    prior: Categorical,
    /// Of the first group, which depends on the datum alone.
    first: Vec<Pair>,
}

/// The prior of every latent, in units of what is known when it is reached: the same bins and masses for all.
pub(super) fn prior(model: &VaeModel) -> Result<Categorical> {
    let masses: Vec<u32> = (0..=u16::MAX)
        .map_while(|bin| model.prior_mass(bin))
        .collect();
    Ok(Categorical::from_masses(&masses)?)
}

/// A draw of latents, by a word of randomness each.
pub(super) fn draw(pairs: &[Pair], word: &mut dyn FnMut() -> u32) -> Vec<u32> {
    let one = |pair: &Pair| pair.symbol_of((f64::from(word()) + 0.5) / 4_294_967_296.0);
    pairs.iter().map(one).collect()
}

/// What draws of a datum's latents have.
pub(super) struct Draws {
    /// Of each latent, of the first draw.
    pub(super) kl_bits: Vec<f64>,
    pub(super) log2_max_ratio: Vec<f64>,
    /// `log p/q` of each draw, in nats.
    pub(super) log_ratios: Vec<f64>,
}

impl<'a> Posteriors<'a> {
    /// Of a datum, `[1, dims]`.
    pub(super) fn new(model: &'a VaeModel, x: &Array2<u16>) -> Result<Self> {
        let mut posteriors = Self {
            model,
            inference: model.vae().infer(x.view())?,
            prior: prior(model)?,
            first: Vec::new(),
        };
        posteriors.first = posteriors.pairs(&posteriors.inference.top_down()?)?;
        Ok(posteriors)
    }

    pub(super) fn prior(&self) -> &Categorical {
        &self.prior
    }

    /// The pairs of the next group.
    fn pairs(&self, latents: &TopDown<'_>) -> Result<Vec<Pair>> {
        let bins = self.prior.count();
        let pair = |q: &GaussianBin<'_>| -> Result<Pair> {
            let mass = |bin: usize| q.interval(&(bin as u16)).map_or(0, |i| i.mass().get());
            let q = Categorical::from_masses(&(0..bins).map(mass).collect::<Vec<_>>())?;
            Ok(Pair::new(&q, &self.prior)?)
        };
        let of_group = self.model.posterior_distributions(latents)?.0;
        of_group.iter().map(pair).collect()
    }

    /// From the first group of latents to the last: `choose` is given a group's place and its pairs, and says its latents.
    pub(super) fn walk(
        &self,
        mut choose: impl FnMut(Range<usize>, &[Pair]) -> Result<Vec<u32>>,
    ) -> Result<Array2<u16>> {
        let vae = self.model.vae();
        let mut z: Vec<u16> = Vec::with_capacity(vae.latents());
        let (mut known, mut last) = (None, 0);
        for group in vae.latent_groups() {
            let symbols = if group.start == 0 {
                choose(group, &self.first)?
            } else {
                let known = match &mut known {
                    Some(known) => known,
                    none => none.insert(self.inference.top_down()?),
                };
                let of_last = ArrayView2::from_shape((1, z.len() - last), &z[last..])?;
                known.set(vae.latents_of_bins(of_last)?.view())?;
                choose(group, &self.pairs(known)?)?
            };
            last = z.len();
            for symbol in symbols {
                z.push(u16::try_from(symbol)?);
            }
        }
        Ok(Array2::from_shape_vec((1, z.len()), z)?)
    }

    /// Draws of all latents, by a generator of the seed and stream.
    pub(super) fn draws(&self, count: usize, seed: u64, stream: u64) -> Result<Draws> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        let mut draws = Draws {
            kl_bits: Vec::new(),
            log2_max_ratio: Vec::new(),
            log_ratios: Vec::new(),
        };
        for number in 0..count {
            let mut log_ratio = 0.0;
            self.walk(|_, pairs| {
                if number == 0 {
                    draws.kl_bits.extend(pairs.iter().map(Pair::kl_bits));
                    let ratios = pairs.iter().map(Pair::log2_max_ratio);
                    draws.log2_max_ratio.extend(ratios);
                }
                let z = draw(pairs, &mut || rng.next_u32());
                let of_pair = |(pair, &z): (&Pair, &u32)| pair.ratio(z).ln();
                log_ratio -= pairs.iter().zip(&z).map(of_pair).sum::<f64>();
                Ok(z)
            })?;
            draws.log_ratios.push(log_ratio);
        }
        Ok(draws)
    }
}
