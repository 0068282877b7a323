//! The causal head over all pixels of a batch, forward and backward, as one fused operation: candle
//! would copy the neighbours of every pixel and make a pass over all of them for each layer.

mod image;
mod plan;
mod planes;
mod product;
mod tensors;

use std::sync::{Mutex, PoisonError};
use std::thread;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use image::images;
pub(crate) use plan::Plan;
pub(crate) use tensors::causal_nats_of_tensors;

/// Total of `-log p(x)` in nats, a scalar, of images `x`, row-major, of levels as numbers, given what
/// the decoder has of them, `[images, ..]`, and the weights in one row, in the order of [`Plan`].
/// With `differentiable` false it has no derivatives and takes a third of the time.
pub(crate) fn causal_nats(
    plan: &Plan,
    x: Vec<f32>,
    features: &Tensor,
    weights: &Tensor,
    differentiable: bool,
) -> Result<Tensor> {
    let op = CausalNats {
        plan: plan.clone(),
        x,
        differentiable,
        gradients: Mutex::new(None),
    };
    features.contiguous()?.apply_op2(&weights.contiguous()?, op)
}

struct CausalNats {
    plan: Plan,
    x: Vec<f32>,
    differentiable: bool,
    /// By the features and by the weights: found on the way forward, where all that they need is at
    /// hand.
    gradients: Mutex<Option<(Vec<f32>, Vec<f32>)>>,
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
        let features = crate::loss::contiguous(features, features_layout)?;
        let weights = crate::loss::contiguous(weights, weights_layout)?;
        let (plan, pixels, each) = (&self.plan, self.plan.pixels(), self.plan.features());
        if features.len() * pixels != self.x.len() * each || weights.len() != plan.weights() {
            candle_core::bail!("the causal head's inputs do not fit together");
        }
        let levels = plan.levels as f32;
        if !self.x.iter().all(|&v| v >= 0.0 && v < levels) {
            candle_core::bail!("a pixel beyond the model's levels");
        }
        let mut by_features = vec![
            0.0f32;
            if self.differentiable {
                features.len()
            } else {
                0
            }
        ];
        let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let part = (self.x.len() / pixels).div_ceil(threads).max(1);
        let results: Vec<_> = thread::scope(|scope| {
            let mut gradients = by_features.chunks_mut(part * each);
            let parts = self
                .x
                .chunks(part * pixels)
                .zip(features.chunks(part * each));
            let start = |(x, features)| {
                let gradients = gradients.next();
                scope.spawn(move || images(plan, weights, x, features, gradients))
            };
            let handles: Vec<_> = parts.map(start).collect();
            handles.into_iter().map(|h| h.join()).collect()
        });
        let (mut nats, mut by_weights) = (0.0, vec![0.0f32; weights.len()]);
        for result in results {
            let Ok((part_nats, part_by_weights)) = result else {
                candle_core::bail!("a thread of the causal head stopped");
            };
            nats += part_nats;
            for (sum, g) in by_weights.iter_mut().zip(part_by_weights) {
                *sum += g;
            }
        }
        *self
            .gradients
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some((by_features, by_weights));
        Ok((CpuStorage::F32(vec![nats as f32]), Shape::from(())))
    }

    fn bwd(
        &self,
        features: &Tensor,
        weights: &Tensor,
        _res: &Tensor,
        grad_res: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let gradients = self
            .gradients
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .filter(|_| self.differentiable);
        let Some((mut by_features, mut by_weights)) = gradients else {
            candle_core::bail!("the causal head has no derivatives, or they were taken already");
        };
        let scale = grad_res.to_scalar::<f32>()?;
        by_features.iter_mut().for_each(|g| *g *= scale);
        by_weights.iter_mut().for_each(|g| *g *= scale);
        Ok((
            Some(Tensor::from_vec(
                by_features,
                features.shape(),
                features.device(),
            )?),
            Some(Tensor::from_vec(
                by_weights,
                weights.shape(),
                weights.device(),
            )?),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bbans_nn::description::{Chains, Latent, Networks};
    use bbans_nn::likelihood::CausalCategorical;
    use bbans_nn::{Description, Layer, Likelihood, Window};
    use candle_core::{Device, Var};

    fn dense(name: &str) -> Layer {
        Layer::Dense {
            name: name.to_owned(),
        }
    }

    /// Images of 4 by 3 pixels in 2 cells, with features of neighbours in the head.
    fn description(likelihood: Likelihood) -> Description {
        Description {
            version: 4,
            name: "test".to_owned(),
            data_shape: vec![4, 3],
            likelihood,
            latent: Latent {
                dim: 1,
                bin_precision: 1,
                log_sigma: [0.0, 0.0],
            },
            networks: Networks::Chains(Chains {
                encoder: vec![],
                decoder: vec![
                    Layer::Cells {
                        name: "cells".to_owned(),
                        count: 2,
                    },
                    Layer::Tiles {
                        rows: 2,
                        columns: 1,
                        height: 2,
                        width: 3,
                    },
                ],
                hierarchy: Vec::new(),
                head: vec![
                    dense("0"),
                    Layer::Silu,
                    Layer::Neighbours { above: 1, side: 1 },
                    dense("1"),
                    Layer::Silu,
                    Layer::Neighbours { above: 2, side: 0 },
                    dense("2"),
                    Layer::Silu,
                    dense("3"),
                ],
            }),
            training: None,
        }
    }

    const WINDOW: Window = Window {
        channels: 3,
        above: 2,
        side: 1,
    };

    #[test]
    fn gradients_of_bits_are_those_of_differences() {
        // Of the cells' 2 features, 6 pixels of 3 channels.
        let sizes = [[2, 18], [10, 5], [25, 4], [12, 3], [3, 1]];
        let plan = Plan::new(&description(Likelihood::CausalBernoulli(WINDOW)), &sizes).unwrap();
        gradients_are_those_of_differences(&plan, 2.0);
    }

    #[test]
    fn gradients_of_levels_are_those_of_differences() {
        let likelihood = Likelihood::CausalCategorical(CausalCategorical {
            window: WINDOW,
            levels: 5,
            embedding: 2,
        });
        let sizes = [[2, 18], [17, 5], [25, 4], [12, 3], [3, 5]];
        let plan = Plan::new(&description(likelihood), &sizes).unwrap();
        gradients_are_those_of_differences(&plan, 5.0);
    }

    /// Every derivative against a difference of losses.
    fn gradients_are_those_of_differences(plan: &Plan, levels: f32) {
        let draw = |n: usize, seed: usize| -> Vec<f32> {
            (0..n)
                .map(|i| ((i * 7919 + seed * 104_729) % 1000) as f32 / 500.0 - 1.0)
                .collect()
        };
        let x: Vec<f32> = draw(24, 1)
            .iter()
            .map(|&v| ((v + 1.0) / 2.0 * levels).floor().min(levels - 1.0))
            .collect();
        let (channels, weights) = (draw(2 * 4, 2), draw(plan.weights(), 3));
        let nats = |channels: &[f32], weights: &[f32]| -> (f32, Vec<f32>, Vec<f32>) {
            let c = Var::from_slice(channels, (2, 4), &Device::Cpu).unwrap();
            let w = Var::from_slice(weights, weights.len(), &Device::Cpu).unwrap();
            let loss = causal_nats(plan, x.clone(), &c, &w, true).unwrap();
            let grads = loss.backward().unwrap();
            let of = |v: &Var| {
                grads
                    .get(v)
                    .unwrap()
                    .flatten_all()
                    .unwrap()
                    .to_vec1()
                    .unwrap()
            };
            (loss.to_scalar().unwrap(), of(&c), of(&w))
        };
        let (_, by_channels, by_weights) = nats(&channels, &weights);
        let check = |analytic: f32, up: f32, down: f32| {
            let numeric = (up - down) / 0.02;
            assert!(
                (analytic - numeric).abs() < 0.01 + 0.01 * numeric.abs(),
                "{analytic} {numeric}"
            );
        };
        for i in 0..channels.len() {
            let (mut up, mut down) = (channels.clone(), channels.clone());
            up[i] += 0.01;
            down[i] -= 0.01;
            check(
                by_channels[i],
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
                nats(&channels, &up).0,
                nats(&channels, &down).0,
            );
        }
    }
}
