//! One image after another through the head, forward and backward, in the cache.

use bbans_nn::math::exp;
use bbans_nn::simd::Path;

use super::plan::{Block, Group, Part, Plan};
use super::planes::Planes;
use crate::product::{Matrix, Rows, add_scalar_products, add_sums, sum};

/// Nats of some images, each. Where gradients are wanted, those by the features go to `by_features`, those by
/// the weights are the second result; each image's nats count by its factor.
pub(super) fn images(
    plan: &Plan,
    weights: &[f32],
    x: &[f32],
    features: &[f32],
    by_features: Option<&mut [f32]>,
    factors: Option<&[f32]>,
) -> (Vec<f32>, Vec<f32>) {
    let (pixels, each) = (plan.pixels(), plan.features());
    let mut by_weights = vec![0.0; by_features.as_ref().map_or(0, |_| weights.len())];
    let mut space = Space::new(plan, weights);
    let mut nats = Vec::with_capacity(x.len() / pixels);
    let mut by_features = by_features.map(|g| g.chunks_mut(each));
    for (image, (x, features)) in x.chunks(pixels).zip(features.chunks(each)).enumerate() {
        let factor = factors.map_or(1.0, |factors| factors[image]);
        space.fill_inputs(x, features);
        space.forward();
        match by_features.as_mut().and_then(Iterator::next) {
            None => nats.push(space.output(x, factor, None) as f32),
            Some(by_features) => {
                nats.push(space.output(x, factor, Some(&mut by_weights)) as f32);
                space.backward(x, &mut by_weights);
                space.cells_backward(features, by_features, &mut by_weights);
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
    /// For every group of every hidden layer's inputs its weights as the derivatives by them take
    /// them: `[offsets * outputs, planes]`.
    turned: Vec<Vec<Vec<f32>>>,
    /// The last layer's, `[outputs, inputs]`.
    turned_output: Vec<f32>,
    /// Channels of the cells, `[cells, _]`, and the derivatives by them.
    channels: Vec<f32>,
    by_channels: Vec<f32>,
    /// Planes of the channels and of what stands for the pixels, and the derivatives by them.
    inputs: Planes,
    by_inputs: Planes,
    layers: Vec<LayerSpace>,
}

/// Of a hidden layer.
struct LayerSpace {
    /// Where its inputs begin.
    starts: Vec<usize>,
    /// Where its outputs begin, and those of the layers behind that are of the same size.
    out_starts: Vec<usize>,
    /// Its outputs before silu, then the sigmoid of them.
    sigmoid: Planes,
    /// Its outputs.
    outputs: Planes,
    /// Derivatives by the outputs, then by the outputs before silu.
    deltas: Planes,
}

impl<'a> Space<'a> {
    fn new(plan: &'a Plan, weights: &'a [f32]) -> Self {
        let layout = plan.layout;
        let all_channels = plan.pixels() * plan.window.channels;
        let layer = |block: &Block| {
            let planes = || Planes::new(layout, block.part.outputs);
            LayerSpace {
                starts: block.starts(layout),
                out_starts: layout.starts(0, block.part.outputs, [0]),
                sigmoid: planes(),
                outputs: planes(),
                deltas: planes(),
            }
        };
        let turned = |block: &Block| {
            let (w, _) = block.part.of(weights);
            let groups = block.groups.iter();
            groups.map(|g| turned(w, block.part.outputs, g)).collect()
        };
        let planes = plan.window.channels + plan.depth();
        let output = Group {
            first_plane: 0,
            planes: plan.output.inputs,
            offsets: vec![0],
            first_input: 0,
        };
        let mut inputs = Planes::new(layout, planes);
        // Beyond the edge pixels are 0.
        for (e, value) in embedded(plan, weights, 0.0).enumerate() {
            inputs.whole_mut(plan.window.channels + e).fill(value);
        }
        Self {
            plan,
            path: Path::detect(),
            weights,
            turned: plan.blocks.iter().map(turned).collect(),
            turned_output: self::turned(plan.output.of(weights).0, plan.output.outputs, &output),
            channels: vec![0.0; all_channels],
            by_channels: vec![0.0; all_channels],
            inputs,
            by_inputs: Planes::new(layout, planes),
            layers: plan.blocks.iter().map(layer).collect(),
        }
    }

    fn fill_inputs(&mut self, x: &[f32], features: &[f32]) {
        let plan = self.plan;
        let c = plan.window.channels;
        match plan.cells {
            None => self.channels.copy_from_slice(features),
            Some((count, part)) => {
                let (w, b) = part.of(self.weights);
                for cell in self.channels.chunks_exact_mut(part.outputs) {
                    cell.copy_from_slice(b);
                }
                // Rows are those of the weight; the features take its place.
                let columns = |k: usize| features.iter().skip(k).step_by(part.inputs);
                let turned: Vec<f32> = (0..part.inputs).flat_map(columns).copied().collect();
                add_sums(
                    rows(w, &every(part.outputs, part.inputs)),
                    matrix(&turned, count),
                    &mut self.channels,
                    &every(part.outputs, count),
                    part.outputs,
                );
            }
        }
        for channel in 0..c {
            let plane = self.inputs.plane_mut(channel);
            for (&at, &offset) in plan.positions.iter().zip(&plan.offsets) {
                plane[at] = self.channels[offset + channel];
            }
        }
        for e in 0..plan.depth() {
            let plane = self.inputs.plane_mut(c + e);
            for (&at, &value) in plan.positions.iter().zip(x) {
                plane[at] = match plan.embedding {
                    None => value,
                    Some(depth) => self.weights[plan.table + value as usize * depth + e],
                };
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
            z.fill(b.iter().copied());
            let inputs = before.last().map_or(&self.inputs, |before| &before.outputs);
            add_sums(
                rows(&inputs.values, &layer.starts),
                matrix(w, block.part.outputs),
                &mut z.values,
                &layer.out_starts,
                plan.layout.positions,
            );
            for plane in 0..block.part.outputs {
                let (z, a) = (z.plane_mut(plane), layer.outputs.plane_mut(plane));
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
            layer.outputs.clear_gaps(plan.height, plan.width);
        }
    }

    /// The last layer: the logit of a pixel above 0, and for these the logits of their values. Gives
    /// the nats; with gradients wanted, also the derivatives by the last hidden layer.
    fn output(&mut self, x: &[f32], factor: f32, by_weights: Option<&mut [f32]>) -> f64 {
        let plan = self.plan;
        let Some(layer) = self.layers.last_mut() else {
            return 0.0;
        };
        let Part {
            inputs, outputs, ..
        } = plan.output;
        let (w, b) = plan.output.of(self.weights);
        let positions = plan.layout.positions;
        let mut flags = vec![b[0]; positions];
        let a = rows(&layer.outputs.values, &layer.out_starts);
        add_sums(a, matrix(w, outputs), &mut flags, &[0], positions);
        let mut nats = 0.0;
        let mut by_flags = vec![0.0; positions];
        for (&at, &x) in plan.positions.iter().zip(x) {
            let (l, flag) = (flags[at], f32::from(u8::from(x > 0.0)));
            nats += f64::from(l.max(0.0) - l * flag + (-l.abs()).exp().ln_1p());
            by_flags[at] = factor * (1.0 / (1.0 + (-l).exp()) - flag);
        }
        // Pixels above 0, of which the value is to come.
        let active: Vec<usize> = match plan.levels {
            2 => vec![],
            _ => (0..x.len()).filter(|&p| x[p] > 0.0).collect(),
        };
        let width = active.len().next_multiple_of(16);
        let mut active_a = vec![0.0; inputs * width];
        for (feature, row) in active_a.chunks_exact_mut(width.max(1)).enumerate() {
            let plane = layer.outputs.plane(feature);
            for (to, &pixel) in row.iter_mut().zip(&active) {
                *to = plane[plan.positions[pixel]];
            }
        }
        let values = outputs - 1;
        let mut logits = vec![0.0; values * width];
        for (row, &b) in logits.chunks_exact_mut(width.max(1)).zip(&b[1..]) {
            row.fill(b);
        }
        let (a_starts, value_starts) = (every(width, inputs), every(width, values));
        let active_rows = rows(&active_a, &a_starts);
        add_sums(
            active_rows,
            matrix(&w[1..], outputs),
            &mut logits,
            &value_starts,
            width,
        );
        let targets: Vec<usize> = active.iter().map(|&pixel| x[pixel] as usize - 1).collect();
        nats += softmax(self.path, &mut logits, width, &targets);
        let Some(by_weights) = by_weights else {
            return nats;
        };
        if factor != 1.0 {
            logits.iter_mut().for_each(|by| *by *= factor);
        }

        let (by_w, by_b) = plan.output.of_mut(by_weights);
        add_scalar_products(a, rows(&by_flags, &[0]), positions, by_w, outputs);
        by_b[0] += by_flags.iter().sum::<f32>();
        layer.deltas.fill(std::iter::repeat_n(0.0, inputs));
        add_sums(
            rows(&by_flags, &[0]),
            matrix(&self.turned_output, inputs),
            &mut layer.deltas.values,
            &layer.out_starts,
            positions,
        );
        if active.is_empty() {
            return nats;
        }
        let by_values = rows(&logits, &value_starts);
        add_scalar_products(active_rows, by_values, width, &mut by_w[1..], outputs);
        for (to, row) in by_b[1..].iter_mut().zip(logits.chunks_exact(width)) {
            *to += row.iter().sum::<f32>();
        }
        let mut by_a = vec![0.0; inputs * width];
        let turned = matrix(&self.turned_output[inputs..], inputs);
        add_sums(by_values, turned, &mut by_a, &a_starts, width);
        for (feature, row) in by_a.chunks_exact(width).enumerate() {
            let plane = layer.deltas.plane_mut(feature);
            for (d, &pixel) in row.iter().zip(&active) {
                plane[plan.positions[pixel]] += d;
            }
        }
        nats
    }

    /// From the derivatives by the last hidden layer to those by the channels.
    fn backward(&mut self, x: &[f32], by_weights: &mut [f32]) {
        let plan = self.plan;
        let layout = plan.layout;
        for (i, block) in plan.blocks.iter().enumerate().rev() {
            let outputs = block.part.outputs;
            let (before, rest) = self.layers.split_at_mut(i);
            let Some(layer) = rest.first_mut() else {
                return;
            };
            for plane in 0..outputs {
                let (s, a) = (layer.sigmoid.plane(plane), layer.outputs.plane(plane));
                let d = layer.deltas.plane_mut(plane);
                self.path.vectorize(
                    #[inline(always)]
                    || {
                        for ((d, &a), &s) in d.iter_mut().zip(a).zip(s) {
                            *d *= s + a * (1.0 - s);
                        }
                    },
                );
            }
            layer.deltas.clear_gaps(plan.height, plan.width);
            let sums: Vec<f32> = (0..outputs).map(|p| sum(layer.deltas.plane(p))).collect();
            let (by_w, by_b) = block.part.of_mut(by_weights);
            by_b.iter_mut().zip(&sums).for_each(|(to, sum)| *to += sum);
            let (inputs, by_inputs) = match before.last_mut() {
                Some(before) => (&before.outputs, &mut before.deltas),
                None => (&self.inputs, &mut self.by_inputs),
            };
            add_scalar_products(
                rows(&inputs.values, &layer.starts),
                rows(&layer.deltas.values, &layer.out_starts),
                layout.positions,
                by_w,
                outputs,
            );
            for (group, turned) in block.groups.iter().zip(&self.turned[i]) {
                if i == 0 && group.first_input > 0 && plan.embedding.is_none() {
                    continue;
                }
                for plane in group.first_plane..group.first_plane + group.planes {
                    by_inputs.plane_mut(plane).fill(0.0);
                }
                // The pixels that saw this one lie opposite.
                let opposite = group.offsets.iter().map(|&offset| -offset);
                add_sums(
                    rows(&layer.deltas.values, &layout.starts(0, outputs, opposite)),
                    matrix(turned, group.planes),
                    &mut by_inputs.values,
                    &layout.starts(group.first_plane, group.planes, [0]),
                    layout.positions,
                );
                if i == 0 && group.first_input > 0 {
                    self.embedding_backward(x, turned, &sums, by_weights);
                    return;
                }
            }
        }
    }

    /// Adds the derivatives by what stands for the pixels to those by the table. `sums` are the
    /// derivatives by the first hidden layer, summed over the image.
    fn embedding_backward(&self, x: &[f32], turned: &[f32], sums: &[f32], by_weights: &mut [f32]) {
        let plan = self.plan;
        let depth = plan.depth();
        let by_table = &mut by_weights[plan.table..];
        for e in 0..depth {
            let plane = self.by_inputs.plane(plan.window.channels + e);
            // What all neighbours together have, those beyond the edge, which are 0, included.
            let w = turned.iter().skip(e).step_by(depth);
            let mut rest: f32 = w.zip(sums.iter().cycle()).map(|(w, sum)| w * sum).sum();
            for (&at, &x) in plan.positions.iter().zip(x) {
                let d = plane[at];
                by_table[x as usize * depth + e] += d;
                rest -= d;
            }
            by_table[e] += rest;
        }
    }

    /// From the derivatives by the channels to those by the features of the cells.
    fn cells_backward(
        &mut self,
        features: &[f32],
        by_features: &mut [f32],
        by_weights: &mut [f32],
    ) {
        let plan = self.plan;
        for channel in 0..plan.window.channels {
            let plane = self.by_inputs.plane(channel);
            for (&at, &offset) in plan.positions.iter().zip(&plan.offsets) {
                self.by_channels[offset + channel] = plane[at];
            }
        }
        let Some((count, part)) = plan.cells else {
            by_features.copy_from_slice(&self.by_channels);
            return;
        };
        let Part {
            inputs, outputs, ..
        } = part;
        let cell_starts = every(outputs, count);
        let by_channels = rows(&self.by_channels, &cell_starts);
        let (w, _) = part.of(self.weights);
        let weight_starts = every(outputs, inputs);
        by_features.fill(0.0);
        add_scalar_products(
            by_channels,
            rows(w, &weight_starts),
            outputs,
            by_features,
            inputs,
        );
        let (by_w, by_b) = part.of_mut(by_weights);
        add_sums(
            by_channels,
            matrix(features, inputs),
            by_w,
            &weight_starts,
            outputs,
        );
        for cell in self.by_channels.chunks_exact(outputs) {
            by_b.iter_mut().zip(cell).for_each(|(to, d)| *to += d);
        }
    }
}

/// What stands for a pixel of this value.
fn embedded(plan: &Plan, weights: &[f32], value: f32) -> impl Iterator<Item = f32> {
    let depth = plan.depth();
    (0..depth).map(move |e| match plan.embedding {
        None => value,
        Some(_) => weights[plan.table + value as usize * depth + e],
    })
}

/// Of a layer's weight what concerns a group of its inputs, for each offset from outputs to planes.
fn turned(w: &[f32], outputs: usize, group: &Group) -> Vec<f32> {
    let row = |(offset, output): (usize, usize)| {
        let first = group.first_input + offset * group.planes;
        (first..first + group.planes).map(move |input| w[input * outputs + output])
    };
    let offsets = 0..group.offsets.len();
    let pairs = offsets.flat_map(|i| (0..outputs).map(move |o| (i, o)));
    pairs.flat_map(row).collect()
}

fn rows<'a>(values: &'a [f32], starts: &'a [usize]) -> Rows<'a> {
    Rows { values, starts }
}

fn matrix(values: &[f32], stride: usize) -> Matrix<'_> {
    Matrix { values, stride }
}

/// Starts of rows one after another.
fn every(length: usize, count: usize) -> Vec<usize> {
    (0..count).map(|i| i * length).collect()
}

/// `-log softmax(logits)[target]` summed over the columns of `[values, width]` that have a target;
/// the logits become the derivatives by them.
fn softmax(path: Path, logits: &mut [f32], width: usize, targets: &[usize]) -> f64 {
    if targets.is_empty() {
        return 0.0;
    }
    let mut greatest = vec![f32::MIN; width];
    let mut sums = vec![0.0f32; width];
    let own: Vec<f32> = (targets.iter().enumerate())
        .map(|(i, &target)| logits[target * width + i])
        .collect();
    path.vectorize(
        #[inline(always)]
        || {
            for row in logits.chunks_exact(width) {
                for (m, &l) in greatest.iter_mut().zip(row) {
                    *m = if l > *m { l } else { *m };
                }
            }
            for row in logits.chunks_exact_mut(width) {
                for ((l, m), sum) in row.iter_mut().zip(&greatest).zip(&mut sums) {
                    *l = exp(*l - m);
                    *sum += *l;
                }
            }
            for row in logits.chunks_exact_mut(width) {
                for (l, sum) in row.iter_mut().zip(&sums) {
                    *l /= sum;
                }
                row[targets.len()..].fill(0.0);
            }
        },
    );
    let mut nats = 0.0;
    for (i, (&target, own)) in targets.iter().zip(own).enumerate() {
        logits[target * width + i] -= 1.0;
        nats += f64::from(sums[i].ln() - (own - greatest[i]));
    }
    nats
}
