//! Features of all positions of an image, with zeros around it.

use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder};

/// `[margin + positions + margin, features]`; the margins stay 0.
#[derive(Debug)]
pub(super) struct Padded {
    values: Vec<f32>,
    features: usize,
    margin: usize,
}

impl Padded {
    pub(super) fn new(positions: usize, margin: usize, features: usize) -> Self {
        Self {
            values: vec![0.0; (positions + 2 * margin) * features],
            features,
            margin,
        }
    }

    fn positions(&self) -> usize {
        self.values.len() / self.features - 2 * self.margin
    }

    /// Without the margins.
    pub(super) fn inner(&self) -> &[f32] {
        let from = self.margin * self.features;
        &self.values[from..self.values.len() - from]
    }

    /// Without the margins.
    pub(super) fn inner_mut(&mut self) -> &mut [f32] {
        let (from, end) = (self.margin * self.features, self.values.len());
        &mut self.values[from..end - from]
    }

    /// For every position the features of `count` positions side by side, the first of them
    /// `shift` positions after it: `[positions, count * features]`, rows that overlap, no copy.
    pub(super) fn windows(&self, shift: isize, count: usize) -> ArrayView2<'_, f32> {
        let from = self.margin.saturating_add_signed(shift) * self.features;
        let shape = (self.positions(), count * self.features).strides((self.features, 1));
        let view = ArrayView2::from_shape(shape, &self.values[from..]);
        view.unwrap_or_else(|_| ArrayView2::from(&[[0.0; 1]; 0]))
    }

    /// `[positions, features]`.
    pub(super) fn matrix_mut(&mut self) -> ArrayViewMut2<'_, f32> {
        let shape = (self.positions(), self.features);
        let view = ArrayViewMut2::from_shape(shape, self.inner_mut());
        view.unwrap_or_else(|_| ArrayViewMut2::from(&mut [[0.0; 1]; 0]))
    }

    /// Sets the positions that separate rows of `stride`, `width` of them used, to 0.
    pub(super) fn clear_gaps(&mut self, width: usize, stride: usize) {
        let features = self.features;
        for row in self.inner_mut().chunks_exact_mut(stride * features) {
            row[width * features..].fill(0.0);
        }
    }
}
