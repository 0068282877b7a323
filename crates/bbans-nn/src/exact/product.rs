//! The product of a dense layer: tiles of outputs by vectors of lanes, whose sums stay in registers.

use pulp::{Simd, WithSimd};

use crate::exact::dense::{Dense, PANEL};
use crate::exact::windows::Terms;

/// Outputs from `first` on, as many as `out` has room for.
pub(crate) struct Forward<'a> {
    pub layer: &'a Dense,
    /// The inputs in parts, `[_, lanes]`.
    pub parts: &'a [&'a [f32]],
    pub lanes: usize,
    pub first: usize,
    /// `[_, lanes]`.
    pub out: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            layer,
            parts,
            lanes,
            first,
            out,
        } = self;
        let vector = S::F32_LANES;
        let whole = lanes.next_multiple_of(vector);
        if whole == lanes {
            return forward(simd, layer, parts, lanes, first, out);
        }
        // A vector of lanes would be mostly empty: vectors of outputs then, as many as there are
        // registers for.
        match vector {
            16 if lanes < 16 => return narrow::<S, 4, 2>(simd, layer, parts, lanes, first, out),
            8 if lanes < 8 => return narrow::<S, 2, 4>(simd, layer, parts, lanes, first, out),
            4 if lanes < 4 => return narrow::<S, 1, 8>(simd, layer, parts, lanes, first, out),
            _ => {}
        }
        // Lanes that make the last vector whole, and are left out of the result.
        let mut wide = vec![0.0; layer.inputs() * whole];
        let rows = parts.iter().flat_map(|part| part.chunks_exact(lanes));
        for (wide, x) in wide.chunks_exact_mut(whole).zip(rows) {
            wide[..lanes].copy_from_slice(x);
        }
        let mut wide_out = vec![0.0; out.len() / lanes * whole];
        forward(simd, layer, &[&wide], whole, first, &mut wide_out);
        for (out, wide) in out
            .chunks_exact_mut(lanes)
            .zip(wide_out.chunks_exact(whole))
        {
            out.copy_from_slice(&wide[..lanes]);
        }
    }
}

/// Most inputs of a run: their values, of four vectors of lanes, stay in the nearest cache while all
/// outputs of the panel use them.
const RUN: usize = 96;

/// The layer for whole vectors of lanes.
#[inline(always)]
fn forward<S: Simd>(
    simd: S,
    layer: &Dense,
    parts: &[&[f32]],
    lanes: usize,
    first: usize,
    out: &mut [f32],
) {
    for (panel, column, sums) in panels(first, lanes, out) {
        let mut weights = layer.panel(panel);
        let mut bias = Some(&layer.bias(panel)[column..]);
        for part in parts {
            let inputs = part.len() / lanes;
            let run = inputs.div_ceil(inputs.div_ceil(RUN).max(1)).max(1);
            for x in part.chunks(run * lanes) {
                let (these, rest) = weights.split_at(x.len() / lanes * PANEL);
                add_run(simd, x, lanes, lanes, &these[column..], bias.take(), sums);
                weights = rest;
            }
        }
    }
}

/// Adds terms, rows of `lanes` values, to all sums, `[outputs, lanes]`, for whole vectors of lanes; the first start from
/// the bias.
#[inline(always)]
pub(crate) fn add_terms<S: Simd>(
    simd: S,
    layer: &Dense,
    terms: Terms<'_>,
    lanes: usize,
    sums: &mut [f32],
) {
    let Terms {
        first,
        seen,
        stride,
    } = terms;
    for (panel, _, sums) in panels(0, lanes, sums) {
        let weights = &layer.panel(panel)[first * PANEL..];
        let bias = (first == 0).then(|| layer.bias(panel));
        add_run(simd, seen, stride, lanes, weights, bias, sums);
    }
}

/// Outputs from `first` on by panels: the panel's number, the first of its columns, and their part of
/// `out`, `[_, lanes]`.
#[inline(always)]
fn panels(
    first: usize,
    lanes: usize,
    out: &mut [f32],
) -> impl Iterator<Item = (usize, usize, &mut [f32])> {
    let (mut start, mut rest) = (first, out);
    std::iter::from_fn(move || {
        let (panel, column) = (start / PANEL, start % PANEL);
        let outputs = (PANEL - column).min(rest.len() / lanes);
        let (sums, next) = std::mem::take(&mut rest).split_at_mut(outputs * lanes);
        (start, rest) = (start + outputs, next);
        (outputs > 0).then_some((panel, column, sums))
    })
}

/// Adds the terms of a run of inputs, rows of `lanes` values every `stride`, to the sums of some outputs of a
/// panel, `[_, lanes]`; the first run starts from the bias.
#[inline(always)]
fn add_run<S: Simd>(
    simd: S,
    x: &[f32],
    stride: usize,
    lanes: usize,
    weights: &[f32],
    bias: Option<&[f32]>,
    sums: &mut [f32],
) {
    let vector = S::F32_LANES;
    let outputs = sums.len() / lanes;
    // Of 32 wide registers 24 hold sums: 6 outputs by 4 vectors; of 16 narrow ones 12: 6 by 2.
    let wide = vector == 16;
    let mut lane = 0;
    while lane < lanes {
        let vectors = match (lanes - lane) / vector {
            4.. if wide => 4,
            2.. => 2,
            _ => 1,
        };
        let mut output = 0;
        while output < outputs {
            let height = match outputs - output {
                // Of 8, twice 4 and not 6 and twice 1.
                6 | 7 | 9.. if !wide || vectors == 4 => 6,
                8.. if wide && vectors < 4 => 8,
                4.. => 4,
                _ => 1,
            };
            let weights = &weights[output..];
            let bias = bias.map(|bias| &bias[output..]);
            let sums = &mut sums[output * lanes..][..height * lanes];
            match (height, vectors) {
                (6, 4) => tile::<S, 6, 4>(simd, x, stride, lanes, lane, weights, bias, sums),
                (6, 2) => tile::<S, 6, 2>(simd, x, stride, lanes, lane, weights, bias, sums),
                (6, _) => tile::<S, 6, 1>(simd, x, stride, lanes, lane, weights, bias, sums),
                (8, 2) => tile::<S, 8, 2>(simd, x, stride, lanes, lane, weights, bias, sums),
                (8, _) => tile::<S, 8, 1>(simd, x, stride, lanes, lane, weights, bias, sums),
                (4, 4) => tile::<S, 4, 4>(simd, x, stride, lanes, lane, weights, bias, sums),
                (4, 2) => tile::<S, 4, 2>(simd, x, stride, lanes, lane, weights, bias, sums),
                (4, _) => tile::<S, 4, 1>(simd, x, stride, lanes, lane, weights, bias, sums),
                (_, 4) => tile::<S, 1, 4>(simd, x, stride, lanes, lane, weights, bias, sums),
                (_, 2) => tile::<S, 1, 2>(simd, x, stride, lanes, lane, weights, bias, sums),
                (_, _) => tile::<S, 1, 1>(simd, x, stride, lanes, lane, weights, bias, sums),
            }
            output += height;
        }
        lane += vectors * vector;
    }
}

/// The sums of `OUTPUTS` outputs by `VECTORS` vectors of lanes from `lane` on, in registers.
#[inline(always)]
#[expect(
    clippy::too_many_arguments,
    reason = "the innermost part of the one above"
)]
fn tile<S: Simd, const OUTPUTS: usize, const VECTORS: usize>(
    simd: S,
    x: &[f32],
    stride: usize,
    lanes: usize,
    lane: usize,
    weights: &[f32],
    bias: Option<&[f32]>,
    sums: &mut [f32],
) {
    let width = VECTORS * S::F32_LANES;
    let mut registers = [[simd.splat_f32s(0.0); VECTORS]; OUTPUTS];
    for (j, registers) in registers.iter_mut().enumerate() {
        match bias {
            Some(bias) => *registers = [simd.splat_f32s(bias[j]); VECTORS],
            None => {
                let (sums, _) = S::as_simd_f32s(&sums[j * lanes + lane..][..width]);
                registers.copy_from_slice(sums);
            }
        }
    }
    for (x, weights) in x.chunks_exact(stride).zip(weights.chunks(PANEL)) {
        let (x, _) = S::as_simd_f32s(&x[lane..lane + width]);
        for (registers, &weight) in registers.iter_mut().zip(&weights[..OUTPUTS]) {
            let weight = simd.splat_f32s(weight);
            for (sum, &x) in registers.iter_mut().zip(x) {
                *sum = simd.add_f32s(*sum, simd.mul_f32s(x, weight));
            }
        }
    }
    for (registers, sums) in registers.iter().zip(sums.chunks_exact_mut(lanes)) {
        let (sums, _) = S::as_mut_simd_f32s(&mut sums[lane..lane + width]);
        sums.copy_from_slice(registers);
    }
}

/// The layer for a few lanes: `LANES` at a time by a panel, which is `VECTORS` vectors.
#[inline(always)]
fn narrow<S: Simd, const LANES: usize, const VECTORS: usize>(
    simd: S,
    layer: &Dense,
    parts: &[&[f32]],
    lanes: usize,
    first: usize,
    out: &mut [f32],
) {
    for (panel, column, sums) in panels(first, lanes, out) {
        let mut lane = 0;
        while lane < lanes {
            let at = (panel, column, lane, lanes);
            if lane + LANES <= lanes {
                narrow_tile::<S, LANES, VECTORS>(simd, layer, parts, at, sums);
                lane += LANES;
            } else {
                narrow_tile::<S, 1, VECTORS>(simd, layer, parts, at, sums);
                lane += 1;
            }
        }
    }
}

/// All sums of a panel for `LANES` lanes, in registers; those from `column` on go to `sums`,
/// `[_, lanes]`, from `lane` on.
#[inline(always)]
fn narrow_tile<S: Simd, const LANES: usize, const VECTORS: usize>(
    simd: S,
    layer: &Dense,
    parts: &[&[f32]],
    (panel, column, lane, lanes): (usize, usize, usize, usize),
    sums: &mut [f32],
) {
    let (bias, _) = S::as_simd_f32s(layer.bias(panel));
    let mut registers = [[simd.splat_f32s(0.0); VECTORS]; LANES];
    for registers in &mut registers {
        registers.copy_from_slice(bias);
    }
    let mut weights = layer.panel(panel).chunks_exact(PANEL);
    for part in parts {
        for (x, weights) in part.chunks_exact(lanes).zip(&mut weights) {
            let (weights, _) = S::as_simd_f32s(weights);
            for (registers, &x) in registers.iter_mut().zip(&x[lane..lane + LANES]) {
                let x = simd.splat_f32s(x);
                for (sum, &weight) in registers.iter_mut().zip(&weights[..VECTORS]) {
                    *sum = simd.add_f32s(*sum, simd.mul_f32s(x, weight));
                }
            }
        }
    }
    for (i, registers) in registers.iter().enumerate() {
        let mut values = [0.0; PANEL];
        let (vectors, _) = S::as_mut_simd_f32s(&mut values);
        vectors.copy_from_slice(registers);
        for (sums, &value) in sums.chunks_exact_mut(lanes).zip(&values[column..]) {
            sums[lane + i] = value;
        }
    }
}
