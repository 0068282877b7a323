//! Values that change their places alone.

use bbans_nn::simd::Path;
use candle_core::{Error, Result};

use super::fused::{Fused, Pass};
use super::len;

/// The derivatives of whatever moves values.
pub(super) struct Moves;

pub(super) const MOVES: Moves = Moves;

impl Fused for Moves {
    fn backward(&self, pass: &Pass<'_>) -> Result<Vec<Vec<f32>>> {
        let count = len(pass.shapes[0]);
        // Where each output is from: what the operation makes of the inputs' numbers, which a float holds.
        let numbers: Vec<f32> = (0..count).map(|i| i as f32).collect();
        let kernel = pass.op.operation().kernel(&pass.shapes, &[]);
        let mut from = vec![0.0; pass.output.len() / pass.lanes];
        kernel
            .map_err(Error::wrap)?
            .run(Path::detect(), &[&numbers], 1, &mut from);
        let mut by_x = vec![0.0f32; count * pass.lanes];
        for (row, &from) in pass.gradient.chunks_exact(pass.lanes).zip(&from) {
            let to = &mut by_x[from as usize * pass.lanes..][..pass.lanes];
            to.iter_mut().zip(row).for_each(|(to, d)| *to += d);
        }
        Ok(vec![by_x])
    }
}
