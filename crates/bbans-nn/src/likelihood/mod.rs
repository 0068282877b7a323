//! Distributions of the observed dimensions given what the decoder network computes: one a file.
//!
//! Most are [`Tabular`]: independent dimensions, each with a table of masses. Others are of bits, or code what belongs
//! together one dimension after another.

pub(crate) mod autoregressive;
pub(crate) mod bernoulli;
mod beta_binomial;
mod categorical;
mod causal_bernoulli;
mod causal_categorical;
mod colour_logistics;
mod discretized_gaussian;
mod discretized_logistic;
mod edges;
mod field;
mod head;
mod hurdle;
mod tables;
#[cfg(test)]
mod tests;
mod window;

use serde::{Deserialize, Serialize};

pub use autoregressive::{Autoregressive, Positions, PositionsWalk, Symbol, SymbolKind};
pub use bernoulli::Bernoulli;
pub use beta_binomial::BetaBinomial;
pub use categorical::Categorical;
pub use causal_bernoulli::CausalBernoulli;
pub use causal_categorical::{CausalCategorical, EMBEDDING};
pub use colour_logistics::{ColourLogistics, Colours};
pub use discretized_gaussian::DiscretizedGaussian;
pub use discretized_logistic::DiscretizedLogistic;
pub use edges::Edges;
pub use head::{Channels, Images};
pub use hurdle::Hurdle;
pub use window::Window;

pub(crate) use head::Head;
pub(crate) use window::MAX_WINDOW;

use crate::exact::simd::Path;
use bbans_core::{Error, Result};
pub(crate) use tables::clamp;
use tables::{Cumulative, Lanes, MAX_LEVELS};

/// Most components of a mixture.
pub const MAX_COMPONENTS: usize = 64;

/// What every likelihood says of itself.
pub trait Kind {
    /// Number of symbols of an observed dimension: `0..levels`.
    fn levels(&self) -> usize;

    /// Number of parameters of an observed dimension, or of what [`Kind::dims`] of them share.
    fn parameters(&self) -> usize;

    /// Number of dimensions that share parameters.
    fn dims(&self) -> usize {
        1
    }

    /// Checks its numbers.
    ///
    /// # Errors
    /// If one is out of its range.
    fn check(&self) -> Result<()> {
        check_levels(self.levels())
    }

    /// Checks that it is one of data of this shape.
    ///
    /// # Errors
    /// If it is not.
    fn check_shape(&self, shape: &[usize]) -> Result<()> {
        let _ = shape;
        Ok(())
    }

    /// What a head sees, of a likelihood that has one.
    fn head(&self) -> Option<HeadKind> {
        None
    }

    /// Its name and numbers as fingerprints up to version 5 have them; likelihoods since then are hashed as JSON.
    fn fields(&self) -> (&'static str, Fields) {
        ("", Fields::Numbers(Vec::new()))
    }
}

/// A likelihood of independent dimensions, each with a table of masses.
pub trait Tabular: Kind {
    /// The cumulative function of some lanes from their rows of parameters: ascending from 0, of `levels + 1` values,
    /// the last above 0, all finite. Every operation is part of the format.
    fn cumulative(&self, row: impl Fn(usize) -> Lanes, cumulative: &mut Cumulative);

    /// `-log p(x)` of a dimension, for bounds.
    fn nats(&self, parameters: &[f64], x: usize) -> f64;
}

/// A head's window and the sizes of its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadKind {
    /// What a pixel sees.
    pub window: Window,
    /// Numbers that stand for a neighbour.
    pub depth: usize,
    /// Number of logits.
    pub outputs: usize,
}

impl HeadKind {
    /// Number of inputs: the pixel's channels and what stands for the neighbours.
    pub fn inputs(&self) -> usize {
        self.window.channels + self.window.count() * self.depth
    }
}

/// Numbers in a fingerprint.
pub enum Fields {
    /// Each by itself.
    Numbers(Vec<usize>),
    /// As a list, with its length.
    List(Vec<usize>),
}

/// The enum of all likelihoods: one line each.
macro_rules! likelihoods {
    (tabular: $($tabular:ident $since:literal),*; others: $($other:ident $other_since:literal),*;) => {
        /// Distribution of the observed dimensions given what the decoder network computes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Likelihood {
            /// A logit for each dimension; data are 0 or 1.
            Bernoulli,
            $(
                #[doc = concat!("[`", stringify!($tabular), "`]")]
                $tabular($tabular),
            )*
            $(
                #[doc = concat!("[`", stringify!($other), "`]")]
                $other($other),
            )*
        }

        impl Likelihood {
            /// What it says of itself.
            pub fn kind(&self) -> &dyn Kind {
                match self {
                    Self::Bernoulli => &Bernoulli,
                    $(Self::$tabular(likelihood) => likelihood,)*
                    $(Self::$other(likelihood) => likelihood,)*
                }
            }

            /// The oldest version of the description that has it.
            pub(crate) fn oldest_version(&self) -> u32 {
                match self {
                    Self::Bernoulli => 1,
                    $(Self::$tabular(_) => $since,)*
                    $(Self::$other(_) => $other_since,)*
                }
            }

            /// The tables of one dimension, of independent ones: from its parameters, `[parameters, lanes]`, all
            /// finite, to `starts`, `[levels + 1, lanes]`, of each lane ascending from 0 to `2^24`, every symbol with
            /// a mass of at least 1.
            ///
            /// # Errors
            /// If the likelihood is none of tables.
            pub fn starts(&self, path: Path, parameters: &[f32], starts: &mut [u32]) -> Result<()> {
                match self {
                    $(Self::$tabular(likelihood) => path.vectorize(
                        #[inline(always)]
                        || tables::starts(likelihood, parameters, starts),
                    ),)*
                    _ => return Err(not_tabular()),
                }
                Ok(())
            }

            /// `-log p(x)` of one of independent dimensions, for bounds.
            ///
            /// # Errors
            /// If the likelihood is none of tables or bits.
            pub fn nats(&self, parameters: &[f64], x: usize) -> Result<f64> {
                match self {
                    Self::Bernoulli => Ok(bernoulli::nats(parameters[0], x)),
                    $(Self::$tabular(likelihood) => Ok(likelihood.nats(parameters, x)),)*
                    _ => Err(not_tabular()),
                }
            }
        }
    };
}

likelihoods!(
    tabular: BetaBinomial 2, Categorical 2, DiscretizedLogistic 2, DiscretizedGaussian 6;
    others: CausalBernoulli 3, CausalCategorical 4, ColourLogistics 6, Autoregressive 8;
);

impl Likelihood {
    /// Number of symbols of an observed dimension: `0..levels`.
    pub fn levels(&self) -> usize {
        self.kind().levels()
    }

    /// Number of parameters of an observed dimension, or of those that share them.
    pub fn parameters(&self) -> usize {
        self.kind().parameters()
    }

    /// Number of parameters of data of this shape: what the decoder network gives.
    ///
    /// # Errors
    /// If it is no likelihood of such data, or there are too many.
    pub fn outputs(&self, shape: &[usize]) -> Result<usize> {
        let kind = self.kind();
        kind.check_shape(shape)?;
        let dims = shape.iter().product::<usize>();
        let outputs = (dims / kind.dims()).saturating_mul(kind.parameters());
        if outputs > crate::file::MAX_DIM {
            return Err(Error::model(format!(
                "{dims} dimensions of {} parameters each; the limit is {} in all",
                kind.parameters(),
                crate::file::MAX_DIM
            )));
        }
        Ok(outputs)
    }

    /// Of a causal likelihood, the inputs of its head, the channels and what stands for the
    /// neighbours, and its outputs, the logits.
    pub fn head(&self) -> Option<[usize; 2]> {
        self.kind().head().map(|head| [head.inputs(), head.outputs])
    }

    /// Of a causal likelihood, what a pixel sees.
    pub fn window(&self) -> Option<Window> {
        match self {
            Self::Autoregressive(likelihood) => Some(likelihood.window),
            _ => self.kind().head().map(|head| head.window),
        }
    }
}

/// Checks a number of symbols.
fn check_levels(levels: usize) -> Result<()> {
    if (2..=MAX_LEVELS).contains(&levels) {
        return Ok(());
    }
    Err(Error::model(format!(
        "the likelihood has {levels} levels; expected 2 to {MAX_LEVELS}"
    )))
}

/// Checks a number of components.
fn check_components(components: usize) -> Result<()> {
    if (1..=MAX_COMPONENTS).contains(&components) {
        return Ok(());
    }
    Err(Error::model(format!(
        "the likelihood mixes {components} components; expected 1 to {MAX_COMPONENTS}"
    )))
}

/// Checks that data are images `[height, width]`.
fn check_image(shape: &[usize]) -> Result<()> {
    if shape.len() == 2 {
        return Ok(());
    }
    Err(Error::model(format!(
        "a causal likelihood of data of shape {shape:?}; expected images [height, width]"
    )))
}

fn not_tabular() -> Error {
    Error::model("a likelihood whose dimensions have no tables of their own")
}
