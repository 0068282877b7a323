//! Adam (Kingma & Ba 2015, algorithm 1) with an exponential average of the weights, over plain
//! slices: one pass over each parameter, and a state that can be saved.

use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};

use crate::error::{Error, Result};

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// One parameter with its moments and its average.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) value: Vec<f32>,
    pub(crate) first: Vec<f32>,
    pub(crate) second: Vec<f32>,
    pub(crate) average: Vec<f32>,
}

/// The optimizer: a slot for each parameter, in the network's order.
#[derive(Debug, Clone)]
pub(crate) struct Adam {
    pub(crate) slots: Vec<Slot>,
    /// Steps made.
    pub(crate) step: usize,
}

impl Adam {
    pub(crate) fn new(vars: &[Var]) -> Result<Self> {
        let slot = |var: &Var| -> Result<Slot> {
            let value = var.flatten_all()?.to_vec1::<f32>()?;
            let zeros = vec![0.0; value.len()];
            Ok(Slot {
                average: value.clone(),
                first: zeros.clone(),
                second: zeros,
                value,
            })
        };
        Ok(Self {
            slots: vars.iter().map(slot).collect::<Result<_>>()?,
            step: 0,
        })
    }

    /// One step along the gradients of a loss; `decay` is that of the average.
    pub(crate) fn step(
        &mut self,
        vars: &[Var],
        grads: &GradStore,
        rate: f64,
        decay: f64,
    ) -> Result<()> {
        self.step += 1;
        let t = self.step as i32;
        let correction = (1.0 - f64::from(BETA2).powi(t)).sqrt() / (1.0 - f64::from(BETA1).powi(t));
        let rate = (rate * correction) as f32;
        // The average of the first steps is the plain mean, so that it forgets the initialization.
        let decay = decay.min(self.step as f64 / (self.step as f64 + 10.0)) as f32;
        for (slot, var) in self.slots.iter_mut().zip(vars) {
            let Some(grad) = grads.get(var) else { continue };
            let grad = grad.flatten_all()?.to_vec1::<f32>()?;
            if grad.len() != slot.value.len() {
                return Err(Error::new(
                    "a gradient has another shape than its parameter",
                ));
            }
            slot.update(&grad, rate, decay);
            var.set(&Tensor::from_slice(&slot.value, var.shape(), var.device())?)?;
        }
        Ok(())
    }
}

impl Slot {
    fn update(&mut self, grad: &[f32], rate: f32, decay: f32) {
        let moments = self.first.iter_mut().zip(&mut self.second);
        let weights = self.value.iter_mut().zip(&mut self.average);
        for (((first, second), (value, average)), &g) in moments.zip(weights).zip(grad) {
            *first = BETA1 * *first + (1.0 - BETA1) * g;
            *second = BETA2 * *second + (1.0 - BETA2) * g * g;
            *value -= rate * *first / (second.sqrt() + EPSILON);
            *average = decay * *average + (1.0 - decay) * *value;
        }
    }
}
