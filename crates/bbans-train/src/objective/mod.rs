//! What training makes small: `-log p(x | parameters)` of each likelihood, one a file, with its derivatives.
//!
//! candle would make a pass over all parameters for each step of a formula, and has no `log Gamma`; here a likelihood
//! is one operation. Causal likelihoods have a room of their own, `head`.

mod bernoulli;
mod beta_binomial;
mod categorical;
mod colour_logistics;
mod discretized_gaussian;
mod discretized_logistic;
#[cfg(test)]
mod laws;
mod logistic;
mod symbol;

use std::sync::{Arc, Mutex, PoisonError};

use bbans_nn::Likelihood;
use bbans_nn::likelihood::Kind;
use bbans_nn::simd::Path;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

pub(crate) use bernoulli::bernoulli_nats_of_tensors;
pub(crate) use symbol::OfSymbol;

/// What a parameter is in units of training: `offset + gain y`, with `y` about 1 at first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Unit {
    pub offset: f32,
    pub gain: f32,
}

impl Unit {
    /// The parameter itself.
    pub(crate) const ONE: Self = Self {
        offset: 0.0,
        gain: 1.0,
    };
}

/// A likelihood of independent dimensions, or of such as share parameters.
pub(crate) trait Objective: Kind {
    /// In which units its parameters are trained.
    fn units(&self) -> Vec<Unit> {
        vec![Unit::ONE; self.parameters()]
    }

    /// `-log p(x)` of what shares parameters, and its derivatives by them.
    fn nats(&self, parameters: &[f64], x: &[u16], by: &mut [f64]) -> f64;

    /// The same in all lanes: parameters and derivatives are `[parameters, lanes]`, symbols `[dims, lanes]`; adds to
    /// the nats of each lane.
    fn lanes(&self, _: Path, parameters: &[f32], x: &[u16], nats: &mut [f64], by: &mut [f32]) {
        lane_after_lane(self, parameters, x, nats, by);
    }
}

/// [`Objective::lanes`] by [`Objective::nats`].
fn lane_after_lane(
    objective: &(impl Objective + ?Sized),
    parameters: &[f32],
    x: &[u16],
    nats: &mut [f64],
    by: &mut [f32],
) {
    let lanes = nats.len();
    let count = parameters.len() / lanes;
    let (mut of_lane, mut by_lane) = (vec![0.0; count], vec![0.0; count]);
    let mut symbols = vec![0; x.len() / lanes];
    for (lane, nats) in nats.iter_mut().enumerate() {
        for (to, from) in of_lane
            .iter_mut()
            .zip(parameters.iter().skip(lane).step_by(lanes))
        {
            *to = f64::from(*from);
        }
        for (to, from) in symbols.iter_mut().zip(x.iter().skip(lane).step_by(lanes)) {
            *to = *from;
        }
        *nats += objective.nats(&of_lane, &symbols, &mut by_lane);
        for (from, to) in by_lane.iter().zip(by.iter_mut().skip(lane).step_by(lanes)) {
            *to = *from as f32;
        }
    }
}

/// All that are not causal: one line each.
fn objective(likelihood: &Likelihood) -> Option<Shared> {
    Some(match *likelihood {
        Likelihood::Bernoulli => Arc::new(bbans_nn::likelihood::Bernoulli),
        Likelihood::BetaBinomial(likelihood) => Arc::new(likelihood),
        Likelihood::Categorical(likelihood) => Arc::new(likelihood),
        Likelihood::DiscretizedLogistic(likelihood) => Arc::new(likelihood),
        Likelihood::DiscretizedGaussian(likelihood) => Arc::new(likelihood),
        Likelihood::ColourLogistics(likelihood) => Arc::new(likelihood),
        Likelihood::CausalBernoulli(_)
        | Likelihood::CausalCategorical(_)
        | Likelihood::Autoregressive(_) => return None,
    })
}

/// An objective that several take.
pub(crate) type Shared = Arc<dyn Objective + Send + Sync>;

/// In which units a likelihood's parameters are trained, if they are others than its own.
pub(crate) fn units(likelihood: Likelihood) -> Option<Vec<Unit>> {
    let units = objective(&likelihood)?.units();
    units.iter().any(|unit| *unit != Unit::ONE).then_some(units)
}

/// `-log p(x)` of each lane, `[lanes]`, in nats, for parameters `[.., lanes]`, in these units, and symbols
/// `[dims, lanes]`.
///
/// # Errors
/// If the sizes do not fit together, or the likelihood is causal.
pub(crate) fn nats(
    likelihood: Likelihood,
    parameters: &Tensor,
    units: Option<&[Unit]>,
    x: &Arc<[u16]>,
    differentiable: bool,
) -> Result<Tensor> {
    match objective(&likelihood) {
        Some(objective) => nats_of(objective, parameters, units, x, differentiable),
        None => bail!("a causal likelihood of parameters without a head"),
    }
}

/// The same of any objective.
///
/// # Errors
/// If the sizes do not fit together.
pub(crate) fn nats_of(
    objective: Shared,
    parameters: &Tensor,
    units: Option<&[Unit]>,
    x: &Arc<[u16]>,
    differentiable: bool,
) -> Result<Tensor> {
    let lanes = parameters.dims().last().copied().unwrap_or(1);
    let outputs = x.len() / lanes / objective.dims() * objective.parameters();
    if parameters.elem_count() != outputs * lanes {
        bail!(
            "{} parameters; expected {outputs} in each of {lanes} lanes",
            parameters.elem_count()
        );
    }
    let op = Nats {
        objective,
        x: x.clone(),
        lanes,
        units: units.map(<[Unit]>::to_vec),
        by_parameters: Mutex::new(None),
    };
    // Elsewhere than on a CPU the numbers come here and go back.
    let device = parameters.device();
    let here = parameters.to_device(&candle_core::Device::Cpu)?;
    // What is not differentiated is not kept.
    let here = if differentiable { here } else { here.detach() };
    here.contiguous()?.apply_op1(op)?.to_device(device)
}

struct Nats {
    objective: Shared,
    x: Arc<[u16]>,
    lanes: usize,
    units: Option<Vec<Unit>>,
    /// Found on the way forward, where all that they need is at hand.
    by_parameters: Mutex<Option<Vec<f32>>>,
}

impl CustomOp1 for Nats {
    fn name(&self) -> &'static str {
        "nats"
    }

    fn cpu_fwd(&self, parameters: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let parameters = crate::ops::slice(parameters, layout)?;
        let objective = &self.objective;
        let path = Path::detect();
        let mut nats = vec![0.0; self.lanes];
        let mut by = vec![0.0; parameters.len()];
        let each = objective.parameters() * self.lanes;
        let parts = parameters.chunks_exact(each).zip(by.chunks_exact_mut(each));
        let symbols = self.x.chunks_exact(objective.dims() * self.lanes);
        let mut in_units = vec![0.0; each];
        for ((parameters, by), x) in parts.zip(symbols) {
            let Some(units) = &self.units else {
                objective.lanes(path, parameters, x, &mut nats, by);
                continue;
            };
            let rows = in_units
                .chunks_exact_mut(self.lanes)
                .zip(parameters.chunks_exact(self.lanes));
            for ((to, from), unit) in rows.zip(units) {
                to.iter_mut()
                    .zip(from)
                    .for_each(|(to, y)| *to = unit.offset + unit.gain * y);
            }
            objective.lanes(path, &in_units, x, &mut nats, by);
            for (by, unit) in by.chunks_exact_mut(self.lanes).zip(units) {
                by.iter_mut().for_each(|by| *by *= unit.gain);
            }
        }
        *self
            .by_parameters
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(by);
        let nats = nats.into_iter().map(|n| n as f32).collect();
        Ok((CpuStorage::F32(nats), Shape::from(self.lanes)))
    }

    fn bwd(&self, parameters: &Tensor, _: &Tensor, by_nats: &Tensor) -> Result<Option<Tensor>> {
        let by = self
            .by_parameters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(mut by) = by else {
            bail!("the derivatives of a likelihood were taken already");
        };
        let factors = by_nats.to_vec1::<f32>()?;
        for row in by.chunks_exact_mut(self.lanes) {
            row.iter_mut()
                .zip(&factors)
                .for_each(|(by, factor)| *by *= factor);
        }
        let by = Tensor::from_vec(by, parameters.shape(), parameters.device())?;
        Ok(Some(by))
    }
}

/// Of means and log scales of `components` distributions of so many levels: spread over the levels, and so wide that they
/// reach each other.
fn units_of_locations(levels: usize, components: usize) -> [Vec<Unit>; 2] {
    let (levels, n) = (levels as f32, components as f32);
    let mean = |i: usize| Unit {
        offset: (i as f32 + 0.5) / n * levels - 0.5,
        gain: levels / 4.0,
    };
    let log_scale = Unit {
        offset: (levels / (2.0 * n + 2.0)).ln(),
        gain: 1.0,
    };
    [
        (0..components).map(mean).collect(),
        vec![log_scale; components],
    ]
}

/// `log` of the sum of `e^v`; the values become their parts in the sum.
fn log_sum_exp(values: &mut [f64]) -> f64 {
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    values.iter_mut().for_each(|v| *v = (*v - greatest).exp());
    let sum: f64 = values.iter().sum();
    values.iter_mut().for_each(|v| *v /= sum);
    greatest + sum.ln()
}

/// Whether a parameter that is kept within bounds can move.
fn moves(value: f64, [min, max]: [f64; 2]) -> f64 {
    f64::from(u8::from(value > min && value < max))
}
