//! Two-part codes on shared randomness: relative entropy coding, or channel simulation.
//!
//! Part 1 of such a message lets the receiver produce a latent `z` that is distributed as the
//! sender's `q`, at a cost near `KL(q, p)`, although the receiver knows the prior `p` alone. Part 2
//! codes the datum given `z`. Sender and receiver draw the same candidates from `p`, out of a shared
//! generator; part 1 says which one.
//!
//! Both distributions are the integer masses that bits-back codes with, so both sides of a comparison
//! transmit exactly the same thing. A message is one ANS stack that starts empty, and is charged by
//! the bits that it grows.
//!
//! | code | index, about | time, candidates |
//! |---|---|---|
//! | [`Rejection`] | `log2 max(q/p) + 1.44` | `max(q/p)` |
//! | [`Greedy`] | `KL + log2(KL + 1) + 4` | `max(q/p)`, each a pass over all symbols |
//! | [`GreedyPoisson`] | `KL + log2(KL + 1) + 6` | `max(q/p)` |
//! | [`PoissonFunctional`] | `KL + log2(KL + 1) + 4` | `max(q/p)` |
//! | [`RingToss`] | the functional information of the channel, and 1.44 | a bound on `max(q/p)` of all data |
//! | [`DyadicSplits`] | `KL` and a few bits more a latent | about `max log2(q/p)` |
//! | [`Ordered`], approximate | as the above | fixed |
//! | [`ClippedBlock`], approximate | `n (KL + eps)` for `n` draws | `2^(n (KL + eps))` |
//! | [`ExactBlock`] | that, and seldom `-log2 p(z)` | the same |
//! | [`Direct`] | `-log2 p(z)` | none |
//!
//! A survey of the field: Flamich & Gunduz 2026, arXiv 2602.07635.

mod block;
mod direct;
mod divergence;
mod erased;
pub mod estimators;
mod greedy;
mod greedy_poisson;
mod index;
mod ordered;
mod pair;
mod poisson;
mod rejection;
mod ring_toss;
mod shared;
mod splits;
mod types;

pub use block::{ClippedBlock, ExactBlock};
pub use direct::{CodeOrDirect, Direct, OrDirect};
pub use divergence::{channel_simulation_divergence, functional_information};
pub use erased::{AnyCode, Part1};
pub use greedy::Greedy;
pub use greedy_poisson::GreedyPoisson;
pub use index::{EliasDelta, Geometric, IndexCode, Zipf};
pub use ordered::Ordered;
pub use pair::{Pair, masses};
pub use poisson::PoissonFunctional;
pub use rejection::Rejection;
pub use ring_toss::{Acceptance, RingToss, RingTossIndex};
pub use shared::{Shared, check_empty, empty_message, message_bits};
pub use splits::DyadicSplits;
pub use types::{BlockFigures, MAX_TYPES, block_figures, deviation};

pub use bbans_core::TOTAL_MASS;

use bbans_core::Result;
use bbans_core::distributions::Categorical;

/// What a sender chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice<I> {
    /// The latents.
    pub z: Vec<u32>,
    /// What part 1 says.
    pub index: I,
    /// Candidates that were drawn.
    pub candidates: u64,
}

impl<I> Choice<I> {
    fn map<J>(self, index: impl FnOnce(I) -> J) -> Choice<J> {
        Choice {
            z: self.z,
            index: index(self.index),
            candidates: self.candidates,
        }
    }
}

/// A two-part code's part 1 for a group of independent latents.
///
/// The receiver knows the prior, the shared generator and what is fixed per model: never `q`.
pub trait Code {
    /// What part 1 says.
    type Index;

    /// The sender: draws `z` from the `q` of the pairs. `None` if that is beyond what the code was
    /// made for, which its documentation says; there is then no message.
    ///
    /// # Errors
    /// If the shared generator runs out.
    fn choose(&self, latents: &[Pair], shared: &mut Shared) -> Result<Option<Choice<Self::Index>>>;

    /// Pushes part 1.
    ///
    /// # Errors
    /// If the index is not one of the code's.
    fn push(&self, message: &mut bbans_core::Message, index: &Self::Index) -> Result<()>;

    /// Pops part 1.
    ///
    /// # Errors
    /// If the message is too short or has not come from this code.
    fn pop(&self, message: &mut bbans_core::Message, shared: &mut Shared) -> Result<Self::Index>;

    /// The receiver: the latents that an index stands for.
    ///
    /// # Errors
    /// If no sender has sent this index.
    fn receive(
        &self,
        prior: &[Categorical],
        index: &Self::Index,
        shared: &mut Shared,
    ) -> Result<Vec<u32>>;
}
