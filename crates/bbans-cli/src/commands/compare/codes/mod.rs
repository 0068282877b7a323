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
    pub(super) bound: Option<fn(&Information) -> f64>,
    /// For one latent of a channel; `None` where it has nothing to say.
    pub(super) single: Option<OfChannel>,
    /// For the data of a model.
    pub(super) model: Option<OfModel>,
}

/// A code for latents.
pub(super) type BoxedCode = Box<dyn AnyCode + Sync>;

/// How a code is made for a channel, with candidates up to two to the power of a budget.
type OfChannel = fn(&Channel, u32) -> Result<Option<BoxedCode>>;

/// How a code of whole data is made for a model; `None` if the model has none.
type OfDatum = fn(&Statistics<'_>) -> Result<Option<Box<dyn DataCode>>>;

/// How a code works on the data of a model.
pub(super) enum OfModel {
    /// In groups of latents that keep the candidates within the budget.
    Groups(fn(&Statistics<'_>, Range<usize>) -> Result<BoxedCode>),
    /// Latent by latent.
    Latents(fn(&Statistics<'_>, Range<usize>) -> Result<BoxedCode>),
    /// The datum as a whole.
    Datum(OfDatum),
}

/// What bounds are in terms of, in bits: means over the data.
pub(super) struct Information {
    pub(super) kl: f64,
    pub(super) log2_max_ratio: f64,
    /// The functional information.
    pub(super) functional: f64,
    /// Number of exponents that M is sent as one of; `None` if the receiver knows it.
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
    pub(super) bound: Option<fn(&Information) -> f64>,
    /// Whether plots have it.
    pub(super) plotted: bool,
    pub(super) code: Box<dyn DataCode>,
}

/// Every code that takes data of a model.
pub(super) fn of_model(statistics: &Statistics<'_>) -> Result<Vec<OfData>> {
    let in_pieces = |make: &dyn Fn(&Statistics<'_>, Range<usize>) -> Result<BoxedCode>,
                     pieces: &[Range<usize>]|
     -> Result<Box<dyn DataCode>> {
        let piece = |latents: &Range<usize>| {
            Ok(Piece {
                latents: latents.clone(),
                code: make(statistics, latents.clone())?,
            })
        };
        let pieces = pieces.iter().map(piece).collect::<Result<_>>()?;
        Ok(Box::new(LatentCode { pieces }))
    };
    let one_by_one: Vec<_> = (0..statistics.latents()).map(|k| k..k + 1).collect();
    let mut all = Vec::new();
    for entry in ALL {
        let (what, code) = match &entry.model {
            None => continue,
            Some(OfModel::Groups(make)) => (", groups", in_pieces(make, &statistics.groups)?),
            Some(OfModel::Latents(make)) => (", each latent", in_pieces(make, &one_by_one)?),
            Some(OfModel::Datum(make)) => match make(statistics)? {
                Some(code) => ("", code),
                None => continue,
            },
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
