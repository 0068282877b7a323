//! The ring toss code: rejection sampling whose index is said in terms of who else would have taken a candidate.
//!
//! All data have a common `M >= max q/p`. Candidates `z_i ~ p` and uniform `u_i` are shared; the sender takes the first with
//! `u_i M < q/p(z_i)`. The receiver does not know the sender's datum, but how likely it is that it takes a candidate:
//!
//! ```text
//! w_i = P_x(q_x/p(z_i) > u_i M)
//! ```
//!
//! over the data, and number `n` is coded with the probability `w_n prod_{i<n} (1 - w_i)`: a bit a candidate. Where the data
//! have the distribution of `P_x`, that takes on average at most the channel's functional information and `log2 e` bits, and
//! no code takes less than the functional information, `E_z[D_CS(P_x given z, P_x)]`. Source: Hill, Alajaji, Linder &
//! Flamich 2026 (arXiv 2604.23076), after the slides of a talk on it by Flamich (Hong Kong, June 2026).

use bbans_core::distributions::{Bernoulli, Categorical};
use bbans_core::{Distribution, Error, Message, Result, TOTAL_MASS};

use crate::pair::Pair;
use crate::shared::Shared;
use crate::{Choice, Code};

/// How likely it is that a sender of any datum takes a candidate.
#[derive(Debug, Clone)]
pub struct Acceptance {
    /// Of each symbol, `q/p` for each of the data, ascending.
    ratios: Vec<Vec<f32>>,
    unseen: f64,
}

impl Acceptance {
    /// From `q/p` of all symbols for each of some data, equally likely, and the share of data that are none of these: of
    /// them nothing is known but that they take a candidate in `M`.
    ///
    /// # Errors
    /// If there are no data, their numbers of symbols differ, or `unseen` is not 0 to 1.
    pub fn new(data: impl IntoIterator<Item = impl AsRef<[f64]>>, unseen: f64) -> Result<Self> {
        let mut ratios: Vec<Vec<f32>> = Vec::new();
        for of_datum in data {
            let of_datum = of_datum.as_ref();
            if ratios.is_empty() {
                ratios = vec![Vec::new(); of_datum.len()];
            }
            if ratios.len() != of_datum.len() {
                return Err(Error::invalid_argument(format!(
                    "data over {} and {} symbols; expected the same number",
                    ratios.len(),
                    of_datum.len()
                )));
            }
            for (of_symbol, &ratio) in ratios.iter_mut().zip(of_datum) {
                of_symbol.push(ratio as f32);
            }
        }
        if ratios.is_empty() {
            return Err(Error::invalid_argument(
                "a channel of no data; expected one or more",
            ));
        }
        if !(0.0..=1.0).contains(&unseen) {
            return Err(Error::invalid_argument(format!(
                "a share of {unseen} of data that are not seen; expected 0 to 1"
            )));
        }
        let ascending = |mut of_symbol: Vec<f32>| {
            of_symbol.sort_by(f32::total_cmp);
            of_symbol
        };
        Ok(Self {
            ratios: ratios.into_iter().map(ascending).collect(),
            unseen,
        })
    }

    /// The mass of [`TOTAL_MASS`] with which a symbol is taken at a height up to `bound`.
    fn mass(&self, symbol: u32, height: f64, bound: f64) -> u32 {
        let Some(of_symbol) = self.ratios.get(symbol as usize) else {
            return 0;
        };
        let below = of_symbol.partition_point(|&ratio| !takes(height, f64::from(ratio)));
        let taking = (of_symbol.len() - below) as f64 / of_symbol.len() as f64;
        let share = (1.0 - self.unseen) * taking + self.unseen / bound;
        // What may be is never impossible, and what may not is never certain.
        let least = u32::from(share > 0.0);
        let most = TOTAL_MASS - u32::from(share < 1.0);
        ((share * f64::from(TOTAL_MASS)).round() as u32).clamp(least, most)
    }
}

/// Whether a symbol of this `q/p` is taken at a height. In f32, as the ratios of the data are kept.
fn takes(height: f64, ratio: f64) -> bool {
    (height as f32) < ratio as f32
}

/// The ring toss code for one latent.
#[derive(Debug, Clone)]
pub struct RingToss {
    prior: Categorical,
    bound: f64,
    acceptance: Acceptance,
}

/// What part 1 of [`RingToss`] says: for each candidate up to the one that is taken, the mass with which a sender
/// takes it, whatever its datum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RingTossIndex(Vec<u32>);

/// One word for the symbol, two for the height.
const WORDS: usize = 3;
/// Most candidates: some times as many as the greatest `M`.
const MAX_CANDIDATES: usize = 1 << 26;

impl RingToss {
    /// Most bits of `M`.
    pub const MAX_BITS: u32 = 20;

    /// For latents with this prior, whose `max q/p` is at most `2^log2_bound` for all data.
    ///
    /// # Errors
    /// If `log2_bound` is negative, above [`RingToss::MAX_BITS`] or no number, or the prior has another number of symbols
    /// than the data.
    pub fn new(prior: Categorical, log2_bound: f64, acceptance: Acceptance) -> Result<Self> {
        if !(0.0..=f64::from(Self::MAX_BITS)).contains(&log2_bound) {
            return Err(Error::invalid_argument(format!(
                "a bound on q/p of 2^{log2_bound}; expected 1 to 2^{}",
                Self::MAX_BITS
            )));
        }
        if prior.count() != acceptance.ratios.len() {
            return Err(Error::invalid_argument(format!(
                "a prior of {} symbols for data over {}; expected the same number",
                prior.count(),
                acceptance.ratios.len()
            )));
        }
        Ok(Self {
            prior,
            bound: log2_bound.exp2(),
            acceptance,
        })
    }

    /// The next candidate and its height; and the mass with which it is taken.
    fn toss(&self, shared: &mut Shared) -> (u32, f64, u32) {
        let symbol = shared.symbol(&self.prior);
        let height = shared.uniform() * self.bound;
        (
            symbol,
            height,
            self.acceptance.mass(symbol, height, self.bound),
        )
    }
}

/// The bit that says whether a candidate is taken; none where all senders do the same.
fn bit(mass: u32) -> Option<Bernoulli> {
    (1..TOTAL_MASS)
        .contains(&mass)
        .then(|| Bernoulli::new(mass))
}

impl Code for RingToss {
    type Index = RingTossIndex;

    /// `None` unless there is one latent, with `max q/p` within the bound.
    fn choose(&self, latents: &[Pair], shared: &mut Shared) -> Result<Option<Choice<Self::Index>>> {
        let [pair] = latents else { return Ok(None) };
        if *pair.prior() != self.prior {
            return Err(Error::invalid_argument(
                "a latent with another prior than that of the ring toss code; expected the same",
            ));
        }
        // The bound is a sum of logarithms, and rounded.
        if pair.log2_max_ratio().exp2() > self.bound * (1.0 + 1e-9) {
            return Ok(None);
        }
        shared.seek(0, WORDS)?;
        let mut masses = Vec::new();
        while masses.len() < MAX_CANDIDATES {
            let (symbol, height, mass) = self.toss(shared);
            masses.push(mass);
            if takes(height, pair.ratio(symbol)) {
                return Ok(Some(Choice {
                    z: vec![symbol],
                    candidates: masses.len() as u64,
                    index: RingTossIndex(masses),
                }));
            }
        }
        Err(Error::model("no candidate was taken in 2^26"))
    }

    fn push(&self, message: &mut Message, index: &RingTossIndex) -> Result<()> {
        for (i, &mass) in index.0.iter().enumerate().rev() {
            let taken = i + 1 == index.0.len();
            match bit(mass) {
                Some(bit) => {
                    let interval = bit.interval(&u16::from(taken));
                    let none =
                        || Error::invalid_argument("a candidate that is neither taken nor refused");
                    message.push(0, interval.ok_or_else(none)?)?;
                }
                None if taken == (mass > 0) => {}
                None => {
                    return Err(Error::invalid_argument(
                        "the datum is not one of the channel's: it takes a candidate that none of them takes, or refuses one that \
                         all take",
                    ));
                }
            }
        }
        Ok(())
    }

    fn pop(&self, message: &mut Message, shared: &mut Shared) -> Result<RingTossIndex> {
        shared.seek(0, WORDS)?;
        let mut masses = Vec::new();
        while masses.len() < MAX_CANDIDATES {
            let (_, _, mass) = self.toss(shared);
            masses.push(mass);
            let taken = match bit(mass) {
                Some(bit) => message.pop(0, &bit)? == 1,
                None => mass > 0,
            };
            if taken {
                return Ok(RingTossIndex(masses));
            }
        }
        Err(Error::corruption(
            "part 1 names no candidate that was drawn",
        ))
    }

    fn receive(
        &self,
        prior: &[Categorical],
        index: &RingTossIndex,
        shared: &mut Shared,
    ) -> Result<Vec<u32>> {
        shared.candidate((index.0.len() as u64).saturating_sub(1), WORDS, prior)
    }
}
