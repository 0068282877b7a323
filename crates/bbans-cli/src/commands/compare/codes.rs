//! The two-part codes of a model, with everything that is fixed per model.

use std::ops::Range;

use anyhow::{Result, bail};
use bbans::distributions::Categorical;
use bbans::{Distribution, FileModel, Message, VaeModel};
use bbans_twopart::{
    Choice, Code, Direct, DyadicSplits, Greedy, OrDirect, Ordered, Pair, PoissonFunctional,
    Rejection, Shared, Zipf,
};
use ndarray::{Array2, Axis};

use super::model::{Datum, Sent};

/// Data drawn from the model, whose statistics both sides have.
const SAMPLES: usize = 256;
const SAMPLES_SEED: u64 = 0x7477_6f70_6172_7473;
/// This share of the samples is within the budget in every group.
const WITHIN: f64 = 0.995;

/// The distributions of each datum's latents, of data `[lanes, dims]`.
pub(super) fn pairs(model: &VaeModel, x: &Array2<u8>) -> Result<Vec<Vec<Pair>>> {
    let vae = model.vae();
    let groups = vae.latent_groups().len();
    if groups > 1 {
        bail!(
            "the model {} has {groups} groups of latents, inferred one after another; expected a model \
             whose latents are all known at once: the two-part codes here are of such",
            model.name()
        );
    }
    let latents = vae.infer(x.view())?.top_down()?;
    let posterior = model.posterior_distributions(&latents)?.0;
    let bins = 1usize << model.vae().description().latent.bin_precision;
    let mass = bbans_twopart::TOTAL_MASS / bins as u32;
    let p = Categorical::from_masses(&vec![mass; bins])?;
    let pair = |q: &bbans::distributions::GaussianBin<'_>| -> Result<Pair> {
        let mass = |bin: usize| q.interval(&(bin as u16)).map_or(0, |i| i.mass().get());
        let q = Categorical::from_masses(&(0..bins).map(mass).collect::<Vec<_>>())?;
        Ok(Pair::new(&q, &p)?)
    };
    posterior
        .columns()
        .into_iter()
        .map(|latents| latents.iter().map(pair).collect())
        .collect()
}

/// Neighbouring latents that a code takes together.
pub(super) struct Group<C> {
    pub(super) latents: Range<usize>,
    pub(super) code: C,
}

/// All codes, for one model and budget.
pub(super) struct Codes {
    rejection: Vec<Group<OrDirect<Rejection>>>,
    poisson: Vec<Group<OrDirect<PoissonFunctional>>>,
    ordered: Vec<Group<OrDirect<Ordered>>>,
    greedy: Vec<Group<Greedy>>,
    splits: Vec<Group<OrDirect<DyadicSplits>>>,
    direct: Vec<Group<Direct>>,
    mode: Vec<Group<Mode>>,
}

impl Codes {
    pub(super) fn new(model: &VaeModel, budget: u32) -> Result<Self> {
        let statistics = Statistics::new(model)?;
        let latents = model.vae().latents();
        let prior = &statistics.prior;
        let share_beyond = |range: Range<usize>| {
            let over = statistics
                .log2_max_ratios
                .iter()
                .filter(|z| z[range.clone()].iter().sum::<f64>() > f64::from(budget));
            over.count() as f64 / SAMPLES as f64
        };
        let mut codes = Self {
            rejection: vec![],
            poisson: vec![],
            ordered: vec![],
            greedy: vec![],
            splits: vec![],
            direct: vec![],
            mode: vec![],
        };
        for range in groups(&statistics.log2_max_ratios, latents, f64::from(budget)) {
            let kl = statistics.mean_kl[range.clone()].iter().sum();
            let share = share_beyond(range.clone());
            let p = prior[range.clone()].to_vec();
            codes.rejection.push(Group {
                latents: range.clone(),
                code: OrDirect::new(Rejection::new(budget)?, p.clone(), share),
            });
            codes.poisson.push(Group {
                latents: range.clone(),
                code: OrDirect::new(PoissonFunctional::new(kl, budget)?, p.clone(), share),
            });
            codes.ordered.push(Group {
                latents: range,
                code: OrDirect::new(Ordered::new(kl, budget)?, p, 0.0),
            });
        }
        for k in 0..latents {
            let (range, p) = (k..k + 1, prior[k..=k].to_vec());
            codes.greedy.push(Group {
                latents: range.clone(),
                code: Greedy::with_index(Zipf::fit(&statistics.greedy_indices[k])?),
            });
            codes.splits.push(Group {
                latents: range.clone(),
                code: OrDirect::new(
                    DyadicSplits::new(statistics.bin_precision, &statistics.depths[k])?,
                    p.clone(),
                    0.0,
                ),
            });
            codes.direct.push(Group {
                latents: range.clone(),
                code: Direct { prior: p.clone() },
            });
            codes.mode.push(Group {
                latents: range,
                code: Mode(Direct { prior: p }),
            });
        }
        Ok(codes)
    }

    pub(super) fn names(&self) -> [&'static str; 7] {
        [
            "rejection sampling, groups",
            "Poisson functional, groups",
            "ordered random coding, groups (approx.)",
            "greedy rejection, each latent",
            "A* dyadic splits, each latent",
            "z ~ q sent directly",
            "mode of q sent directly",
        ]
    }

    /// Number of groups of the codes that work on groups.
    pub(super) fn groups(&self) -> usize {
        self.rejection.len()
    }

    /// One image by every code, in the order of the names.
    pub(super) fn send(&self, datum: &Datum<'_>) -> Result<Vec<Sent>> {
        Ok(vec![
            datum.send(&self.rejection)?,
            datum.send(&self.poisson)?,
            datum.send(&self.ordered)?,
            datum.send(&self.greedy)?,
            datum.send(&self.splits)?,
            datum.send(&self.direct)?,
            datum.send(&self.mode)?,
        ])
    }
}

/// What both sides know of a model's latents: figures of [`SAMPLES`] data drawn from it.
struct Statistics {
    bin_precision: u32,
    prior: Vec<Categorical>,
    /// `[samples][latents]`.
    log2_max_ratios: Vec<Vec<f64>>,
    /// Of each latent.
    mean_kl: Vec<f64>,
    greedy_indices: Vec<Vec<u64>>,
    /// How often each depth of the tree was sent, of each latent.
    depths: Vec<Vec<f64>>,
}

impl Statistics {
    fn new(model: &VaeModel) -> Result<Self> {
        let latents = model.vae().latents();
        let bin_precision = model.vae().description().latent.bin_precision;
        let uniform = vec![0.5; bin_precision as usize + 1];
        let greedy = Greedy::new(1.0)?;
        let splits = DyadicSplits::new(bin_precision, &uniform)?;
        let mut found = Self {
            bin_precision,
            prior: vec![],
            log2_max_ratios: vec![],
            mean_kl: vec![0.0; latents],
            greedy_indices: vec![vec![]; latents],
            depths: vec![uniform; latents],
        };
        let data = bbans::sample(model, SAMPLES, SAMPLES_SEED, 0)?;
        // One at a time: with many bins the distributions of all would fill the memory.
        for (number, x) in data.axis_chunks_iter(Axis(0), 1).enumerate() {
            let z = pairs(model, &x.to_owned())?.remove(0);
            found
                .log2_max_ratios
                .push(z.iter().map(Pair::log2_max_ratio).collect());
            for (k, pair) in z.iter().enumerate() {
                found.mean_kl[k] += pair.kl_bits() / SAMPLES as f64;
                let one = std::slice::from_ref(pair);
                let shared = || Shared::new(SAMPLES_SEED, number as u64, k as u64);
                let chosen = greedy.choose(one, &mut shared())?;
                found.greedy_indices[k].extend(chosen.map(|c| c.index));
                if let Some(chosen) = splits.choose(one, &mut shared())? {
                    found.depths[k][chosen.index.ilog2() as usize] += 1.0;
                }
            }
            found.prior = z.into_iter().map(|pair| pair.prior().clone()).collect();
        }
        Ok(found)
    }
}

/// Runs of latents, each as long as [`WITHIN`] of the samples stay within the budget.
fn groups(log2_max_ratios: &[Vec<f64>], latents: usize, budget: f64) -> Vec<Range<usize>> {
    let fits = |range: Range<usize>| {
        let within = log2_max_ratios
            .iter()
            .filter(|z| z[range.clone()].iter().sum::<f64>() <= budget);
        within.count() as f64 >= WITHIN * log2_max_ratios.len() as f64
    };
    let mut groups = Vec::new();
    let mut start = 0;
    for end in 1..=latents {
        if end == latents || !fits(start..end + 1) {
            groups.push(start..end);
            start = end;
        }
    }
    groups
}

/// The likeliest symbol of `q`, sent at `-log2 p(z)`. No draw of `q`: the bound does not hold for it.
pub(super) struct Mode(Direct);

impl Code for Mode {
    type Index = Vec<u32>;

    fn choose(&self, latents: &[Pair], _: &mut Shared) -> bbans::Result<Option<Choice<Vec<u32>>>> {
        let mode = |pair: &Pair| {
            let q = pair.probabilities();
            (0..q.len()).fold(0, |a, b| if q[b] > q[a] { b } else { a }) as u32
        };
        let z: Vec<u32> = latents.iter().map(mode).collect();
        Ok(Some(Choice {
            index: z.clone(),
            z,
            candidates: 0,
        }))
    }

    fn push(&self, message: &mut Message, z: &Vec<u32>) -> bbans::Result<()> {
        self.0.push(message, z)
    }

    fn pop(&self, message: &mut Message) -> bbans::Result<Vec<u32>> {
        self.0.pop(message)
    }

    fn receive(
        &self,
        prior: &[Categorical],
        z: &Vec<u32>,
        shared: &mut Shared,
    ) -> bbans::Result<Vec<u32>> {
        self.0.receive(prior, z, shared)
    }
}
