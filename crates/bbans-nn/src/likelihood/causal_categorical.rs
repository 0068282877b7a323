//! Levels, each given its neighbours before it.

use serde::{Deserialize, Serialize};

use crate::likelihood::tables::MAX_LEVELS;
use crate::likelihood::{Fields, HeadKind, Kind, Window, check_image, check_levels};
use bbans_core::{Error, Result};

/// Most numbers that stand for a level.
const MAX_EMBEDDING: usize = 64;

/// The numbers that stand for the levels of a causal categorical likelihood, `[levels, embedding]`.
pub const EMBEDDING: &str = "head.embedding";

/// The causal Bernoulli likelihood, of grey images: one logit for a pixel above 0, then a logit for each of the other
/// levels, 1 to `levels - 1`, which is coded only if the pixel is above 0 (a hurdle, Cragg 1971). For each neighbour
/// the head takes `embedding` numbers, the row of its level in the tensor [`EMBEDDING`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CausalCategorical {
    /// What a pixel sees.
    pub window: Window,
    /// Number of symbols, 3 to 256.
    pub levels: usize,
    /// Numbers that stand for a level.
    pub embedding: usize,
}

impl Kind for CausalCategorical {
    fn levels(&self) -> usize {
        self.levels
    }

    fn parameters(&self) -> usize {
        self.window.channels
    }

    fn check(&self) -> Result<()> {
        let Self {
            levels, embedding, ..
        } = *self;
        check_levels(levels)?;
        if !(1..=MAX_EMBEDDING).contains(&embedding) || levels < 3 {
            return Err(Error::model(format!(
                "the likelihood has {levels} levels and {embedding} numbers for each; expected 3 to \
                 {MAX_LEVELS}, and 1 to {MAX_EMBEDDING}"
            )));
        }
        self.window.check()
    }

    fn check_shape(&self, shape: &[usize]) -> Result<()> {
        check_image(shape)
    }

    fn head(&self) -> Option<HeadKind> {
        Some(HeadKind {
            window: self.window,
            depth: self.embedding,
            outputs: self.levels,
        })
    }

    fn fields(&self) -> (&'static str, Fields) {
        let Window {
            channels,
            above,
            side,
        } = self.window;
        let numbers = vec![channels, above, side, self.levels, self.embedding];
        ("causal_categorical", Fields::List(numbers))
    }
}
