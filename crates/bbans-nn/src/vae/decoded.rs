//! The likelihood of some latents.

use std::cell::RefCell;
use std::ops::Range;

use crate::exact::math;
use crate::exact::simd::Path;
use crate::graph::Hidden;
use crate::likelihood::{Likelihood, bernoulli};
use bbans_core::Result;

/// The likelihood of some latents, of independent dimensions; its parameters are computed when they are asked for, few at a
/// time, while they are in a near cache.
#[derive(Debug)]
pub struct Decoded<'a> {
    hidden: Hidden<'a>,
    path: Path,
    dims: usize,
    likelihood: Likelihood,
    /// Space for those at hand.
    logits: RefCell<Vec<f32>>,
}

impl<'a> Decoded<'a> {
    pub(super) fn new(hidden: Hidden<'a>, likelihood: Likelihood, path: Path, dims: usize) -> Self {
        Self {
            hidden,
            path,
            dims,
            likelihood,
            logits: RefCell::default(),
        }
    }

    /// `-log p(x|z)` in each lane, in `f64`, for bounds; `x` gives a lane's symbol of a dimension.
    ///
    /// # Errors
    /// If the network's result is infinite or NaN.
    pub(super) fn nats(&self, x: impl Fn(usize, usize) -> u16) -> Result<Vec<f64>> {
        let (mut parameters, lanes) = (Vec::new(), self.hidden.lanes());
        self.parameters(0..self.dims, &mut parameters)?;
        let each = self.likelihood.parameters();
        let of_lane = |lane: usize| {
            let parameters = parameters.iter().skip(lane).step_by(lanes);
            if self.likelihood == Likelihood::Bernoulli {
                return Ok(bernoulli::sum_nats(parameters.copied(), |dim| x(lane, dim)));
            }
            let parameters: Vec<f64> = parameters.map(|&p| f64::from(p)).collect();
            let dims = parameters.chunks_exact(each).enumerate();
            dims.map(|(dim, p)| self.likelihood.nats(p, usize::from(x(lane, dim))))
                .sum()
        };
        (0..lanes).map(of_lane).collect()
    }

    /// Numbers of observed dimensions and of lanes.
    pub fn dim(&self) -> (usize, usize) {
        (self.dims, self.hidden.lanes())
    }

    /// The distribution of the observed dimensions.
    pub fn likelihood(&self) -> Likelihood {
        self.likelihood
    }

    /// Parameters of some observed dimensions into `out`, `[dims.len(), parameters, lanes]`.
    ///
    /// # Errors
    /// As [`Decoded::bernoulli_masses`].
    pub fn parameters(&self, dims: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        let each = self.likelihood.parameters();
        out.resize(dims.len() * each * self.hidden.lanes(), 0.0);
        self.hidden.outputs(dims.start * each..dims.end * each, out)
    }

    /// The tables of one dimension from its parameters: [`Likelihood::starts`].
    ///
    /// # Errors
    /// As there.
    pub fn starts(&self, parameters: &[f32], starts: &mut [u32]) -> Result<()> {
        self.likelihood.starts(self.path, parameters, starts)
    }

    /// Masses, of `2^24`, of a 1 in some observed dimensions, into `masses`: row-major
    /// `[dims.len(), lanes]`, as a coder takes them. Fastest from a multiple of 32 on.
    ///
    /// # Errors
    /// If a size does not fit, the likelihood is another, or the network's result is infinite or NaN.
    #[inline(always)]
    pub fn bernoulli_masses<T: Copy>(
        &self,
        dims: Range<usize>,
        masses: &mut Vec<T>,
        of_mass: impl Fn(u32) -> T,
    ) -> Result<()> {
        let mut logits = self.logits.borrow_mut();
        logits.resize(dims.len() * self.hidden.lanes(), 0.0);
        self.hidden.outputs(dims, &mut logits)?;
        self.path.vectorize(
            #[inline(always)]
            || {
                masses.resize(logits.len(), of_mass(1));
                for (mass, &logit) in masses.iter_mut().zip(logits.iter()) {
                    *mass = of_mass(math::bernoulli_mass(logit));
                }
            },
        );
        Ok(())
    }
}
