//! Features of all positions of an image, one plane a feature, with a margin around each.

/// `[features, margin + positions + margin]`.
#[derive(Debug)]
pub(super) struct Planes {
    pub(super) values: Vec<f32>,
    features: usize,
    layout: Layout,
}

/// Where positions lie in a plane: all planes of a head have the same.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// Positions from a row of pixels to the next; those beyond the width separate the rows.
    pub(super) stride: usize,
    /// Positions around the image.
    pub(super) margin: usize,
    /// Whole vectors of them.
    pub(super) positions: usize,
}

impl Layout {
    pub(super) fn new(height: usize, width: usize, above: usize, side: usize) -> Self {
        let stride = width + side;
        Self {
            stride,
            margin: above * stride + side,
            positions: (height * stride).next_multiple_of(16),
        }
    }

    fn length(self) -> usize {
        self.positions + 2 * self.margin
    }

    /// Where in a buffer of planes the positions of one begin, those that lie `offset` further on.
    pub(super) fn start(self, plane: usize, offset: isize) -> usize {
        (plane * self.length() + self.margin).saturating_add_signed(offset)
    }

    /// The same of planes `first .. first + count`, for each of the offsets.
    pub(super) fn starts(
        self,
        first: usize,
        count: usize,
        offsets: impl IntoIterator<Item = isize>,
    ) -> Vec<usize> {
        let of_offset = |offset| (first..first + count).map(move |p| self.start(p, offset));
        offsets.into_iter().flat_map(of_offset).collect()
    }
}

impl Planes {
    pub(super) fn new(layout: Layout, features: usize) -> Self {
        Self {
            values: vec![0.0; features * layout.length()],
            features,
            layout,
        }
    }

    /// A plane with its margins.
    pub(super) fn whole_mut(&mut self, plane: usize) -> &mut [f32] {
        let length = self.layout.length();
        &mut self.values[plane * length..][..length]
    }

    /// The positions of a plane.
    pub(super) fn plane(&self, plane: usize) -> &[f32] {
        &self.values[self.layout.start(plane, 0)..][..self.layout.positions]
    }

    /// The positions of a plane.
    pub(super) fn plane_mut(&mut self, plane: usize) -> &mut [f32] {
        &mut self.values[self.layout.start(plane, 0)..][..self.layout.positions]
    }

    /// The positions of all planes become these values, one a plane.
    pub(super) fn fill(&mut self, values: impl IntoIterator<Item = f32>) {
        for (plane, value) in (0..self.features).zip(values) {
            self.plane_mut(plane).fill(value);
        }
    }

    /// Sets the positions beyond `height` rows of `width` pixels to 0.
    pub(super) fn clear_gaps(&mut self, height: usize, width: usize) {
        let stride = self.layout.stride;
        for plane in 0..self.features {
            let plane = self.plane_mut(plane);
            for row in plane.chunks_mut(stride).take(height) {
                row[width..].fill(0.0);
            }
            plane[height * stride..].fill(0.0);
        }
    }
}
