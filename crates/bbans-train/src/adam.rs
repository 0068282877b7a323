//! AdamW (Kingma & Ba 2015, algorithm 1; Loshchilov & Hutter 2019) with an exponential average of the weights: one pass
//! over each parameter, and a state that can be saved.

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var, bail};
use candle_nn::{Optimizer, ParamsAdamW};

use crate::ops::slices;

/// One parameter with its moments and its average.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) value: Vec<f32>,
    pub(crate) first: Vec<f32>,
    pub(crate) second: Vec<f32>,
    pub(crate) average: Vec<f32>,
}

/// The optimizer: a slot for each parameter, in their order.
#[derive(Debug)]
pub(crate) struct AdamW {
    vars: Vec<Var>,
    pub(crate) slots: Vec<Slot>,
    /// Steps made.
    pub(crate) steps: usize,
    params: ParamsAdamW,
    /// Decay of the average.
    pub(crate) average_decay: f64,
}

impl Optimizer for AdamW {
    type Config = ParamsAdamW;

    fn new(vars: Vec<Var>, params: ParamsAdamW) -> Result<Self> {
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
            vars,
            steps: 0,
            params,
            average_decay: 0.0,
        })
    }

    fn step(&mut self, grads: &GradStore) -> Result<()> {
        self.steps += 1;
        let t = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let ParamsAdamW {
            lr, beta1, beta2, ..
        } = self.params;
        let correction = (1.0 - beta2.powi(t)).sqrt() / (1.0 - beta1.powi(t));
        let step = Step {
            rate: (lr * correction) as f32,
            kept: (1.0 - lr * self.params.weight_decay) as f32,
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            eps: self.params.eps as f32,
            // The average of the first steps is the plain mean, so that it forgets the initialization.
            decay: self
                .average_decay
                .min(self.steps as f64 / (self.steps as f64 + 10.0)) as f32,
        };
        for (slot, var) in self.slots.iter_mut().zip(&self.vars) {
            let Some(grad) = grads.get(var) else { continue };
            let grad = grad.to_device(&candle_core::Device::Cpu)?.contiguous()?;
            slices(&[&grad], |grads| {
                if grads[0].len() != slot.value.len() {
                    bail!("a gradient has another shape than its parameter");
                }
                slot.update(grads[0], &step);
                Ok(())
            })?;
            var.set(&Tensor::from_slice(&slot.value, var.shape(), var.device())?)?;
        }
        Ok(())
    }

    fn learning_rate(&self) -> f64 {
        self.params.lr
    }

    fn set_learning_rate(&mut self, lr: f64) {
        self.params.lr = lr;
    }
}

impl AdamW {
    /// The parameters, in the order of their slots.
    pub(crate) fn vars(&self) -> &[Var] {
        &self.vars
    }

    /// Decay of the mean of the squares of derivatives.
    pub(crate) fn second_decay(&self) -> f64 {
        self.params.beta2
    }

    /// Sets the parameters to a part of their slots.
    pub(crate) fn load(&self, part: fn(&Slot) -> &Vec<f32>) -> Result<()> {
        for (var, slot) in self.vars.iter().zip(&self.slots) {
            var.set(&Tensor::from_slice(part(slot), var.shape(), var.device())?)?;
        }
        Ok(())
    }
}

/// Numbers of a step.
struct Step {
    rate: f32,
    kept: f32,
    beta1: f32,
    beta2: f32,
    eps: f32,
    decay: f32,
}

impl Slot {
    fn update(&mut self, grad: &[f32], step: &Step) {
        let &Step {
            rate,
            kept,
            beta1,
            beta2,
            eps,
            decay,
        } = step;
        let moments = self.first.iter_mut().zip(&mut self.second);
        let weights = self.value.iter_mut().zip(&mut self.average);
        for (((first, second), (value, average)), &g) in moments.zip(weights).zip(grad) {
            *first = beta1 * *first + (1.0 - beta1) * g;
            *second = beta2 * *second + (1.0 - beta2) * g * g;
            *value = kept * *value - rate * *first / (second.sqrt() + eps);
            *average = decay * *average + (1.0 - decay) * *value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// The step is candle-nn's own.
    #[test]
    fn a_step_is_that_of_candle() {
        let start = Tensor::new(&[0.55f32, -2.0, 3.0, 1.7], &Device::Cpu).unwrap();
        let params = ParamsAdamW {
            lr: 0.02,
            weight_decay: 0.3,
            ..ParamsAdamW::default()
        };
        let run = |vars: &[Var], step: &mut dyn FnMut(&GradStore)| {
            for i in 0..30 {
                let x = (vars[0].as_tensor() - f64::from(i) * 0.1).unwrap();
                let loss = (x.sqr().unwrap().sqr().unwrap() * 0.3).unwrap();
                step(&loss.sum_all().unwrap().backward().unwrap());
            }
            vars[0].to_vec1::<f32>().unwrap()
        };
        let vars = || vec![Var::from_tensor(&start).unwrap()];
        let (ours, theirs) = (vars(), vars());
        let mut a = AdamW::new(ours.clone(), params.clone()).unwrap();
        let mut b = candle_nn::AdamW::new(theirs.clone(), params).unwrap();
        let a = run(&ours, &mut |grads| a.step(grads).unwrap());
        let b = run(&theirs, &mut |grads| b.step(grads).unwrap());
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() < 1e-4, "{a} {b}");
        }
    }
}
