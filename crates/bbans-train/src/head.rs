//! The causal head over all pixels of a batch, forward and backward, as one fused operation: candle
//! would copy the neighbours of every pixel and make a pass over all of them for each layer.

use std::sync::{Mutex, PoisonError};
use std::thread;

use bbans_nn::math::exp;
use bbans_nn::simd::Path;
use bbans_nn::{Layer, Window};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis, Slice};

/// Where the pixels of a batch are, and what the head sees of them.
#[derive(Debug, Clone)]
pub(crate) struct Geometry {
    window: Window,
    height: usize,
    width: usize,
    /// Where a pixel's channels begin among those of its image.
    offsets: Vec<usize>,
    /// Inputs and outputs of the head's dense layers; silu is between them.
    sizes: Vec<[usize; 2]>,
}

impl Geometry {
    /// Of images `[height, width]` whose channels come in the order of `tiles`, the decoder's last
    /// layer, before it is applied.
    pub(crate) fn new(
        window: Window,
        shape: &[usize],
        tiles: Option<&Layer>,
        hidden: &[usize],
    ) -> Self {
        let (height, width) = match shape {
            &[height, width] => (height, width),
            _ => (1, shape.iter().product()),
        };
        let (cell_height, cell_width) = match tiles {
            Some(Layer::Tiles { height, width, .. }) => (*height, *width),
            _ => (1, width),
        };
        let columns = width / cell_width;
        let offset = |pixel: usize| {
            let (y, x) = (pixel / width, pixel % width);
            let cell = y / cell_height * columns + x / cell_width;
            let within = y % cell_height * cell_width + x % cell_width;
            (cell * cell_height * cell_width + within) * window.channels
        };
        let widths = [&[window.inputs()], hidden, &[1]].concat();
        Self {
            window,
            height,
            width,
            offsets: (0..height * width).map(offset).collect(),
            sizes: widths.windows(2).map(|w| [w[0], w[1]]).collect(),
        }
    }

    fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Number of weights and biases.
    fn weights(&self) -> usize {
        self.sizes.iter().map(|[i, o]| (i + 1) * o).sum()
    }
}

/// Total of `-log p(x)` in nats, a scalar, of images `x`, row-major 0.0 and 1.0, given the pixels'
/// channels `[images, ..]` and the head's weights and biases in one row, layer by layer.
pub(crate) fn causal_nats(
    geometry: &Geometry,
    x: Vec<f32>,
    channels: &Tensor,
    weights: &Tensor,
) -> Result<Tensor> {
    let op = CausalNats {
        geometry: geometry.clone(),
        x,
        gradients: Mutex::new(None),
    };
    channels.contiguous()?.apply_op2(&weights.contiguous()?, op)
}

struct CausalNats {
    geometry: Geometry,
    x: Vec<f32>,
    /// By the channels and by the weights: found on the way forward, where all that they need is at
    /// hand.
    gradients: Mutex<Option<(Vec<f32>, Vec<f32>)>>,
}

impl CustomOp2 for CausalNats {
    fn name(&self) -> &'static str {
        "causal-nats"
    }

    fn cpu_fwd(
        &self,
        channels: &CpuStorage,
        channels_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let channels = crate::loss::contiguous(channels, channels_layout)?;
        let weights = crate::loss::contiguous(weights, weights_layout)?;
        let (g, pixels) = (&self.geometry, self.geometry.pixels());
        let each = pixels * g.window.channels;
        if channels.len() * pixels != self.x.len() * each || weights.len() != g.weights() {
            candle_core::bail!("the causal head's inputs do not fit together");
        }
        let mut by_channels = vec![0.0f32; channels.len()];
        let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let part = (self.x.len() / pixels).div_ceil(threads).max(1);
        let results: Vec<_> = thread::scope(|scope| {
            let parts = self
                .x
                .chunks(part * pixels)
                .zip(channels.chunks(part * each))
                .zip(by_channels.chunks_mut(part * each));
            let start = |((x, channels), by_channels)| {
                scope.spawn(move || images(g, weights, x, channels, by_channels))
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
            .unwrap_or_else(PoisonError::into_inner) = Some((by_channels, by_weights));
        Ok((CpuStorage::F32(vec![nats as f32]), Shape::from(())))
    }

    fn bwd(
        &self,
        channels: &Tensor,
        weights: &Tensor,
        _res: &Tensor,
        grad_res: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let gradients = self
            .gradients
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some((mut by_channels, mut by_weights)) = gradients else {
            candle_core::bail!("the causal head was differentiated twice");
        };
        let scale = grad_res.to_scalar::<f32>()?;
        by_channels.iter_mut().for_each(|g| *g *= scale);
        by_weights.iter_mut().for_each(|g| *g *= scale);
        Ok((
            Some(Tensor::from_vec(
                by_channels,
                channels.shape(),
                channels.device(),
            )?),
            Some(Tensor::from_vec(
                by_weights,
                weights.shape(),
                weights.device(),
            )?),
        ))
    }
}

/// Nats of some images, and the gradient by the weights; that by the channels goes to
/// `by_channels`.
fn images(
    g: &Geometry,
    weights: &[f32],
    x: &[f32],
    channels: &[f32],
    by_channels: &mut [f32],
) -> (f64, Vec<f32>) {
    let path = Path::detect();
    let (pixels, each) = (g.pixels(), g.pixels() * g.window.channels);
    let mut by_weights = vec![0.0; weights.len()];
    let mut space = Space::new(g);
    let mut nats = 0.0;
    let all = x
        .chunks(pixels)
        .zip(channels.chunks(each))
        .zip(by_channels.chunks_mut(each));
    for ((x, channels), by_channels) in all {
        space.fill_inputs(g, x, channels);
        space.forward(g, path, weights);
        nats += space.loss(x);
        space.backward(g, path, weights, &mut by_weights);
        for (row, &offset) in space.deltas[0].rows().into_iter().zip(&g.offsets) {
            for (to, from) in by_channels[offset..offset + g.window.channels]
                .iter_mut()
                .zip(row)
            {
                *to = *from;
            }
        }
    }
    (nats, by_weights)
}

/// What one image needs: for each dense layer its inputs, `[pixels, inputs]`, its outputs before the
/// activation, and the derivatives by both.
struct Space {
    inputs: Vec<Array2<f32>>,
    outputs: Vec<Array2<f32>>,
    /// Derivatives by the inputs of a layer; of the first, by the channels alone.
    deltas: Vec<Array2<f32>>,
    by_outputs: Vec<Array2<f32>>,
    /// The image with a margin of 0.
    padded: Vec<f32>,
}

impl Space {
    fn new(g: &Geometry) -> Self {
        let pixels = g.pixels();
        let zeros = |width: usize| Array2::zeros((pixels, width));
        let sizes = g.sizes.iter();
        Self {
            inputs: sizes.clone().map(|s| zeros(s[0])).collect(),
            outputs: sizes.clone().map(|s| zeros(s[1])).collect(),
            deltas: std::iter::once(zeros(g.window.channels))
                .chain(sizes.clone().skip(1).map(|s| zeros(s[0])))
                .collect(),
            by_outputs: sizes.map(|s| zeros(s[1])).collect(),
            padded: vec![0.0; (g.height + g.window.above) * (g.width + 2 * g.window.side)],
        }
    }

    fn fill_inputs(&mut self, g: &Geometry, x: &[f32], channels: &[f32]) {
        let Window {
            channels: c,
            above,
            side,
        } = g.window;
        let stride = g.width + 2 * side;
        for (y, row) in x.chunks_exact(g.width).enumerate() {
            self.padded[(y + above) * stride + side..][..g.width].copy_from_slice(row);
        }
        for (pixel, mut row) in self.inputs[0].rows_mut().into_iter().enumerate() {
            let Some(row) = row.as_slice_mut() else {
                continue;
            };
            row[..c].copy_from_slice(&channels[g.offsets[pixel]..][..c]);
            let (y, x) = (pixel / g.width, pixel % g.width);
            let mut at = c;
            for dy in 0..above {
                let from = (y + dy) * stride + x;
                row[at..at + 2 * side + 1].copy_from_slice(&self.padded[from..][..2 * side + 1]);
                at += 2 * side + 1;
            }
            row[at..].copy_from_slice(&self.padded[(y + above) * stride + x..][..side]);
        }
    }

    fn forward(&mut self, g: &Geometry, path: Path, weights: &[f32]) {
        let mut at = 0;
        for (i, &[inputs, outputs]) in g.sizes.iter().enumerate() {
            let (w, b) = layer(&weights[at..], inputs, outputs);
            at += (inputs + 1) * outputs;
            self.outputs[i].assign(&b);
            general_mat_mul(1.0, &self.inputs[i], &w, 1.0, &mut self.outputs[i]);
            if let Some(next) = self.inputs.get_mut(i + 1) {
                let (Some(z), Some(a)) = (self.outputs[i].as_slice(), next.as_slice_mut()) else {
                    continue;
                };
                path.vectorize(
                    #[inline(always)]
                    || {
                        for (a, &z) in a.iter_mut().zip(z) {
                            *a = z / (1.0 + exp(-z));
                        }
                    },
                );
            }
        }
    }

    /// Nats of the image; the derivative by the logits, `sigmoid(l) - x`.
    fn loss(&mut self, x: &[f32]) -> f64 {
        let (Some(logits), Some(by_logits)) = (self.outputs.last(), self.by_outputs.last_mut())
        else {
            return 0.0;
        };
        let mut nats = 0.0;
        for ((&l, d), &x) in logits.iter().zip(by_logits).zip(x) {
            nats += f64::from(l.max(0.0) - l * x + (-l.abs()).exp().ln_1p());
            *d = 1.0 / (1.0 + (-l).exp()) - x;
        }
        nats
    }

    fn backward(&mut self, g: &Geometry, path: Path, weights: &[f32], by_weights: &mut [f32]) {
        let mut end = weights.len();
        for (i, &[inputs, outputs]) in g.sizes.iter().enumerate().rev() {
            let start = end - (inputs + 1) * outputs;
            let (w, _) = layer(&weights[start..end], inputs, outputs);
            let d = &self.by_outputs[i];
            let (by_w, by_b) = by_weights[start..end].split_at_mut(inputs * outputs);
            if let Ok(mut by_w) = ArrayViewMut2::from_shape((inputs, outputs), by_w) {
                general_mat_mul(1.0, &self.inputs[i].t(), d, 1.0, &mut by_w);
            }
            for (sum, column) in by_b.iter_mut().zip(d.sum_axis(Axis(0))) {
                *sum += column;
            }
            end = start;
            let wanted = self.deltas[i].ncols();
            general_mat_mul(
                1.0,
                d,
                &w.slice_axis(Axis(0), Slice::from(..wanted)).t(),
                0.0,
                &mut self.deltas[i],
            );
            let Some(before) = i.checked_sub(1) else {
                return;
            };
            let (Some(z), Some(d), Some(to)) = (
                self.outputs[before].as_slice(),
                self.deltas[i].as_slice(),
                self.by_outputs[before].as_slice_mut(),
            ) else {
                continue;
            };
            path.vectorize(
                #[inline(always)]
                || {
                    for ((to, &d), &z) in to.iter_mut().zip(d).zip(z) {
                        let s = 1.0 / (1.0 + exp(-z));
                        *to = d * s * (1.0 + z * (1.0 - s));
                    }
                },
            );
        }
    }
}

/// Weight `[inputs, outputs]` and bias of a layer that begins here.
fn layer(
    weights: &[f32],
    inputs: usize,
    outputs: usize,
) -> (ArrayView2<'_, f32>, ArrayView1<'_, f32>) {
    let (w, b) = weights[..(inputs + 1) * outputs].split_at(inputs * outputs);
    let w = ArrayView2::from_shape((inputs, outputs), w);
    (
        w.unwrap_or_else(|_| ArrayView2::from(&[[0.0f32; 1]; 0][..])),
        ArrayView1::from(b),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    /// Every derivative against a difference of losses.
    #[test]
    fn gradients_are_those_of_differences() {
        let window = Window {
            channels: 3,
            above: 2,
            side: 1,
        };
        let tiles = Layer::Tiles {
            rows: 2,
            columns: 1,
            height: 2,
            width: 3,
        };
        let g = Geometry::new(window, &[4, 3], Some(&tiles), &[5, 4]);
        let draw = |n: usize, seed: usize| -> Vec<f32> {
            (0..n)
                .map(|i| ((i * 7919 + seed * 104_729) % 1000) as f32 / 500.0 - 1.0)
                .collect()
        };
        let x: Vec<f32> = draw(24, 1)
            .iter()
            .map(|&v| f32::from(u8::from(v > 0.0)))
            .collect();
        let (channels, weights) = (draw(2 * 36, 2), draw(g.weights(), 3));
        let nats = |channels: &[f32], weights: &[f32]| -> (f32, Vec<f32>, Vec<f32>) {
            let c = Var::from_slice(channels, (4, 18), &Device::Cpu).unwrap();
            let w = Var::from_slice(weights, weights.len(), &Device::Cpu).unwrap();
            let loss = causal_nats(&g, x.clone(), &c, &w).unwrap();
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
