//! The codes that `bbans compare` knows: one code, one file. The registry is [`ALL`].

mod direct;
mod greedy;
mod greedy_poisson;
mod mode;
mod ordered;
mod point;
mod poisson;
mod poisson_delta;
mod rejection;
mod ring_toss;
mod splits;

use std::ops::Range;

use anyhow::Result;
use bbans_twopart::AnyCode;

use super::channel::Channel;
use super::model::{DataCode, LatentCode, Piece, Statistics};

/// What `bbans compare` asks of a code.
pub(super) struct Entry {
    pub(super) name: &'static str,
    /// Whether plots have it, which have room for six.
    pub(super) plotted: bool,
    /// The bound on the mean bits of part 1, where the literature has one.
    pub(super) bound: Option<fn(&Information<'_>) -> f64>,
    /// For one latent of a channel; `None` where it has nothing to say.
    pub(super) single: Option<OfChannel>,
    /// For the data of a model.
    pub(super) model: Option<OfModel>,
}

/// A code for latents.
pub(super) type Part1 = Box<dyn AnyCode + Sync>;

/// How a code is made for a channel, with candidates up to two to the power of a budget.
type OfChannel = fn(&Channel, u32) -> Result<Option<Part1>>;

/// How a code works on the data of a model.
pub(super) enum OfModel {
    /// In groups of latents that keep the candidates within the budget.
    Groups(fn(&Statistics<'_>, Range<usize>) -> Result<Part1>),
    /// Latent by latent.
    Latents(fn(&Statistics<'_>, usize) -> Result<Part1>),
    /// The datum as a whole.
    Datum(fn(&Statistics<'_>) -> Result<Box<dyn DataCode>>),
}

/// What bounds are in terms of, in bits: means over the data.
pub(super) struct Information<'a> {
    pub(super) kl: f64,
    pub(super) log2_max_ratio: f64,
    /// The functional information, which takes some time.
    pub(super) functional: &'a dyn Fn() -> f64,
    /// Whether the receiver knows `max(q/p)`, or is told, one exponent of so many.
    pub(super) exponents: Option<u32>,
}

/// All codes, in the order of the tables.
pub(super) const ALL: &[&Entry] = &[
    &rejection::ENTRY,
    &greedy::ENTRY,
    &greedy_poisson::ENTRY,
    &poisson::ENTRY,
    &poisson_delta::ENTRY,
    &ordered::ENTRY,
    &splits::ENTRY,
    &ring_toss::ENTRY,
    &point::ENTRY,
    &direct::ENTRY,
    &mode::ENTRY,
];

/// A code of the data of a model, as a table has it.
pub(super) struct OfData {
    pub(super) name: String,
    pub(super) bound: Option<fn(&Information<'_>) -> f64>,
    /// Whether plots have it.
    pub(super) plotted: bool,
    pub(super) code: Box<dyn DataCode>,
}

/// Every code that takes data of a model.
pub(super) fn of_model(statistics: &Statistics<'_>) -> Result<Vec<OfData>> {
    let one_by_one = |make: &dyn Fn(usize) -> Result<Part1>| -> Result<Box<dyn DataCode>> {
        let piece = |k: usize| {
            Ok(Piece {
                latents: k..k + 1,
                code: make(k)?,
            })
        };
        let pieces = (0..statistics.latents())
            .map(piece)
            .collect::<Result<_>>()?;
        Ok(Box::new(LatentCode { pieces }))
    };
    let mut all = Vec::new();
    for entry in ALL {
        let Some(of_model) = &entry.model else {
            continue;
        };
        let (what, code): (_, Box<dyn DataCode>) = match of_model {
            OfModel::Groups(make) => {
                let piece = |latents: &Range<usize>| {
                    Ok(Piece {
                        latents: latents.clone(),
                        code: make(statistics, latents.clone())?,
                    })
                };
                let pieces = (statistics.groups.iter().map(piece)).collect::<Result<_>>()?;
                (", groups", Box::new(LatentCode { pieces }))
            }
            OfModel::Latents(make) => (", each latent", one_by_one(&|k| make(statistics, k))?),

            OfModel::Datum(make) => ("", make(statistics)?),
        };
        all.push(OfData {
            name: format!("{}{what}", entry.name),
            bound: entry.bound,
            plotted: entry.plotted,
            code,
        });
    }
    Ok(all)
}
