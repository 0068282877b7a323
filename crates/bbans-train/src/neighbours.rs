//! What the neighbours of every position have, as one operation.

use bbans_nn::Window;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

/// Values `[features, positions * lanes]` of the window's neighbours of every position, one neighbour after another,
/// `[neighbours * features, positions * lanes]`; beyond the edge 0. `grid` has rows, columns and lanes.
pub(crate) fn neighbours(values: &Tensor, window: Window, grid: [usize; 3]) -> Result<Tensor> {
    values.contiguous()?.apply_op1(Neighbours {
        window,
        grid,
        features: values.dim(0)?,
    })
}

struct Neighbours {
    window: Window,
    grid: [usize; 3],
    features: usize,
}

impl Neighbours {
    /// Calls `copy` with runs of numbers that belong together: where they begin in the neighbours, where in the values,
    /// and how many there are.
    fn each(&self, mut copy: impl FnMut(usize, usize, usize)) {
        let [rows, columns, lanes] = self.grid;
        let plane = rows * columns * lanes;
        for (n, (dy, dx)) in self.window.neighbours().enumerate() {
            let (up, aside) = (dy.unsigned_abs(), dx.unsigned_abs());
            if up >= rows || aside >= columns {
                continue;
            }
            let (to, from) = if dx < 0 { (aside, 0) } else { (0, aside) };
            let len = (columns - aside) * lanes;
            for f in 0..self.features {
                let (out, value) = ((n * self.features + f) * plane, f * plane);
                for row in up..rows {
                    let to = out + (row * columns + to) * lanes;
                    let from = value + ((row - up) * columns + from) * lanes;
                    copy(to, from, len);
                }
            }
        }
    }
}

impl CustomOp1 for Neighbours {
    fn name(&self) -> &'static str {
        "neighbours"
    }

    fn cpu_fwd(&self, values: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let values = crate::ops::slice(values, layout)?;
        let plane: usize = self.grid.iter().product();
        let count = self.window.count() * self.features;
        let mut out = vec![0.0; count * plane];
        self.each(|to, from, len| out[to..to + len].copy_from_slice(&values[from..from + len]));
        Ok((CpuStorage::F32(out), Shape::from((count, plane))))
    }

    fn bwd(&self, values: &Tensor, _: &Tensor, by: &Tensor) -> Result<Option<Tensor>> {
        let by = by.contiguous()?.flatten_all()?.to_vec1::<f32>()?;
        let mut sums = vec![0.0; values.elem_count()];
        self.each(|to, from, len| {
            let terms = by[to..to + len].iter();
            sums[from..from + len]
                .iter_mut()
                .zip(terms)
                .for_each(|(sum, term)| *sum += term);
        });
        Ok(Some(Tensor::from_vec(
            sums,
            values.shape(),
            values.device(),
        )?))
    }
}
