//! One image after another through the head, forward and backward, in the cache.

use bbans_nn::Window;
use bbans_nn::math::exp;
use bbans_nn::simd::Path;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, Axis, Slice};

use super::padded::Padded;
use super::plan::{Block, Part, Plan};

/// Nats of some images. Where gradients are wanted, those by the features go to `by_features`, those by
/// the weights are the second result.
pub(super) fn images(
    plan: &Plan,
    weights: &[f32],
    x: &[f32],
    features: &[f32],
    by_features: Option<&mut [f32]>,
) -> (f64, Vec<f32>) {
    let (pixels, each) = (plan.pixels(), plan.features());
    let mut by_weights = vec![0.0; by_features.as_ref().map_or(0, |_| weights.len())];
    let mut space = Space::new(plan, weights);
    let mut nats = 0.0;
    let mut by_features = by_features.map(|g| g.chunks_mut(each));
    for (x, features) in x.chunks(pixels).zip(features.chunks(each)) {
        let by_features = by_features.as_mut().and_then(Iterator::next);
        space.fill_inputs(x, features);
        space.forward();
        let gradients = by_features.map(|g| (g, by_weights.as_mut_slice()));
        match gradients {
            None => nats += space.output(x, None),
            Some((by_features, by_weights)) => {
                nats += space.output(x, Some(&mut *by_weights));
                space.backward(x, features, by_features, by_weights);
            }
        }
    }
    (nats, by_weights)
}

/// What an image needs on its way.
struct Space<'a> {
    plan: &'a Plan,
    path: Path,
    weights: &'a [f32],
    /// Of each hidden layer but the first: its weights as the derivatives by its inputs take them.
    turned: Vec<Vec<Array2<f32>>>,
    /// Channels of the cells, and the derivatives by them.
    channels: Array2<f32>,
    by_channels: Array2<f32>,
    /// What stands for the pixels, with a margin.
    neighbours: Vec<f32>,
    /// Inputs of the first layer, `[positions, inputs]`.
    inputs: Array2<f32>,
    by_inputs: Array2<f32>,
    layers: Vec<LayerSpace>,
}

/// Of a hidden layer.
struct LayerSpace {
    /// Its outputs before silu, then the sigmoid of them.
    sigmoid: Array2<f32>,
    /// Its outputs.
    outputs: Padded,
    /// Derivatives by the outputs, then by the outputs before silu.
    deltas: Padded,
}

impl<'a> Space<'a> {
    fn new(plan: &'a Plan, weights: &'a [f32]) -> Self {
        let positions = plan.positions();
        let Window { above, side, .. } = plan.window;
        let channels = plan
            .cells
            .map_or(Array2::zeros((1, plan.features())), |(count, part)| {
                Array2::zeros((count, part.outputs))
            });
        let inputs = plan.window.channels + plan.window.count() * plan.depth();
        let layer = |block: &Block| LayerSpace {
            sigmoid: Array2::zeros((positions, block.part.outputs)),
            outputs: Padded::new(positions, plan.margin, block.part.outputs),
            deltas: Padded::new(positions, plan.margin, block.part.outputs),
        };
        let wanted = match plan.embedding {
            Some(_) => inputs,
            None => plan.window.channels,
        };
        let mut space = Self {
            plan,
            path: Path::detect(),
            weights,
            turned: plan.blocks.iter().map(|b| turned(b, weights)).collect(),
            by_channels: channels.clone(),
            channels,
            neighbours: vec![0.0; (plan.height + above) * (plan.width + 2 * side) * plan.depth()],
            inputs: Array2::zeros((positions, inputs)),
            by_inputs: Array2::zeros((positions, wanted)),
            layers: plan.blocks.iter().map(layer).collect(),
        };
        // Beyond the edge pixels are 0.
        let zero = space.embedded(0.0);
        let depth = plan.depth();
        for to in space.neighbours.chunks_exact_mut(depth) {
            to.copy_from_slice(&zero);
        }
        space
    }

    /// What stands for a pixel of this value.
    fn embedded(&self, value: f32) -> Vec<f32> {
        match self.plan.embedding {
            None => vec![value],
            Some(e) => self.weights[self.plan.table + value as usize * e..][..e].to_vec(),
        }
    }

    fn fill_inputs(&mut self, x: &[f32], features: &[f32]) {
        let plan = self.plan;
        let Window {
            channels: c,
            above,
            side,
        } = plan.window;
        match plan.cells {
            None => copy(&mut self.channels, features),
            Some((count, part)) => {
                let (w, b) = part.of(self.weights);
                for mut row in self.channels.rows_mut() {
                    row.iter_mut().zip(b).for_each(|(to, &b)| *to = b);
                }
                if let Ok(features) = ArrayView2::from_shape((count, part.inputs), features) {
                    general_mat_mul(1.0, &features, &w, 1.0, &mut self.channels);
                }
            }
        }
        let depth = plan.depth();
        let line = plan.width + 2 * side;
        for (pixel, &value) in x.iter().enumerate() {
            let (y, x) = (pixel / plan.width, pixel % plan.width);
            let at = ((y + above) * line + side + x) * depth;
            let to = &mut self.neighbours[at..at + depth];
            match plan.embedding {
                None => to[0] = value,
                Some(e) => {
                    to.copy_from_slice(&self.weights[plan.table + value as usize * e..][..e])
                }
            }
        }
        let Some(channels) = self.channels.as_slice() else {
            return;
        };
        for (pixel, &offset) in plan.offsets.iter().enumerate() {
            let (y, x) = (pixel / plan.width, pixel % plan.width);
            let mut row = self.inputs.row_mut(y * plan.stride + x);
            let Some(row) = row.as_slice_mut() else {
                continue;
            };
            row[..c].copy_from_slice(&channels[offset..offset + c]);
            let mut at = c;
            for dy in 0..=above {
                let count = if dy < above { 2 * side + 1 } else { side } * depth;
                let from = ((y + dy) * line + x) * depth;
                row[at..at + count].copy_from_slice(&self.neighbours[from..from + count]);
                at += count;
            }
        }
    }

    fn forward(&mut self) {
        let plan = self.plan;
        for (i, block) in plan.blocks.iter().enumerate() {
            let (w, b) = block.part.of(self.weights);
            let (before, rest) = self.layers.split_at_mut(i);
            let Some(layer) = rest.first_mut() else {
                return;
            };
            let z = &mut layer.sigmoid;
            for mut row in z.rows_mut() {
                row.iter_mut().zip(b).for_each(|(to, &b)| *to = b);
            }
            match before.last() {
                None => general_mat_mul(1.0, &self.inputs, &w, 1.0, z),
                Some(before) => {
                    for (shift, count, first) in block.runs(plan.stride) {
                        let a = before.outputs.windows(shift, count);
                        let w = w.slice_axis(Axis(0), Slice::from(first..first + a.ncols()));
                        general_mat_mul(1.0, &a, &w, 1.0, z);
                    }
                }
            }
            if let Some(z) = z.as_slice_mut() {
                let a = layer.outputs.inner_mut();
                self.path.vectorize(
                    #[inline(always)]
                    || {
                        for (z, a) in z.iter_mut().zip(a) {
                            let s = 1.0 / (1.0 + exp(-*z));
                            *a = *z * s;
                            *z = s;
                        }
                    },
                );
            }
            layer.outputs.clear_gaps(plan.width, plan.stride);
        }
    }

    /// The last layer: the logit of a pixel above 0, and for these the logits of their values. Gives
    /// the nats; with gradients wanted, also the derivatives by the last hidden layer.
    fn output(&mut self, x: &[f32], by_weights: Option<&mut [f32]>) -> f64 {
        let plan = self.plan;
        let Some(layer) = self.layers.last_mut() else {
            return 0.0;
        };
        let (w, b) = plan.output.of(self.weights);
        let features = plan.output.inputs;
        let position = |pixel: usize| pixel / plan.width * plan.stride + pixel % plan.width;
        let w0 = w.column(0).to_vec();
        let a = layer.outputs.inner();
        let mut nats = 0.0;
        let mut by_flags = vec![0.0f32; x.len()];
        for (pixel, (&x, d)) in x.iter().zip(&mut by_flags).enumerate() {
            let a = &a[position(pixel) * features..][..features];
            let l = b[0] + dot(a, &w0);
            let flag = f32::from(u8::from(x > 0.0));
            nats += f64::from(l.max(0.0) - l * flag + (-l.abs()).exp().ln_1p());
            *d = 1.0 / (1.0 + (-l).exp()) - flag;
        }
        let active: Vec<usize> = match plan.levels {
            2 => vec![],
            _ => (0..x.len()).filter(|&p| x[p] > 0.0).collect(),
        };
        let values = w.slice_axis(Axis(1), Slice::from(1..));
        let active_a = Array2::from_shape_fn((active.len(), features), |(i, f)| {
            a[position(active[i]) * features + f]
        });
        let mut logits = Array2::zeros((active.len(), values.ncols()));
        for mut row in logits.rows_mut() {
            row.iter_mut().zip(&b[1..]).for_each(|(to, &b)| *to = b);
        }
        general_mat_mul(1.0, &active_a, &values, 1.0, &mut logits);
        for (mut row, &pixel) in logits.rows_mut().into_iter().zip(&active) {
            if let Some(row) = row.as_slice_mut() {
                nats += softmax(self.path, row, x[pixel] as usize - 1);
            }
        }
        let Some(by_weights) = by_weights else {
            return nats;
        };
        let (mut by_w, by_b) = plan.output.of_mut(by_weights);
        let mut by_w0 = vec![0.0f32; features];
        for (pixel, &d) in by_flags.iter().enumerate() {
            let at = position(pixel) * features;
            let a = &layer.outputs.inner()[at..at + features];
            for (to, &a) in by_w0.iter_mut().zip(a) {
                *to += d * a;
            }
            let by_a = &mut layer.deltas.inner_mut()[at..at + features];
            for (to, &w) in by_a.iter_mut().zip(&w0) {
                *to = d * w;
            }
            by_b[0] += d;
        }
        by_w.column_mut(0)
            .iter_mut()
            .zip(&by_w0)
            .for_each(|(to, d)| *to += d);
        if active.is_empty() {
            return nats;
        }
        general_mat_mul(
            1.0,
            &active_a.t(),
            &logits,
            1.0,
            &mut by_w.slice_axis_mut(Axis(1), Slice::from(1..)),
        );
        for (to, d) in by_b[1..].iter_mut().zip(logits.sum_axis(Axis(0))) {
            *to += d;
        }
        let by_a = logits.dot(&values.t());
        for (row, &pixel) in by_a.rows().into_iter().zip(&active) {
            let at = position(pixel) * features;
            let to = &mut layer.deltas.inner_mut()[at..at + features];
            to.iter_mut().zip(row).for_each(|(to, d)| *to += d);
        }
        nats
    }

    fn backward(
        &mut self,
        x: &[f32],
        features: &[f32],
        by_features: &mut [f32],
        by_weights: &mut [f32],
    ) {
        let plan = self.plan;
        for (i, block) in plan.blocks.iter().enumerate().rev() {
            let (before, rest) = self.layers.split_at_mut(i);
            let Some(layer) = rest.first_mut() else {
                return;
            };
            if let Some(s) = layer.sigmoid.as_slice() {
                let (a, d) = (layer.outputs.inner(), layer.deltas.inner_mut());
                self.path.vectorize(
                    #[inline(always)]
                    || {
                        for ((d, &a), &s) in d.iter_mut().zip(a).zip(s) {
                            *d *= s + a * (1.0 - s);
                        }
                    },
                );
            }
            layer.deltas.clear_gaps(plan.width, plan.stride);
            let d = layer.deltas.windows(0, 1);
            let (mut by_w, by_b) = block.part.of_mut(by_weights);
            for (to, d) in by_b.iter_mut().zip(d.sum_axis(Axis(0))) {
                *to += d;
            }
            let Some(before) = before.last_mut() else {
                general_mat_mul(1.0, &self.inputs.t(), &d, 1.0, &mut by_w);
                let (w, _) = block.part.of(self.weights);
                let wanted = self.by_inputs.ncols();
                let w = w.slice_axis(Axis(0), Slice::from(..wanted));
                general_mat_mul(1.0, &d, &w.t(), 0.0, &mut self.by_inputs);
                break;
            };
            let mut by_a = before.deltas.matrix_mut();
            let mut beta = 0.0;
            for ((shift, count, first), turned) in block.runs(plan.stride).zip(&self.turned[i]) {
                let a = before.outputs.windows(shift, count);
                let rows = Slice::from(first..first + a.ncols());
                general_mat_mul(
                    1.0,
                    &a.t(),
                    &d,
                    1.0,
                    &mut by_w.slice_axis_mut(Axis(0), rows),
                );
                // The pixels that saw this one lie opposite.
                let seen = layer.deltas.windows(-shift - (count as isize - 1), count);
                general_mat_mul(1.0, &seen, turned, beta, &mut by_a);
                beta = 1.0;
            }
        }
        self.channels_backward(features, by_features, by_weights);
        if let Some(e) = plan.embedding {
            self.embedding_backward(e, x, &mut by_weights[plan.table..]);
        }
    }

    /// From the inputs of the first layer to the channels, and on to the features of the cells.
    fn channels_backward(
        &mut self,
        features: &[f32],
        by_features: &mut [f32],
        by_weights: &mut [f32],
    ) {
        let plan = self.plan;
        let c = plan.window.channels;
        let Some(by_channels) = self.by_channels.as_slice_mut() else {
            return;
        };
        for (pixel, &offset) in plan.offsets.iter().enumerate() {
            let position = pixel / plan.width * plan.stride + pixel % plan.width;
            let from = self.by_inputs.row(position);
            let to = &mut by_channels[offset..offset + c];
            to.iter_mut().zip(from).for_each(|(to, &d)| *to = d);
        }
        let Some((count, part)) = plan.cells else {
            by_features.copy_from_slice(by_channels);
            return;
        };
        let shape = (count, part.inputs);
        let (w, _) = part.of(self.weights);
        let (mut by_w, by_b) = part.of_mut(by_weights);
        if let (Ok(features), Ok(mut by_features)) = (
            ArrayView2::from_shape(shape, features),
            ndarray::ArrayViewMut2::from_shape(shape, by_features),
        ) {
            general_mat_mul(1.0, &features.t(), &self.by_channels, 1.0, &mut by_w);
            general_mat_mul(1.0, &self.by_channels, &w.t(), 0.0, &mut by_features);
        }
        for (to, d) in by_b.iter_mut().zip(self.by_channels.sum_axis(Axis(0))) {
            *to += d;
        }
    }

    /// Adds the derivatives by what stands for the neighbours to those by the table.
    fn embedding_backward(&self, depth: usize, x: &[f32], by_table: &mut [f32]) {
        let plan = self.plan;
        let offsets: Vec<_> = plan.window.neighbours().collect();
        for pixel in 0..plan.pixels() {
            let (py, px) = (pixel / plan.width, pixel % plan.width);
            let row = self.by_inputs.row(py * plan.stride + px);
            let Some(row) = row.to_slice() else {
                continue;
            };
            let each = row[plan.window.channels..].chunks_exact(depth);
            for (&(dy, dx), d) in offsets.iter().zip(each) {
                let neighbour = py.checked_add_signed(dy).zip(px.checked_add_signed(dx));
                let level = match neighbour {
                    Some((y, nx)) if nx < plan.width => x[y * plan.width + nx] as usize,
                    _ => 0,
                };
                let to = &mut by_table[level * depth..][..depth];
                to.iter_mut().zip(d).for_each(|(to, d)| *to += d);
            }
        }
    }
}

/// For every run of neighbours the weights from outputs to one pixel's features, the neighbours in
/// the opposite order: `[count * outputs, features]`.
fn turned(block: &Block, weights: &[f32]) -> Vec<Array2<f32>> {
    let Part { outputs, .. } = block.part;
    let (w, _) = block.part.of(weights);
    let features = block.features();
    let run = |(_, count, first): (isize, usize, usize)| {
        Array2::from_shape_fn((count * outputs, features), |(row, feature)| {
            let neighbour = count - 1 - row / outputs;
            w[(first + neighbour * features + feature, row % outputs)]
        })
    };
    block.runs(0).map(run).collect()
}

fn copy(to: &mut Array2<f32>, from: &[f32]) {
    to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = (a8.remainder().iter().zip(b8.remainder()))
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in a8.zip(b8) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    rest + sums.iter().sum::<f32>()
}

/// `-log softmax(logits)[target]`; the logits become the derivatives by them.
fn softmax(path: Path, logits: &mut [f32], target: usize) -> f64 {
    path.vectorize(
        #[inline(always)]
        || {
            let greatest = logits
                .iter()
                .fold(f32::MIN, |m, &l| if l > m { l } else { m });
            let own = logits[target] - greatest;
            for l in logits.iter_mut() {
                *l = exp(*l - greatest);
            }
            let sum = dot(logits, &[1.0; 256][..logits.len()]);
            let scale = 1.0 / sum;
            logits.iter_mut().for_each(|l| *l *= scale);
            logits[target] -= 1.0;
            f64::from(sum.ln() - own)
        },
    )
}
