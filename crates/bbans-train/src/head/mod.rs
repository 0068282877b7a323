//! The causal head over all pixels of a batch, forward and backward, as one fused operation: candle
//! would copy the neighbours of every pixel and make a pass over all of them for each layer.

mod image;
mod plan;
mod planes;
mod tensors;

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use crate::lanes::transposed;
use image::images;
pub(crate) use plan::Plan;
pub(crate) use tensors::{Stage, nats_of_tensors};

/// When the derivatives of a head are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Derivatives {
    /// Never: it takes a third of the time.
    None,
    /// On the way forward, where all that they need is at hand; all images must count alike.
    Forward,
    /// On the way back, when it is known how much each image counts.
    Backward,
}

/// `-log p(x)` of each image in nats, `[lanes]`, for rows `x` of levels, `[lanes, pixels]`, given what the decoder has
/// of them, `[.., lanes]`, and the weights in one row, in the order of [`Plan`].
pub(crate) fn causal_nats(
    plan: &Arc<Plan>,
    x: &[u16],
    features: &Tensor,
    weights: &Tensor,
    derivatives: Derivatives,
) -> Result<Tensor> {
    let op = CausalNats {
        plan: plan.clone(),
        x: x.iter().map(|&v| f32::from(v)).collect(),
        derivatives,
        found: Mutex::new(None),
    };
    features.contiguous()?.apply_op2(&weights.contiguous()?, op)
}

struct CausalNats {
    plan: Arc<Plan>,
    x: Vec<f32>,
    derivatives: Derivatives,
    /// Derivatives by the features, `[lanes, features]`, and by the weights, of images that count 1.
    found: Mutex<Option<(Vec<f32>, Vec<f32>)>>,
}

impl CausalNats {
    fn lanes(&self) -> usize {
        self.x.len() / self.plan.pixels()
    }

    /// Nats and derivatives of all images.
    fn run(
        &self,
        features: &[f32],
        weights: &[f32],
        derivatives: bool,
        factors: Option<&[f32]>,
    ) -> (Vec<f32>, (Vec<f32>, Vec<f32>)) {
        let rows = transposed(features, self.plan.features(), self.lanes());
        let mut by_rows = vec![0.0f32; if derivatives { rows.len() } else { 0 }];
        let by = derivatives.then_some(&mut by_rows[..]);
        let (nats, by_weights) = images(&self.plan, weights, &self.x, &rows, by, factors);
        (nats, (by_rows, by_weights))
    }
}

impl CustomOp2 for CausalNats {
    fn name(&self) -> &'static str {
        "causal-nats"
    }

    fn cpu_fwd(
        &self,
        features: &CpuStorage,
        features_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let features = crate::ops::slice(features, features_layout)?;
        let weights = crate::ops::slice(weights, weights_layout)?;
        let (plan, lanes) = (&self.plan, self.lanes());
        if features.len() != lanes * plan.features() || weights.len() != plan.weights() {
            bail!("the causal head's inputs do not fit together");
        }
        let levels = plan.levels as f32;
        if !self.x.iter().all(|&v| v >= 0.0 && v < levels) {
            bail!("a pixel beyond the model's levels");
        }
        let forward = self.derivatives == Derivatives::Forward;
        let (nats, found) = self.run(features, weights, forward, None);
        if forward {
            *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        }
        Ok((CpuStorage::F32(nats), Shape::from(lanes)))
    }

    fn bwd(
        &self,
        features: &Tensor,
        weights: &Tensor,
        _res: &Tensor,
        by_nats: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let factors = by_nats.to_vec1::<f32>()?;
        let found = self
            .found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let (by_rows, by_weights) = match (found, self.derivatives) {
            (Some((mut by_rows, mut by_weights)), Derivatives::Forward) => {
                let factor = factors.first().copied().unwrap_or(0.0);
                if factors.iter().any(|&f| f != factor) {
                    bail!("images of one weight that do not count alike");
                }
                let all = by_rows.iter_mut().chain(&mut by_weights);
                all.for_each(|by| *by *= factor);
                (by_rows, by_weights)
            }
            (_, Derivatives::Backward) => crate::ops::slices(&[features, weights], |both| {
                Ok(self.run(both[0], both[1], true, Some(&factors)).1)
            })?,
            _ => bail!("the causal head has no derivatives, or they were taken already"),
        };
        let by_features = transposed(&by_rows, self.lanes(), self.plan.features());
        let by_features = Tensor::from_vec(by_features, features.shape(), features.device())?;
        let by_weights = Tensor::from_vec(by_weights, weights.shape(), weights.device())?;
        Ok((Some(by_features), Some(by_weights)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bbans_nn::description::Stage;
    use bbans_nn::graph::{Function, Node};
    use bbans_nn::likelihood::CausalCategorical;
    use bbans_nn::ops::{Cells, Dense, Op, Silu, Tiles};
    use bbans_nn::{Likelihood, Window};
    use candle_core::{Device, Var};

    /// Dense layers of so many units, silu behind each but, of the last stage, the last.
    fn stage([above, side]: [usize; 2], units: &[usize], last: bool) -> Stage {
        let mut nodes = Vec::new();
        for (i, &outputs) in units.iter().enumerate() {
            let mut push = |op: Op| {
                let inputs = vec![];
                let id = nodes.len().to_string();
                nodes.push(Node { id, op, inputs });
            };
            push(Op::Dense(Dense { outputs }));
            if !last || i + 1 < units.len() {
                push(Op::Silu(Silu {}));
            }
        }
        let function = Function {
            inputs: vec![],
            nodes,
            outputs: vec![],
        };
        Stage {
            above,
            side,
            function,
        }
    }

    const WINDOW: Window = Window {
        channels: 3,
        above: 2,
        side: 1,
    };

    /// Images of 4 by 3 pixels in 2 cells, with features of neighbours in the head.
    fn plan(likelihood: Likelihood, inputs: usize, outputs: usize) -> Arc<Plan> {
        let cells = Cells {
            count: 2,
            outputs: 18,
        };
        let tiles = Tiles {
            rows: 2,
            columns: 1,
            height: 2,
            width: 3,
        };
        let stages = [
            stage([0, 0], &[5], false),
            stage([1, 1], &[4], false),
            stage([2, 0], &[3, outputs], true),
        ];
        // Of the cells' 2 features, 6 pixels of 3 channels.
        let sizes = [[2, 18], [inputs, 5], [25, 4], [12, 3], [3, outputs]];
        let cells = Some((&cells, &tiles));
        Arc::new(Plan::new(likelihood, &[4, 3], cells, &stages, &sizes).unwrap())
    }

    /// Heads that the fused one would take for others.
    #[test]
    fn other_pictures_and_stages_are_not_fused() {
        let cells = Cells {
            count: 2,
            outputs: 18,
        };
        let tiles = |rows, columns, height, width| Tiles {
            rows,
            columns,
            height,
            width,
        };
        let new = |tiles: &Tiles, stages: &[Stage], sizes: &[[usize; 2]]| {
            let likelihood = Likelihood::CausalBernoulli(WINDOW);
            Plan::new(likelihood, &[4, 3], Some((&cells, tiles)), stages, sizes)
        };
        let stages = [stage([0, 0], &[5, 1], true)];
        let sizes = [[2, 18], [10, 5], [5, 1]];
        assert!(new(&tiles(2, 1, 2, 3), &stages, &sizes).is_ok());
        assert!(new(&tiles(1, 2, 2, 3), &stages, &sizes).is_err());
        assert!(new(&tiles(2, 1, 6, 1), &stages, &sizes).is_err());
        let stages = [stage([0, 0], &[], false), stage([1, 1], &[12, 5, 1], true)];
        let sizes = [[2, 18], [50, 12], [12, 5], [5, 1]];
        assert!(new(&tiles(2, 1, 2, 3), &stages, &sizes).is_err());
    }

    #[test]
    fn gradients_of_bits_are_those_of_differences() {
        let plan = plan(Likelihood::CausalBernoulli(WINDOW), 10, 1);
        gradients_are_those_of_differences(&plan, 2.0);
    }

    #[test]
    fn gradients_of_levels_are_those_of_differences() {
        let likelihood = Likelihood::CausalCategorical(CausalCategorical {
            window: WINDOW,
            levels: 5,
            embedding: 2,
        });
        gradients_are_those_of_differences(&plan(likelihood, 17, 5), 5.0);
    }

    /// Every derivative against a difference of losses, of images that count alike and that do not.
    fn gradients_are_those_of_differences(plan: &Arc<Plan>, levels: f32) {
        let draw = |n: usize, seed: usize| -> Vec<f32> {
            (0..n)
                .map(|i| ((i * 7919 + seed * 104_729) % 1000) as f32 / 500.0 - 1.0)
                .collect()
        };
        let x: Vec<u16> = draw(24, 1)
            .iter()
            .map(|&v| ((v + 1.0) / 2.0 * levels).floor().min(levels - 1.0) as u16)
            .collect();
        let (features, weights) = (draw(4 * 2, 2), draw(plan.weights(), 3));
        for (derivatives, factors) in [
            (Derivatives::Forward, [2.0f32, 2.0]),
            (Derivatives::Backward, [0.25, 3.0]),
        ] {
            let nats = |features: &[f32], weights: &[f32]| -> (f32, Vec<f32>, Vec<f32>) {
                let f = Var::from_slice(features, (4, 2), &Device::Cpu).unwrap();
                let w = Var::from_slice(weights, weights.len(), &Device::Cpu).unwrap();
                let nats = causal_nats(plan, &x, &f, &w, derivatives).unwrap();
                let factors = Tensor::new(&factors, &Device::Cpu).unwrap();
                let loss = (nats * factors).unwrap().sum_all().unwrap();
                let grads = loss.backward().unwrap();
                let of = |v: &Var| {
                    let grad = grads.get(v).unwrap().flatten_all().unwrap();
                    grad.to_vec1().unwrap()
                };
                (loss.to_scalar().unwrap(), of(&f), of(&w))
            };
            let (_, by_features, by_weights) = nats(&features, &weights);
            let check = |analytic: f32, up: f32, down: f32| {
                let numeric = (up - down) / 0.02;
                assert!(
                    (analytic - numeric).abs() < 0.02 + 0.01 * numeric.abs(),
                    "{analytic} {numeric}"
                );
            };
            for i in 0..features.len() {
                let (mut up, mut down) = (features.clone(), features.clone());
                up[i] += 0.01;
                down[i] -= 0.01;
                check(
                    by_features[i],
                    nats(&up, &weights).0,
                    nats(&down, &weights).0,
                );
            }
            for i in 0..weights.len() {
                let (mut up, mut down) = (weights.clone(), weights.clone());
                up[i] += 0.01;
                down[i] -= 0.01;
                check(
                    by_weights[i],
                    nats(&features, &up).0,
                    nats(&features, &down).0,
                );
            }
        }
    }
}
