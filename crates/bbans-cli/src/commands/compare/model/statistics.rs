//! What both sides of a two-part code know of a model's latents: figures of data drawn from it.

use std::ops::Range;

use anyhow::{Result, bail};
use bbans::distributions::Categorical;
use bbans::{FileModel, VaeModel};
use bbans_twopart::{Code, Pair, Shared, functional_information};
use ndarray::Axis;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::posteriors::{Posteriors, draw};

/// Data drawn from the model, whose statistics both sides have: fewer where their bins would fill the memory.
const SAMPLES: usize = 256;
const LEAST_SAMPLES: usize = 32;
const BINS_OF_SAMPLES: usize = 1 << 25;
/// Most bins of all latents together.
const MOST_BINS: usize = 1 << 21;
/// Most bits of candidates for a sample, however large the budget.
const TRIAL_BUDGET: u32 = 16;
const SAMPLES_SEED: u64 = 0x7477_6f70_6172_7473;
/// This share of the samples is within the budget in every group.
const WITHIN: f64 = 0.995;

/// Statistics of data drawn from a model.
pub(in crate::commands::compare) struct Statistics<'a> {
    pub(in crate::commands::compare) model: &'a VaeModel,
    pub(in crate::commands::compare) budget: u32,
    pub(in crate::commands::compare) bin_precision: u32,
    /// Runs of latents, each as long as most of the samples stay within the budget, and within one group of the model's.
    pub(in crate::commands::compare) groups: Vec<Range<usize>>,
    prior: Categorical,
    latents: Vec<OfLatent>,
}

/// What the samples have for one latent, in a hierarchy given draws of those above.
#[derive(Default)]
struct OfLatent {
    mean_kl: f64,
    functional_information: f64,
    /// Of each sample.
    log2_max_ratios: Vec<f64>,
    posteriors: Vec<Bins>,
}

/// Masses of bins, those from the first that has one to the last.
struct Bins {
    first: usize,
    masses: Vec<u32>,
}

impl Bins {
    fn new(pair: &Pair) -> Self {
        let has_mass = |&q: &f64| q > 0.0;
        let q = pair.probabilities();
        let first = q.iter().position(has_mass).unwrap_or(0);
        let end = q.iter().rposition(has_mass).map_or(0, |last| last + 1);
        let mass = |&q: &f64| (q * f64::from(bbans_twopart::TOTAL_MASS)).round() as u32;
        Self {
            first,
            masses: q[first..end].iter().map(mass).collect(),
        }
    }
}

impl<'a> Statistics<'a> {
    pub(in crate::commands::compare) fn new(model: &'a VaeModel, budget: u32) -> Result<Self> {
        let vae = model.vae();
        let bin_precision = vae.description().latent.bin_precision;
        let bins = vae.latents() << bin_precision;
        if bins > MOST_BINS {
            bail!(
                "the model {} has {} latents of 2^{bin_precision} bins; the two-part codes here take at most 2^{} bins \
                 of all latents together: take a model of fewer latents, or of fewer bins",
                model.name(),
                vae.latents(),
                MOST_BINS.ilog2()
            );
        }
        let samples = (BINS_OF_SAMPLES / bins.max(1)).clamp(LEAST_SAMPLES, SAMPLES);
        let data = bbans::sample(model, samples, SAMPLES_SEED, 0)?;
        let mut rng = ChaCha8Rng::seed_from_u64(SAMPLES_SEED);
        rng.set_stream(1);
        let mut latents: Vec<OfLatent> = Vec::new();
        latents.resize_with(vae.latents(), OfLatent::default);
        for x in data.axis_chunks_iter(Axis(0), 1) {
            Posteriors::new(model, &x.to_owned())?.walk(|group, pairs| {
                for (of_latent, pair) in latents[group].iter_mut().zip(pairs) {
                    of_latent.mean_kl += pair.kl_bits() / samples as f64;
                    of_latent.log2_max_ratios.push(pair.log2_max_ratio());
                    of_latent.posteriors.push(Bins::new(pair));
                }
                Ok(draw(pairs, &mut || rng.next_u32()))
            })?;
        }
        let mut statistics = Self {
            model,
            budget,
            bin_precision,
            groups: Vec::new(),
            prior: super::posteriors::prior(model)?,
            latents,
        };
        let p: Vec<f64> = (0..statistics.prior.count())
            .map(|bin| model.prior_mass(bin as u16).map_or(0.0, f64::from))
            .map(|mass| mass / f64::from(bbans_twopart::TOTAL_MASS))
            .collect();
        for k in 0..vae.latents() {
            let ratios = statistics.ratios(&(k..k + 1))?;
            statistics.latents[k].functional_information = functional_information(&ratios, &p);
        }
        let of_group = |group| statistics.split(group);
        let all = vae.latent_groups().into_iter().flat_map(of_group);
        statistics.groups = all.collect();
        Ok(statistics)
    }

    pub(in crate::commands::compare) fn latents(&self) -> usize {
        self.latents.len()
    }

    pub(in crate::commands::compare) fn samples(&self) -> usize {
        let of_latent = self.latents.first();
        of_latent.map_or(0, |of_latent| of_latent.posteriors.len())
    }

    /// The budget of what is fixed by the samples.
    pub(in crate::commands::compare) fn trial_budget(&self) -> u32 {
        self.budget.min(TRIAL_BUDGET)
    }

    /// The priors of latents: the same for all.
    pub(in crate::commands::compare) fn priors(&self, latents: &Range<usize>) -> Vec<Categorical> {
        vec![self.prior.clone(); latents.len()]
    }

    /// `KL(q, p)` on average, in bits.
    pub(in crate::commands::compare) fn mean_kl(&self, latents: &Range<usize>) -> f64 {
        let of_latents = &self.latents[latents.clone()];
        of_latents.iter().map(|of_latent| of_latent.mean_kl).sum()
    }

    /// The part of the samples whose `log2 max(q/p)` is beyond a budget.
    pub(in crate::commands::compare) fn share_beyond(
        &self,
        latents: &Range<usize>,
        budget: u32,
    ) -> f64 {
        let of_latents = &self.latents[latents.clone()];
        let ratio = |i: usize| of_latents.iter().map(|l| l.log2_max_ratios[i]).sum::<f64>();
        let beyond = (0..self.samples()).filter(|&i| ratio(i) > f64::from(budget));
        beyond.count() as f64 / self.samples() as f64
    }

    /// `log2 max(q/p)` of a latent over all samples, within the trial budget.
    pub(in crate::commands::compare) fn log2_bound(&self, latent: &Range<usize>) -> f64 {
        let ratios = self.latents[latent.start].log2_max_ratios.iter();
        let most = ratios.fold(0.0, |a: f64, &b| a.max(b));
        most.min(f64::from(self.trial_budget()))
    }

    /// The samples' posteriors of a latent.
    fn pairs(&self, latent: &Range<usize>) -> impl Iterator<Item = Result<Pair>> {
        let pair = |bins: &Bins| {
            let mut masses = vec![0; self.prior.count()];
            masses[bins.first..][..bins.masses.len()].copy_from_slice(&bins.masses);
            Ok(Pair::new(&Categorical::from_masses(&masses)?, &self.prior)?)
        };
        self.latents[latent.start].posteriors.iter().map(pair)
    }

    /// `q/p` of all bins of a latent, of each sample.
    pub(in crate::commands::compare) fn ratios(
        &self,
        latent: &Range<usize>,
    ) -> Result<Vec<Vec<f64>>> {
        let ratios = |pair: Result<Pair>| Ok(pair?.ratios().to_vec());
        self.pairs(latent).map(ratios).collect()
    }

    /// What a code says for each sample that it applies to.
    pub(in crate::commands::compare) fn indices<C: Code>(
        &self,
        latent: &Range<usize>,
        code: &C,
    ) -> Result<Vec<C::Index>> {
        let mut indices = Vec::new();
        for (number, pair) in self.pairs(latent).enumerate() {
            let mut shared = Shared::new(SAMPLES_SEED, number as u64, latent.start as u64);
            let chosen = code.choose(std::slice::from_ref(&pair?), &mut shared)?;
            indices.extend(chosen.map(|chosen| chosen.index));
        }
        Ok(indices)
    }

    /// The functional information from the data to latents, one by one: of the samples, as if they were all data.
    pub(in crate::commands::compare) fn functional_information(
        &self,
        latents: &Range<usize>,
    ) -> f64 {
        let of_latents = &self.latents[latents.clone()];
        of_latents.iter().map(|l| l.functional_information).sum()
    }

    /// A group of the model's latents in runs that keep to the budget.
    fn split(&self, group: Range<usize>) -> Vec<Range<usize>> {
        let fits = |latents| self.share_beyond(&latents, self.budget) <= 1.0 - WITHIN;
        let (mut runs, mut start) = (Vec::new(), group.start);
        for end in group.start + 1..=group.end {
            if end == group.end || !fits(start..end + 1) {
                runs.push(start..end);
                start = end;
            }
        }
        runs
    }
}
